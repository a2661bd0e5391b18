"""What changed between two texts, word by word. Pure.

A word is what is written between spaces; the longest matching blocks stay (Ratcliff and
Obershelp, Dr. Dobb's Journal 13(7), 1988, as `difflib` has it).
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Final, Literal

import msgspec

_WORDS: Final = re.compile(r"\s+|[^\s]+")
MOST_WORDS: Final = 4_000
"""The comparison takes time with the square of them; a longer text is compared line by line,
and one of more lines than this as a whole."""


class Piece(msgspec.Struct, frozen=True):
    """A stretch of text that stayed, was taken away, or came."""

    kind: Literal["same", "gone", "new"]
    text: str


def differences(before: str, after: str) -> tuple[Piece, ...]:
    """Pieces that read as `before` without those that are new, as `after` without those gone."""
    old, new = (_split(text) for text in (before, after))
    if len(old) + len(new) > MOST_WORDS:
        old, new = (text.splitlines(keepends=True) for text in (before, after))
    if len(old) + len(new) > MOST_WORDS:
        old, new = [before], [after]
    return tuple(_joined(_pieces(old, new)))


def _split(text: str) -> list[str]:
    return _WORDS.findall(text)


def _pieces(old: Sequence[str], new: Sequence[str]) -> Iterator[Piece]:
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(old[i:j]))
            continue
        if j > i:
            yield Piece("gone", "".join(old[i:j]))
        if m > k:
            yield Piece("new", "".join(new[k:m]))


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """A space that stays between two changes is part of both: `a b` -> `c d` is one change."""
    waiting: list[Piece] = []
    for piece in pieces:
        is_gap = piece.kind == "same" and piece.text.isspace() and "\n" not in piece.text
        if piece.kind != "same" or (waiting and is_gap):
            waiting.append(piece)
            continue
        yield from _run(waiting)
        waiting = []
        yield piece
    yield from _run(waiting)


def _run(waiting: Sequence[Piece]) -> Iterator[Piece]:
    while waiting and waiting[-1].kind == "same":
        yield from _run(waiting[:-1])
        yield waiting[-1]
        return
    if len({piece.kind for piece in waiting} - {"same"}) == 1:
        yield from waiting
    elif waiting:
        yield Piece("gone", "".join(piece.text for piece in waiting if piece.kind != "new"))
        yield Piece("new", "".join(piece.text for piece in waiting if piece.kind != "gone"))
