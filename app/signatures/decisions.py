"""What people said about families, and how it bounds what the machine may put together."""

from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import Literal

import msgspec


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One merge or split by a person. Later decisions win over earlier ones."""

    kind: Literal["merge", "split"]
    signatures: tuple[str, ...]
    """Merged: all that belong together. Split: those taken out."""
    rest: tuple[str, ...] = ()
    """Split: those they were taken from, as the family stood then."""


class Wishes:
    """Decisions read in order: who must be together, who must stay apart."""

    def __init__(self, decisions: Iterable[Decision]) -> None:
        self.together: dict[str, Hashable] = {}
        self.apart: list[tuple[frozenset[str], frozenset[str]]] = []
        """Each of the one side stays apart from each of the other."""
        for number, decision in enumerate(decisions):
            if decision.kind == "merge":
                self._merge(decision.signatures, number)
            else:
                self._split(decision.signatures, decision.rest, number)

    def _merge(self, signatures: tuple[str, ...], number: int) -> None:
        joined = {self.together[one] for one in signatures if one in self.together}
        members = {one for one, group in self.together.items() if group in joined}
        members.update(signatures)
        self.together.update(dict.fromkeys(members, number))
        self.apart = [kept for pair in self.apart for kept in _released(pair, members)]

    def _split(self, taken: tuple[str, ...], rest: tuple[str, ...], number: int) -> None:
        self.together.update(dict.fromkeys(taken, number))
        self.apart.append((frozenset(taken), frozenset(rest).difference(taken)))


def _released(
    pair: tuple[frozenset[str], frozenset[str]], members: set[str]
) -> list[tuple[frozenset[str], frozenset[str]]]:
    """What is left of a split once `members` may be together again."""
    taken, rest = pair
    if taken.isdisjoint(members) or rest.isdisjoint(members):
        return [pair]
    left = [(taken - members, rest), (taken & members, rest - members)]
    return [(one, other) for one, other in left if one and other]


class Partition:
    """Groups of signatures that grow together unless a wish keeps them apart."""

    def __init__(self, signatures: Iterable[str], wishes: Wishes) -> None:
        self._group_of = {one: one for one in signatures}
        self._members = {one: [one] for one in self._group_of}
        # By split, not by pair: a split of 1,500 from 1,500 is two sides, not two million pairs.
        self._sides: dict[str, set[tuple[int, int]]] = defaultdict(set)
        for number, sides in enumerate(wishes.apart):
            for side, those in enumerate(sides):
                for one in those:
                    if one in self._group_of:
                        self._sides[one].add((number, side))
        wished: dict[Hashable, list[str]] = defaultdict(list)
        for one in sorted(self._group_of):
            if one in wishes.together:
                wished[wishes.together[one]].append(one)
        for members in wished.values():
            self.join(members)

    def join(self, signatures: Iterable[str]) -> None:
        """Put these together, biggest groups first; who may not join one tries the next."""
        groups = {self._group_of[one] for one in signatures}
        standing: list[str] = []
        for group in sorted(groups, key=lambda one: (-len(self._members[one]), one)):
            host = next((one for one in standing if not self._are_foes(one, group)), None)
            if host is None:
                standing.append(group)
            else:
                self._absorb(host, group)

    def _absorb(self, host: str, group: str) -> None:
        for one in self._members[group]:
            self._group_of[one] = host
        self._members[host] += self._members.pop(group)
        self._sides[host] |= self._sides.pop(group, set())

    def _are_foes(self, one: str, other: str) -> bool:
        theirs = self._sides[other]
        return any((number, 1 - side) in theirs for number, side in self._sides[one])

    def groups(self) -> Iterable[list[str]]:
        return self._members.values()
