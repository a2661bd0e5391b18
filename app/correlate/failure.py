"""One error while its chain is being worked out, and what its words have to do with another's."""

import enum
from collections.abc import Iterable
from typing import Final

from app.correlate.calls import Node
from app.correlate.link import Link
from app.correlate.names import text_of

MOST_STEPS: Final = 64
SHORTEST_QUOTE: Final = 12
LONGEST_QUOTE: Final = 160


class Bond(enum.IntEnum):
    """How well an error is known to follow from another."""

    TIME = 1
    NEAR = 2
    FORM = 3
    NAMED = 4
    QUOTED = 5


class Failure:
    """An error while its chain is being worked out."""

    __slots__ = (
        "above", "bond", "cause", "first", "link", "node", "number", "place", "reason", "retries",
    )  # fmt: skip

    def __init__(self, link: Link, node: Node, number: int, place: int) -> None:
        self.link = link
        self.node = node
        self.number = number
        """Its place among the records of its call."""
        self.place = place
        """Its place among the errors of its run."""
        self.cause: Failure | None = None
        self.bond: Bond | None = None
        self.reason = ""
        self.first: Failure | None = None
        """The failure that this one repeats."""
        self.retries = 0
        self.above: Failure | None = None
        """Something nearer to its origin: shortened while it is looked for."""

    def origin(self) -> "Failure":
        """What it all goes back to."""
        top = self
        while top.above is not None:
            top = top.above
        at = self
        while at.above is not None and at.above is not top:
            at.above, at = top, at.above
        return top

    def follows(self, cause: "Failure", bond: Bond, reason: str) -> bool:
        """Say why it happened; refused when that would close a circle."""
        if cause.origin() is self:
            return False
        self.cause, self.bond, self.reason = cause, bond, reason
        self.above = cause
        return True


def quotes(report: Link, cause: Link, *, strictly: bool = False) -> bool:
    """Whether an error carries another's text, or is the very same error met again above.

    Strictly: the same error in two places that do not call each other happened twice.
    """
    if report.signature_id == cause.signature_id and report.service != cause.service:
        return not strictly
    core = (cause.exception_message or cause.message).partition("\n")[0][:LONGEST_QUOTE].strip()
    if len(core) < SHORTEST_QUOTE or core not in text_of(report):
        return False
    return not strictly or core not in (report.message.strip(), report.exception_message.strip())


def branch_of(node: Node, above: Node) -> Node | None:
    """The callee of `above` through which `node` was reached."""
    at: Node | None = node
    for _ in range(MOST_STEPS):
        if at is None or at.parent is above:
            return at
        at = at.parent
    return None


def passes(node: Node, above: Node, service: str) -> bool:
    """Whether the calls from `above` down to `node` go through this service."""
    at: Node | None = node
    for _ in range(MOST_STEPS):
        if at is None or at is above:
            return False
        if at.service == service:
            return True
        at = at.parent
    return False


def path_up(node: Node) -> list[Node]:
    """A call, its caller, the caller of that one, and so on."""
    path: list[Node] = []
    at: Node | None = node
    while at is not None and len(path) < MOST_STEPS:
        path.append(at)
        at = at.parent
    return path


def services_above(node: Node) -> Iterable[str]:
    at = node.parent
    for _ in range(MOST_STEPS):
        if at is None:
            return
        yield at.service
        at = at.parent
