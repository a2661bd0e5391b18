"""`prodsentinel signature`: sign errors on a terminal or in a pipe, with no server at all."""

import codecs
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import click
import msgspec

from app.signatures import Families, Family, ReportedException, Signature, sign_text

_LONGEST_LINE = 8 * 1024 * 1024
"""Characters; a longer line is cut, as the service cuts it too."""


_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)
"""An escape of JSON; the first group is half of a surrogate pair."""


class _Line(msgspec.Struct, frozen=True):
    """One line of `--jsonl`. Unknown fields are nobody's business here."""

    message: str | None = None
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
    for source in sources:
        text = _text(source.read())
        if not text.strip():
            raise click.UsageError(f"{_name(source)} is empty: there is no error to sign.")
        yield sign_text(text)


def _sign_lines(sources: Iterable[BinaryIO]) -> Iterator[Signature]:
    """Each line, and at the end one word on standard error about those that are no such object."""
    others: list[str] = []
    for source in sources:
        for number, line in enumerate(source, 1):
            if not line.strip():
                continue
            read = _read_line(line[:_LONGEST_LINE].removeprefix(codecs.BOM_UTF8))
            if isinstance(read, str):
                others.append(f"{_name(source)}, line {number}")
                yield sign_text(read)
            else:
                exception = read.exception
                if isinstance(exception, str):
                    exception = ReportedException(stacktrace=exception)
                yield sign_text(read.message or "", exception, fingerprint=read.fingerprint)
    if others:
        click.echo(
            "prodsentinel: lines without a usable `message` or `exception`, signed as text: "
            f"{len(others)}; the first: {others[0]}",
            err=True,
        )


def _read_line(line: bytes) -> _Line | str:
    """The object on this line; the text itself when it is no such object: nothing is lost."""
    read = _decoded(line) or _decoded(_ESCAPE.sub(_whole, line))
    if read is None or (read.message is None and read.exception is None):
        return _text(line).strip()
    return read


def _decoded(line: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _whole(escape: re.Match[bytes]) -> bytes:
    """Half a surrogate pair is no character, yet a string that was cut may hold one."""
    return rb"\ufffd" if escape[1] else escape[0]


def _text(data: bytes) -> str:
    return data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")


def _name(source: BinaryIO) -> str:
    name = getattr(source, "name", "")
    return name if isinstance(name, str) and name not in {"", "-", "<stdin>"} else "standard input"


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
