"""Words that are marked in an error or a document, as lines with marked pieces. Pure.

Without its marks a line is the line of the text: only its end may be cut off, and that shows.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from app.catalogue.model import Evidence
from app.catalogue.words import COMMON, stems

Mark = tuple[int, int, int]
"""From a character to the one behind the last, and its number from 1."""

AROUND: Final = 3
"""Lines shown before and after one that is marked."""
ENDS: Final = 2
"""Lines of the beginning and of the end that are shown in any case."""
MOST_LINES: Final = 14
"""So many lines are shown whole; of more the ends and what is marked."""
MOST_CHARACTERS: Final = 2_000
"""Of one line."""
_RARE_LENGTH: Final = 4
_PHRASE: Final = 3
_WORD: Final = re.compile(r"[^\W_]+")
_BETWEEN: Final = re.compile(r"[^\W_]|[.!?][`*]*\s|\n\s*[-*\n]")
"""What ends a phrase: another word, the end of a sentence, a point of a list, a paragraph."""


class Piece(msgspec.Struct, frozen=True):
    """A part of a line; `mark` is the number of its mark, 0: it is not marked."""

    text: str
    mark: int = 0


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A line, numbered from 1; or, with `left_out`, so many lines that are not shown."""

    number: int = 0
    pieces: tuple[Piece, ...] = ()
    left_out: int = 0


def quoted_marks(text: str, evidence: Iterable[Evidence]) -> tuple[Mark, ...]:
    """Where in an error the quotes of its match stand, numbered as they are listed."""
    found = []
    for number, one in enumerate(evidence, 1):
        start = one.start
        if start < 0 or not text.startswith(one.quote, start):
            start = text.find(one.quote)
        if one.quote and start >= 0:
            found.append((start, start + len(one.quote), number))
    return tuple(found)


def shared_marks(text: str, other: str) -> tuple[Mark, ...]:
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
    return tuple((run[0].start(), run[-1].end(), 1) for run in telling if len(run) >= least)


def _says_something(run: Sequence[re.Match[str]]) -> bool:
    only = run[0][0]
    return len(run) > 1 or (len(only) >= _RARE_LENGTH and not COMMON.issuperset(stems(only)))


def marked_lines(text: str, marks: Sequence[Mark], *, most: int = MOST_LINES) -> tuple[Line, ...]:
    """Every line of a text of at most `most`; else the ends and what is marked, with lines around.

    No more than twice `most` are shown, however many are marked.
    """
    lines = list(_lines(text.rstrip(), _apart(marks)))
    if len(lines) <= most:
        return tuple(lines)
    marked = [n for n, line in enumerate(lines) if any(piece.mark for piece in line.pieces)]
    ends = [*range(ENDS), *range(len(lines) - ENDS, len(lines))]
    around = [m for n in marked for m in range(n - AROUND, n + AROUND + 1)]
    wanted = list(dict.fromkeys(n for n in (*ends, *around) if 0 <= n < len(lines)))
    return tuple(_with_gaps(lines, sorted(wanted[: 2 * most])))


def _with_gaps(lines: Sequence[Line], shown: Iterable[int]) -> Iterator[Line]:
    following = 0
    for n in shown:
        if n > following:
            yield Line(left_out=n - following)
        yield lines[n]
        following = n + 1


def _lines(text: str, marks: Sequence[Mark]) -> Iterator[Line]:
    start = 0
    for number, line in enumerate(text.split("\n"), start=1):
        end = start + len(line)
        own = [(max(a, start) - start, min(b, end) - start, m) for a, b, m in marks]
        yield Line(number=number, pieces=pieces(line, [one for one in own if one[0] < one[1]]))
        start = end + 1


def pieces(line: str, marks: Sequence[Mark]) -> tuple[Piece, ...]:
    """The line taken apart at its marks; what is too long is cut, and the cut is shown."""
    found = []
    place = 0
    for start, end, number in _apart(marks):
        found += [Piece(line[place:start]), Piece(line[start:end], number)]
        place = end
    found.append(Piece(line[place:]))
    return tuple(_cut(piece for piece in found if piece.text))


def _cut(found: Iterable[Piece]) -> Iterator[Piece]:
    left = MOST_CHARACTERS
    for piece in found:
        if len(piece.text) > left:
            yield Piece(f"{piece.text[:left]}…", piece.mark)
            return
        left -= len(piece.text)
        yield piece


def _apart(marks: Iterable[Mark]) -> list[Mark]:
    """In order; where two overlap the first one counts."""
    found: list[Mark] = []
    for start, end, number in sorted(marks):
        begins = max(start, found[-1][1]) if found else start
        if end > begins:
            found.append((begins, end, number))
    return found
