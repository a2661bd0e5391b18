"""How much of an error is kept, however much was sent."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

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

_NO_DIGITS = str.maketrans("", "", "0123456789")

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


def inside_out(nodes: Iterable[tuple[int, Item]], order: Callable[[Item], Any]) -> list[Item]:
    """Order a tree, told parents first with its depths, so that children stand before parents.

    A chain of causes (each one deeper than the one before) comes out reversed. Siblings are
    sorted by `order`: which of two tasks failed first is chance. Roots keep their order.
    """
    told: list[Item] = []
    open_nodes: list[_Node[Item]] = []

    def close() -> None:
        node = open_nodes.pop()
        children = sorted(node.children, key=lambda child: child[0])
        flat = [*(item for _, items in children for item in items), node.item]
        if open_nodes:
            open_nodes[-1].children.append((order(node.item), flat))
        else:
            told.extend(flat)

    for depth, item in nodes:
        while open_nodes and open_nodes[-1].depth >= depth:
            close()
        open_nodes.append(_Node(depth, item, []))
    while open_nodes:
        close()
    return told


class _Node(msgspec.Struct, Generic[Item]):
    """A node whose children are still being told."""

    depth: int
    item: Item
    children: list[tuple[Any, list[Item]]]


def by_origin(error: RaisedError) -> tuple[str, ...]:
    """Siblings of a group in the same order every time: by type, origin and message."""
    origin = error.frames[-1] if error.frames else None
    place = (origin.module, origin.function) if origin else ("", "")
    return (error.type, *place, error.message.translate(_NO_DIGITS))


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What one language's reader found in a text."""

    errors: tuple[RaisedError, ...]
    """Root cause first; what was merely being handled when it was raised stands behind it."""
    language: str
    before: str = ""
    """The text that stood before the error: the log message it was reported under."""
    truncated: bool = False
    code: str = ""
    contexts: int = 0
    """How many errors at the end are contexts and no causes."""

    @property
    def outermost(self) -> int:
        """Where the error stands that was raised last."""
        return len(self.errors) - 1 - self.contexts
