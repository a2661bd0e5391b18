"""Every statement that routes events to targets, by name."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.alerts.messages import Facts, IncidentFacts, KnownIssueNote, first_lines
from app.alerts.model import (
    OPENINGS,
    Details,
    Event,
    Hidden,
    QuietHours,
    Target,
)
from app.alerts.routing import Heard, Told
from app.alerts.tables import alert_deliveries, alert_targets
from app.catalogue.tables import known_issues, matches
from app.incidents.tables import EventKind, events, incidents
from app.store.tables import signatures

_TRY_ROUTING_LOCK = text("SELECT pg_try_advisory_xact_lock(hashtext('prodsentinel.alerts'))")


async def may_route(session: AsyncSession) -> bool:
    """Whether no other replica routes. One at a time: an incident's end, routed beside its
    beginning, would not see who was told of that."""
    return bool((await session.execute(_TRY_ROUTING_LOCK)).scalar_one())


async def take_unrouted(
    session: AsyncSession, *, limit: int, settled_seconds: float = 0.0
) -> list[Event]:
    """Events of the outbox that are so old, oldest first, locked until this transaction ends."""
    settled = func.now() - func.make_interval(0, 0, 0, 0, 0, 0, settled_seconds)
    query = (
        select(events)
        .where(events.c.routed_at.is_(None), events.c.happened_at <= settled)
        .order_by(events.c.happened_at, events.c.event_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_event(row) for row in (await session.execute(query)).mappings()]


def _event(row: Any) -> Event:
    try:
        details = msgspec.convert(row["details"], Details, strict=False)
    except msgspec.ValidationError:
        # One that nobody can read must not stop those behind it: it is told by its kind.
        details = Details()
    return Event(
        event_id=row["event_id"],
        kind=row["kind"],
        happened_at=row["happened_at"],
        incident_id=row["incident_id"],
        done_by=row["done_by"],
        details=details,
    )


async def mark_routed(session: AsyncSession, names: Iterable[UUID]) -> None:
    await session.execute(
        update(events).where(events.c.event_id.in_(list(names))).values(routed_at=func.now())
    )


async def all_targets(session: AsyncSession) -> tuple[Target, ...]:
    query = select(alert_targets).order_by(alert_targets.c.name)
    return tuple(target_of(row) for row in (await session.execute(query)).mappings())


def target_of(row: Any) -> Target:
    """A row of `alert_targets`; from here on its secrets are hidden."""
    hidden = {"url": Hidden(row["url"]), "secret": Hidden(row["secret"])}
    quiet = row["quiet"] and msgspec.convert(row["quiet"], QuietHours)
    kinds = {name: tuple(EventKind(kind) for kind in row[name]) for name in ("kinds", "urgent")}
    lists = {name: tuple(row[name]) for name in ("environments", "services")}
    return Target(**{**row, **hidden, **kinds, **lists, "quiet": quiet})


async def heard(session: AsyncSession, names: Collection[UUID]) -> Heard:
    """What the targets were told of these incidents."""
    if not names:
        return {}
    rows = await session.execute(
        _HEARD, {"incidents": list(names), "openings": [kind.value for kind in OPENINGS]}
    )
    return {
        (row.incident_id, row.target): Told(
            is_told=row.is_told, was_opened=row.was_opened, last_waiting=row.last_waiting
        )
        for row in rows
    }


# Of what was merged into an incident only that it was told counts: it opens by itself.
_HEARD = text("""
    WITH RECURSIVE parts AS (
        SELECT whole, whole AS incident_id FROM unnest(CAST(:incidents AS uuid[])) AS whole
        UNION
        SELECT parts.whole, incidents.incident_id
        FROM incidents JOIN parts ON incidents.merged_into = parts.incident_id
    )
    SELECT whole AS incident_id, target,
        bool_or(kind = ANY(CAST(:openings AS text[])) AND state IN ('waiting', 'delivered'))
            AS is_told,
        bool_or(kind = 'opened' AND incident_id = whole) AS was_opened,
        (array_agg(CASE WHEN state = 'waiting' AND attempts = 0 THEN kind END
            ORDER BY created_at DESC) FILTER (WHERE incident_id = whole))[1] AS last_waiting
    FROM parts JOIN alert_deliveries USING (incident_id)
    GROUP BY whole, target
""")


async def add_deliveries(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """An event is never told twice to one target, nor an incident opened twice: by the keys."""
    if rows:
        await session.execute(pg_insert(alert_deliveries).on_conflict_do_nothing(), list(rows))


async def facts_of(session: AsyncSession, found: Sequence[Event]) -> Facts:
    """What is stored of the incidents and known issues that these events speak of."""
    stored = await _incident_facts(session, {e.incident_id for e in found if e.incident_id})
    names = {event.details.known_issue_id for event in found}
    names |= {facts.known_issue_id for facts in stored.values()}
    issues = await _issue_notes(session, {name for name in names if name})
    return Facts(incidents=stored, issues=issues)


async def _incident_facts(
    session: AsyncSession, names: Collection[UUID]
) -> dict[UUID, IncidentFacts]:
    query = (
        select(incidents, signatures.c.title, matches.c.known_issue_id)
        .outerjoin(signatures, signatures.c.signature_id == incidents.c.root_signature_id)
        .outerjoin(matches, matches.c.signature_id == incidents.c.root_signature_id)
        .where(incidents.c.incident_id.in_(list(names)))
    )
    return {
        row.incident_id: IncidentFacts(
            title=row.title or "",
            root_services=tuple(row.root_services),
            services=tuple(row.services),
            environments=tuple(row.environments),
            releases=tuple(row.releases),
            known_issue_id=row.known_issue_id,
        )
        for row in await session.execute(query)
    }


async def _issue_notes(session: AsyncSession, names: Collection[str]) -> dict[str, KnownIssueNote]:
    table = known_issues.c
    query = (
        select(table.known_issue_id, table.title, table.fix, table.document, table.first_line)
        .ext(distinct_on(table.known_issue_id))
        .where(table.known_issue_id.in_(list(names)))
        .order_by(table.known_issue_id, table.version.desc())
    )
    return {
        row.known_issue_id: KnownIssueNote(
            known_issue_id=row.known_issue_id,
            title=row.title,
            fix=first_lines(row.fix),
            document=row.document,
            line=row.first_line,
        )
        for row in await session.execute(query)
    }
