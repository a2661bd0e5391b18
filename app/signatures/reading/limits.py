"""How much of an error is kept, however much was sent."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import msgspec

from app.normalise.record import Frame
from app.signatures.model import RaisedError

MAX_TEXT = 262_144
"""Characters of one text that are read; of a longer one the two ends, which hold what matters."""
MAX_FRAMES = 500
MAX_ERRORS = 50
MAX_MESSAGE = 8_192
MAX_LINE = 2_048
"""Characters of one line that are searched for a name; the rest is message."""

Item = TypeVar("Item")


def both_ends(items: Sequence[Item], most: int) -> tuple[Item, ...]:
    """The first and the last half of `most`; everything when there are no more."""
    if len(items) <= most:
        return tuple(items)
    half = most // 2
    return (*items[:half], *items[-half:])


def clip(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE]


def raised(type_: str, message: str, frames: Sequence[Frame] = ()) -> RaisedError:
    return RaisedError(
        type=type_[:500], message=clip(message), frames=both_ends(frames, MAX_FRAMES)
    )


def inside_out(nodes: Iterable[tuple[int, Item]]) -> list[Item]:
    """Order a tree, told parents first with its depths, so that children stand before parents.

    A chain of causes (each one deeper than the one before) comes out reversed; siblings keep
    their order.
    """
    told: list[Item] = []
    open_nodes: list[tuple[int, Item]] = []
    for depth, item in nodes:
        while open_nodes and open_nodes[-1][0] >= depth:
            told.append(open_nodes.pop()[1])
        open_nodes.append((depth, item))
    while open_nodes:
        told.append(open_nodes.pop()[1])
    return told


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one language's reader found in a text."""

    errors: tuple[RaisedError, ...]
    """Root cause first."""
    language: str
    before: str = ""
    """The text that stood before the error: the log message it was reported under."""
    truncated: bool = False
    code: str = ""
