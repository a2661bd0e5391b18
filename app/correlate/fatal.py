"""Which of several roots made the request fail, and which ones somebody lived with. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from app.correlate.calls import Node
from app.correlate.failure import Failure
from app.correlate.outcomes import ended_well, was_handled, was_repeated_well

MOST_COMPARED: Final = 16
MOST_STEPS: Final = 64


class _Standing:
    """One root among others: its highest error, and the calls above that."""

    def __init__(self, first: Failure, group: Sequence[Failure]) -> None:
        self.first = first
        highest = min(group, key=lambda failure: (failure.node.depth, failure.place)).node
        self.depth = highest.depth
        self.path: list[Node] = []
        at: Node | None = highest
        while at is not None and len(self.path) < MOST_STEPS:
            self.path.append(at)
            at = at.parent
        self.ended = max((f.node.ended for f in group if f.node is highest), default=0)
        self.survived = self._was_survived()

    def _was_survived(self) -> bool:
        if any(ended_well(node) or was_repeated_well(node) for node in self.path):
            return True
        return any(
            was_handled(caller, failed, alone=len({c.service for c in caller.children}) > 1)
            for failed, caller in zip(self.path, self.path[1:], strict=False)
        )

    def was_left_behind(self, other: "_Standing") -> bool:
        """Whether a caller of both went on to the other's call after this one had failed."""
        for node in self.path:
            for rival in other.path:
                if node is rival:
                    return False
                if _are_siblings(node, rival):
                    return node.service != rival.service and rival.began >= node.ended
        return False


def _are_siblings(node: Node, rival: Node) -> bool:
    if node.parent is None and rival.parent is None:
        return node.wanted is not None and node.wanted == rival.wanted
    return node.parent is rival.parent


def fatal_first(
    firsts: Sequence[Failure], groups: Mapping[int, Sequence[Failure]]
) -> list[Failure]:
    """Roots that nobody lived with, the farthest passed on first; then in causal order."""
    standing = [_Standing(first, groups[id(first)]) for first in firsts]
    compared = standing[:MOST_COMPARED]
    for one in compared:
        if not one.survived:
            one.survived = any(
                one.was_left_behind(other)
                for other in compared
                if other is not one and not other.survived
            )
    standing.sort(key=lambda one: (one.survived, one.depth, one.first.place))
    return [one.first for one in standing]
