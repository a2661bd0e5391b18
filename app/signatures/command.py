"""`prodsentinel signature`: sign errors on a terminal or in a pipe, with no server at all."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import click
import msgspec

from app.signatures import Families, Family, ReportedException, Signature, sign_text

_LONGEST_LINE = 8 * 1024 * 1024
"""Characters; a longer line is cut, as the service cuts it too."""


class _Line(msgspec.Struct, frozen=True):
    """One line of `--jsonl`. Unknown fields are nobody's business here."""

    message: str = ""
    exception: ReportedException | str | None = None
    fingerprint: tuple[str, ...] | None = None


@click.command("signature")
@click.option("--jsonl", is_flag=True, help="Read one JSON object a line, not one error a file.")
@click.option("--explain", is_flag=True, help="Say which part came from where.")
@click.option("--stream", is_flag=True, help="Print as it reads: families as they stand by then.")
@click.argument("files", nargs=-1, type=click.File("rb"), metavar="[FILE…|-]")
def signature(files: tuple[BinaryIO, ...], *, jsonl: bool, explain: bool, stream: bool) -> None:
    """Print the signature of each error in FILE, or of what comes in by standard input.

    Without --jsonl every file is one error. With it every line is one:
    {"message", "service"?, "level"?, "exception"?: {"type", "message", "stacktrace"}}.
    """
    sources = files or (sys.stdin.buffer,)
    signed = _sign_lines(sources) if jsonl else _sign_files(sources)
    for one, family in _stream(signed) if stream else _settle(signed):
        click.echo(_answer(one, family, explain=explain))


def _settle(signed: Iterable[Signature]) -> Iterator[tuple[Signature, Family]]:
    """All of them, after the last: only then are families settled."""
    families = Families()
    seen = list(signed)
    for one in seen:
        families.observe(one)
    settled = families.settle()
    for one in seen:
        yield one, settled[one.signature_id]


def _stream(signed: Iterable[Signature]) -> Iterator[tuple[Signature, Family]]:
    """One by one. Between two settlings, a twentieth of all apart, a new signature stands alone."""
    families = Families()
    settled: Mapping[str, Family] = {}
    known: set[str] = set()
    for one in signed:
        families.observe(one)
        known.add(one.signature_id)
        if one.signature_id not in settled and len(known) > len(settled) * 1.05:
            settled = families.settle()
        yield one, settled.get(one.signature_id) or Family.alone(one.signature_id, one.title)


def _sign_files(sources: Iterable[BinaryIO]) -> Iterator[Signature]:
    return (sign_text(_text(source.read())) for source in sources)


def _sign_lines(sources: Iterable[BinaryIO]) -> Iterator[Signature]:
    for source in sources:
        for line in source:
            if line.strip():
                yield _sign_line(line[:_LONGEST_LINE])


def _sign_line(line: bytes) -> Signature:
    """A line that is no such object is signed as the text it is: nothing is lost."""
    try:
        read = msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return sign_text(_text(line).strip())
    exception = read.exception
    if isinstance(exception, str):
        exception = ReportedException(stacktrace=exception)
    return sign_text(read.message, exception, fingerprint=read.fingerprint)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _answer(signed: Signature, family: Family, *, explain: bool) -> str:
    answer: dict[str, Any] = {
        "signature": signed.signature_id,
        "version": signed.version,
        "family": family.family_id,
        "type": signed.type,
        "title": signed.title,
        "culprit": signed.culprit,
    }
    if explain:
        answer["explanation"] = signed.explanation
        answer["template"] = family.template
        answer["callee"], answer["caller"] = signed.callee, signed.caller
    return msgspec.json.encode(answer).decode()
