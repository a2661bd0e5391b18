"""Which of several roots made the request fail, and which ones somebody lived with. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

from app.correlate.calls import Node, Tie
from app.correlate.failure import Failure, path_up
from app.correlate.outcomes import was_lived_with

MOST_COMPARED: Final = 16


class _Standing:
    """One root among others: its highest error, and the calls above that."""

    def __init__(self, first: Failure, group: Sequence[Failure]) -> None:
        self.first = first
        highest = min(group, key=_height).node
        self.depth = highest.depth
        self.path = path_up(highest)
        self.ended = max((f.node.ended for f in group if f.node is highest), default=0)
        self.survived = was_lived_with(self.path)

    def was_left_behind(self, other: "_Standing") -> bool:
        """Whether a caller of both went on to the other's call after this one had failed."""
        for node in self.path:
            for rival in other.path:
                if node is rival:
                    return False
                if _are_siblings(node, rival):
                    return node.service != rival.service and rival.began >= node.ended
        return False


def _height(failure: Failure) -> tuple[bool, int, int]:
    """A call whose caller is not known does not stand as high as it seems."""
    return failure.node.tie is Tie.GUESS, failure.node.depth, failure.place


def _are_siblings(node: Node, rival: Node) -> bool:
    """Whether a known caller made both: of an unknown one, nobody can say what it lived with."""
    return node.parent is not None and node.parent is rival.parent


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
