"""What a round of the digest will change, by what it found and what was found before. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from app.correlate.chain import PAUSE, correlate
from app.correlate.model import Chain
from app.incidents.contribution import ChainRow, Counted, continued, rows_of
from app.incidents.findings import Found, Look
from app.incidents.lifecycle import Standing

Key = tuple[str, str]
"""Correlation ID and root signature."""
Before = Mapping[str, Mapping[str, Any]]
"""Correlation ID -> root signature -> row of `incident_chains`."""


class Digested(msgspec.Struct, frozen=True, kw_only=True):
    """A chain and what it says."""

    correlation_id: str
    chain: Chain
    look: Look
    found: tuple[Found, ...]
    rows: tuple[ChainRow, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that come, those of them that were not there before, and rows that go."""

    come: tuple[ChainRow, ...]
    new: tuple[ChainRow, ...]
    replaced: tuple[Counted, ...]
    """What rows that go, or are written anew, had added."""
    dropped: tuple[Key, ...]
    whole: frozenset[str]
    """Chains of which nothing is gone that an earlier digest saw."""

    def signatures(self) -> set[str]:
        return {row.root_signature_id for row in self.come}

    def incidents_left(self) -> set[UUID]:
        return {row.incident_id for row in self.replaced}


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What the round will change, and the incidents that it holds for that."""

    plan: Plan
    before: Before
    homes: Mapping[str, UUID]
    """Root signature -> incident."""
    standings: Mapping[UUID, Standing]
    opened: frozenset[UUID]


def plan_round(digested: Sequence[Digested], before: Before) -> Plan:
    come: list[ChainRow] = []
    new: list[ChainRow] = []
    replaced: list[Counted] = []
    dropped: list[Key] = []
    for one in digested:
        known = before.get(one.correlation_id, {})
        rows = _rows_now(one, known)
        come += rows
        new += [row for row in rows if row.root_signature_id not in known]
        told = {row.root_signature_id for row in rows}
        gone = set(known) - told if _is_whole(one, known) else set()
        dropped += [(one.correlation_id, name) for name in sorted(gone)]
        replaced += [_counted(row) for name, row in known.items() if name in gone | told]
    return Plan(
        come=tuple(come),
        new=tuple(new),
        replaced=tuple(replaced),
        dropped=tuple(dropped),
        whole=frozenset(
            one.correlation_id
            for one in digested
            if _is_whole(one, before.get(one.correlation_id, {}))
        ),
    )


def _rows_now(one: Digested, known: Mapping[str, Any]) -> list[ChainRow]:
    if _is_whole(one, known):
        return list(one.rows)
    # What is left of a chain must not change what the whole of it told. A later run tells
    # something new, and so do all its records when none is left of those before: they add to it.
    rows = ((row, known.get(row.root_signature_id)) for row in _later_rows(one, known))
    return [continued(row, old) if old else row for row, old in rows]


def _later_rows(one: Digested, known: Mapping[str, Any]) -> Sequence[ChainRow]:
    last = max(row.last_at for row in known.values())
    if _first(one) > last:
        return one.rows
    later = [link for link in one.chain.links if link.occurred_at > last]
    if not later or min(link.occurred_at for link in later) - last <= PAUSE:
        return ()
    found = [each for each in one.found if each.link.occurred_at > last]
    return rows_of(one.correlation_id, correlate(later, capped=one.chain.capped), found)


def _is_whole(one: Digested, known: Mapping[str, Any]) -> bool:
    """Whether nothing is gone that an earlier digest saw."""
    return not known or _first(one) <= min(row.first_at for row in known.values())


def _first(one: Digested) -> Any:
    return min(link.occurred_at for link in one.chain.links)


def _counted(row: Any) -> Counted:
    return Counted(
        incident_id=row.incident_id,
        root_at=row.root_at,
        root_service=row.root_service,
        services=tuple(row.services),
        environments=tuple(row.environments),
        releases=tuple(row.releases),
        records=row.records,
        incomplete=row.incomplete,
        errors_by_service=row.errors_by_service,
        findings=tuple(row.findings),
    )
