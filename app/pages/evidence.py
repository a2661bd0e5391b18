"""The words of an error that a match rests on, marked where they stand. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from app.catalogue.model import Evidence

AROUND: Final = 3
"""Lines shown before and after one that is marked."""
ENDS: Final = 2
"""Lines of the beginning and of the end that are shown in any case."""
SHORT: Final = 14
"""So many lines are shown whole."""
LONGEST_LINE: Final = 2_000


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a line; `number` counts the evidence from 1, 0: it is not marked."""

    text: str
    number: int = 0


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the error, or, with `left_out`, so many lines that are not shown."""

    pieces: tuple[Piece, ...] = ()
    left_out: int = 0


def marked_lines(text: str, evidence: Sequence[Evidence]) -> tuple[Line, ...]:
    """Every line of a short text; of a long one the ends and what is marked, with lines around."""
    marks = _spans(text, evidence)
    lines = text.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    found = [
        _cut(line, starts[n], [m for m in marks if m[0] < starts[n + 1] and m[1] > starts[n]])
        for n, line in enumerate(lines)
    ]
    return tuple(_shortened(found))


def _spans(text: str, evidence: Sequence[Evidence]) -> list[tuple[int, int, int]]:
    """(start, end, number), in order; where two overlap the first one counts."""
    wanted = sorted(
        (one.start, one.start + len(one.quote), number)
        for number, one in enumerate(evidence, 1)
        if one.quote and 0 <= one.start < len(text)
    )
    spans: list[tuple[int, int, int]] = []
    for start, end, number in wanted:
        begins = max(start, spans[-1][1]) if spans else start
        if end > begins:
            spans.append((begins, end, number))
    return spans


def _cut(line: str, start: int, marks: Iterable[tuple[int, int, int]]) -> Line:
    whole = line.rstrip("\r\n")[:LONGEST_LINE]
    pieces, at = [], 0
    for begins, ends, number in marks:
        first, last = max(begins - start, 0), min(ends - start, len(whole))
        if last <= first:
            continue
        if first > at:
            pieces.append(Piece(text=whole[at:first]))
        pieces.append(Piece(text=whole[first:last], number=number))
        at = last
    if at < len(whole):
        pieces.append(Piece(text=whole[at:]))
    return Line(pieces=tuple(pieces))


def _shortened(lines: Sequence[Line]) -> Iterator[Line]:
    marked = {n for n, line in enumerate(lines) if any(piece.number for piece in line.pieces)}
    around = {m for n in marked for m in range(n - AROUND, n + AROUND + 1)}
    last = len(lines) - ENDS if len(lines) > SHORT else 0
    skipped = 0
    for n, line in enumerate(lines):
        if n < ENDS or n >= last or n in around:
            if skipped:
                yield Line(left_out=skipped)
                skipped = 0
            yield line
        else:
            skipped += 1
