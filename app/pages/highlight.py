"""Which words of an error and of a document are the same, as lines with marked pieces. Pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from app.catalogue.model import Evidence
from app.catalogue.words import COMMON, stems

Span = tuple[int, int]
"""From a character to the one behind the last."""

MOST_LINES: Final = 12
MOST_CHARACTERS: Final = 600
"""Of one line."""
_AROUND: Final = 1
_RARE_LENGTH: Final = 4
_PHRASE: Final = 3
_WORD: Final = re.compile(r"[^\W_]+")
_BETWEEN: Final = re.compile(r"[^\W_]|[.!?][`*]*\s|\n\s*[-*\n]")
"""What ends a phrase: another word, the end of a sentence, a point of a list, a paragraph."""


class Piece(msgspec.Struct, frozen=True):
    """A part of a line, and whether it is marked."""

    text: str
    is_marked: bool


class Line(msgspec.Struct, frozen=True):
    """A line; `number` 0 stands for lines that are left out."""

    number: int
    pieces: tuple[Piece, ...]


def quoted_spans(text: str, evidence: Iterable[Evidence]) -> tuple[Span, ...]:
    """Where in an error the quotes of its match stand."""
    found = []
    for one in evidence:
        start = one.start
        if not text.startswith(one.quote, max(start, 0)) or start < 0:
            start = text.find(one.quote)
        if one.quote and start >= 0:
            found.append((start, start + len(one.quote)))
    return _merged(found)


def shared_spans(text: str, other: str) -> tuple[Span, ...]:
    """Runs of words of `text` that stand in `other` too: two or more, or one that is rare."""
    known = set(stems(other))
    runs: list[list[re.Match[str]]] = []
    last = None
    for word in _WORD.finditer(text):
        if not (set(stems(word[0])) & known):
            last = None
            continue
        if last is not None and not _BETWEEN.search(text, last.end(), word.start()):
            runs[-1].append(word)
        else:
            runs.append([word])
        last = word
    telling = [run for run in runs if _says_something(run)]
    # Beside a whole phrase that is shared a single word is noise.
    least = 2 if any(len(run) >= _PHRASE for run in telling) else 1
    return tuple((run[0].start(), run[-1].end()) for run in telling if len(run) >= least)


def _says_something(run: Sequence[re.Match[str]]) -> bool:
    only = run[0][0]
    return len(run) > 1 or (len(only) >= _RARE_LENGTH and not COMMON.issuperset(stems(only)))


def marked_lines(text: str, spans: Sequence[Span], *, most: int = MOST_LINES) -> tuple[Line, ...]:
    """The lines with marks and one around each; without a mark the last lines.

    At most `most`, and of a line at most 600 characters.
    """
    lines = list(_lines(text.rstrip(), spans))
    marked = [n for n, line in enumerate(lines) if any(piece.is_marked for piece in line.pieces)]
    wanted = {m for n in marked for m in range(n - _AROUND, n + _AROUND + 1)}
    kept = sorted(wanted & set(range(len(lines)))) if marked else range(len(lines))[-most:]
    return tuple(_with_gaps([lines[n] for n in kept][:most]))


def _with_gaps(lines: Sequence[Line]) -> Iterator[Line]:
    before = lines[0].number if lines else 0
    for line in lines:
        if line.number > before + 1:
            yield Line(0, ())
        yield line
        before = line.number


def _lines(text: str, spans: Sequence[Span]) -> Iterator[Line]:
    start = 0
    for number, line in enumerate(text.split("\n"), start=1):
        end = start + len(line)
        own = [(max(a, start) - start, min(b, end) - start) for a, b in spans]
        yield Line(number, pieces(line, [(a, b) for a, b in own if a < b]))
        start = end + 1


def pieces(line: str, spans: Sequence[Span]) -> tuple[Piece, ...]:
    """The line taken apart at its marks; what is too long is cut, and the cut is shown."""
    found = []
    place = 0
    for start, end in _merged(spans):
        found += [Piece(line[place:start], is_marked=False), Piece(line[start:end], is_marked=True)]
        place = end
    found.append(Piece(line[place:], is_marked=False))
    return tuple(_cut(piece for piece in found if piece.text))


def _cut(found: Iterable[Piece]) -> Iterator[Piece]:
    left = MOST_CHARACTERS
    for piece in found:
        if len(piece.text) > left:
            yield Piece(f"{piece.text[:left]}…", piece.is_marked)
            return
        left -= len(piece.text)
        yield piece


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)
