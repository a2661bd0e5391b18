"""What chains and time do to incidents: opening, regression, end of a silence; what is kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents import queries
from app.incidents.change_queries import (
    lock_expired_silences,
    save_change,
    save_event,
    standing_of,
)
from app.incidents.contribution import ChainRow
from app.incidents.evidence_queries import evidence_kept, keep_evidence
from app.incidents.lifecycle import NewChain, Standing, Transition, after_chains, after_time
from app.incidents.plan import Claim
from app.incidents.tables import NAMES_SHOWN, EventKind, IncidentStatus

SILENCES_AT_ONCE: Final = 500
SAMPLES: Final = 3
"""Chains that are kept of an incident at once; later ones once an hour."""


async def follow_life(session: AsyncSession, claim: Claim, *, now: datetime) -> tuple[UUID, ...]:
    """Write what becomes of incidents, with its events; those that came back."""
    new: dict[UUID, list[ChainRow]] = {}
    for row in claim.plan.new:
        new.setdefault(claim.homes[row.root_signature_id], []).append(row)
    events: list[tuple[UUID, EventKind, dict[str, Any]]] = [
        (home, EventKind.OPENED, {}) for home in sorted(claim.opened & new.keys())
    ]
    for home, rows in sorted(new.items()):
        if found := await _transition(session, claim.standings[home], home, rows, now=now):
            await save_change(session, home, found.changes)
            events.append((home, found.kind, found.details))
    if events:
        titles = await queries.titles_of(session, {r.root_signature_id for r in claim.plan.new})
        for home, kind, details in events:
            told = _told(new[home], titles)
            await save_event(session, kind, home, details={**told, **details})
    loud = {home for home, _, _ in events}
    await _keep_samples(session, claim, new, loud)
    return tuple(home for home, kind, _ in events if kind is EventKind.REGRESSED)


async def end_silences(session: AsyncSession, *, now: datetime) -> int:
    """Unmute what was muted until a moment that is past; how many."""
    rows = await lock_expired_silences(session, now=now, limit=SILENCES_AT_ONCE)
    for home, row in rows.items():
        if found := after_time(standing_of(row), now=now):
            await save_change(session, home, found.changes)
            await save_event(session, found.kind, home, details=found.details)
    return len(rows)


async def _transition(
    session: AsyncSession,
    standing: Standing,
    home: UUID,
    rows: Sequence[ChainRow],
    *,
    now: datetime,
) -> Transition | None:
    if standing.status not in (IncidentStatus.RESOLVED, IncidentStatus.MUTED):
        return None
    hourly = 0
    if standing.muted_above_hourly is not None:
        hourly = await queries.chains_this_hour(session, home)
    # Of the service that failed: a caller may be newer than the fix of its callee.
    chains = [
        NewChain(
            root_at=row.root_at, releases=(row.root_release,) if row.root_release else row.releases
        )
        for row in rows
    ]
    total = standing.chains + len(rows)
    return after_chains(standing, chains, chains=total, hourly=hourly, now=now)


def _told(rows: Sequence[ChainRow], titles: Mapping[str, Any]) -> dict[str, Any]:
    """What an event says of the chains that caused it."""
    first = rows[0]
    signature = titles[first.root_signature_id]
    known = signature.known_issue_id or next((n for row in rows for n in row.findings), None)
    return {
        "title": signature.title,
        "root_signature_id": first.root_signature_id,
        "root_service": first.root_service,
        "correlation_id": first.correlation_id,
        "known": known is not None,
        "known_issue_id": known,
        **_names("services", {name for row in rows for name in row.services}),
        **_names("environments", {name for row in rows for name in row.environments}),
        **_names("releases", {name for row in rows for name in row.releases}),
    }


def _names(what: str, found: Collection[str]) -> dict[str, Any]:
    """The first of them, and how many there are."""
    return {what: sorted(found)[:NAMES_SHOWN], f"{what}_total": len(found)}


async def _keep_samples(
    session: AsyncSession, claim: Claim, new: Mapping[UUID, Sequence[ChainRow]], loud: set[UUID]
) -> None:
    """Copy the first three chains of an incident, then one an hour, and when it comes back."""
    come: dict[UUID, list[ChainRow]] = {}
    for row in claim.plan.come:
        come.setdefault(claim.homes[row.root_signature_id], []).append(row)
    if not come:
        return
    kept = await evidence_kept(session, come.keys())
    pairs = []
    for home, rows in come.items():
        own = kept.get(home)
        names = set(own.chains) if own else set()
        room = SAMPLES - len(names)
        if room <= 0 and own and (home in loud or not own.is_recent):
            room = 1
        fresh = [row.correlation_id for row in new.get(home, ()) if row.correlation_id not in names]
        # What is left of a chain must not take the place of what was kept of the whole.
        again = [
            row.correlation_id for row in rows if row.correlation_id in names & claim.plan.whole
        ]
        pairs += [(home, name) for name in (*again, *fresh[: max(room, 0)])]
    await keep_evidence(session, pairs)
