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
        self.apart: set[frozenset[str]] = set()
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
        self.apart = {pair for pair in self.apart if not pair <= members}

    def _split(self, taken: tuple[str, ...], rest: tuple[str, ...], number: int) -> None:
        self.together.update(dict.fromkeys(taken, number))
        self.apart |= {frozenset((one, other)) for one in taken for other in rest if one != other}


class Partition:
    """Groups of signatures that grow together unless a wish keeps them apart."""

    def __init__(self, signatures: Iterable[str], wishes: Wishes) -> None:
        self._group_of = {one: one for one in signatures}
        self._members = {one: [one] for one in self._group_of}
        self._foes: dict[str, set[str]] = defaultdict(set)
        for pair in wishes.apart:
            one, other = sorted(pair)
            if one in self._group_of and other in self._group_of:
                self._foes[one].add(other)
                self._foes[other].add(one)
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
            host = next((one for one in standing if one not in self._foes[group]), None)
            if host is None:
                standing.append(group)
            else:
                self._absorb(host, group)

    def _absorb(self, host: str, group: str) -> None:
        for one in self._members[group]:
            self._group_of[one] = host
        self._members[host] += self._members.pop(group)
        for foe in self._foes.pop(group, set()):
            self._foes[foe].discard(group)
            self._foes[foe].add(host)
            self._foes[host].add(foe)

    def groups(self) -> Iterable[list[str]]:
        return self._members.values()
