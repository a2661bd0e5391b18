"""Errors out of files and pipes: of what is large both ends, of what streams each line at once."""

import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import click

MOST_TEXT: Final = 1024 * 1024
"""Bytes of a file, or characters of a line's text: half of them from either end."""
MOST_LINE: Final = 64 * 1024 * 1024


def text_of(name: str) -> str:
    """The text of a file, or of standard input (`-`) to its end."""
    half = MOST_TEXT // 2
    with _opened(name) as stream:
        head = stream.read(half)
        tail: deque[bytes] = deque(maxlen=2)
        size = len(head)
        while piece := stream.read(half):
            size += len(piece)
            tail.append(piece)
    end = b"".join(tail)[-half:]
    left_out = size - len(head) - len(end)
    pieces = [head + end]
    if left_out:
        _tell_left_out(left_out, "bytes")
        pieces = [head, end]
    encoding = _encoding(head)
    return "\n".join(piece.decode(encoding, "replace") for piece in pieces).removeprefix("\ufeff")


def _encoding(head: bytes) -> str:
    """UTF-16 is what a redirection in Windows PowerShell writes."""
    marks = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
    return marks.get(head[:2], "utf-8")


def lines_of(name: str) -> Iterator[bytes]:
    """Every line as soon as it is there; of one that is too long, enough to see that it is."""
    with _opened(name) as stream:
        while line := stream.readline(MOST_LINE + 1):
            rest = line
            while len(rest) > MOST_LINE and not rest.endswith(b"\n"):
                rest = stream.readline(MOST_LINE + 1)
            yield line


def both_ends(text: str) -> str:
    """The text, or half of what is most from either end."""
    left_out = len(text) - MOST_TEXT
    if left_out <= 0:
        return text
    _tell_left_out(left_out, "characters")
    half = MOST_TEXT // 2
    return f"{text[:half]}\n{text[-half:]}"


def _tell_left_out(count: int, what: str) -> None:
    click.echo(f"the text is long: {count:,} {what} from its middle are left out", err=True)


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    try:
        if name == "-":
            yield sys.stdin.buffer
        else:
            with Path(name).open("rb") as stream:
                yield stream
    except OSError as error:
        raise click.UsageError(f"{name}: {error.strerror}") from error
