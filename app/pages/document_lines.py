"""What is stored of a document, put together line by line. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.query.document_queries import Passage

LONGEST_LINE: Final = 5_000


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line as it is written, or, with `left_out`, so many lines that no entry holds."""

    number: int
    """Of the document, from 1; of lines that are left out the first one."""
    text: str = ""
    is_cited: bool = False
    left_out: int = 0


def lines_of(passages: Sequence[Passage], cited: Passage | None = None) -> tuple[Line, ...]:
    """In their order. Where passages overlap the cited one counts, then the one that is first."""
    found: dict[int, Line] = {}
    for passage in (*([cited] if cited else []), *passages):
        for number, text in enumerate(_written(passage), passage.first_line):
            found.setdefault(
                number, Line(number=number, text=_cut(text), is_cited=passage is cited)
            )
    return tuple(_with_gaps(found))


def _written(passage: Passage) -> list[str]:
    return passage.written.split("\n") if passage.written else []


def _with_gaps(found: dict[int, Line]) -> Iterator[Line]:
    awaited = 1
    for number in sorted(found):
        if number > awaited:
            yield Line(number=awaited, left_out=number - awaited)
        yield found[number]
        awaited = number + 1


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[:LONGEST_LINE]}…"
