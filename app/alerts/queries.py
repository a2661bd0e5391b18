"""Every statement of the alerts room that routes and delivers, by name.

Times are the database's: replicas whose clocks differ agree on leases and minutes.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import and_, func, insert, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.alerts.messages import Alert, Facts, IncidentFacts, KnownIssueNote, first_lines
from app.alerts.model import (
    OPENINGS,
    SUMMARY,
    Claimed,
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


async def database_time(session: AsyncSession) -> datetime:
    """When this transaction began."""
    return (await session.execute(select(func.now()))).scalar_one()


async def may_route(session: AsyncSession) -> bool:
    """Whether no other replica routes. One at a time: an incident's end, routed beside its
    beginning, would not see who was told of that."""
    return bool((await session.execute(_TRY_ROUTING_LOCK)).scalar_one())


async def take_unrouted(session: AsyncSession, *, limit: int) -> list[Event]:
    """Events of the outbox, oldest first, locked until this transaction ends."""
    query = (
        select(events)
        .where(events.c.routed_at.is_(None))
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


_HEARD = text("""
    SELECT incident_id, target,
        bool_or(kind = ANY(CAST(:openings AS text[])) AND state IN ('waiting', 'delivered'))
            AS is_told,
        bool_or(kind = 'opened') AS was_opened,
        (array_agg(CASE WHEN state = 'waiting' AND attempts = 0 THEN kind END
            ORDER BY created_at DESC))[1] AS last_waiting
    FROM alert_deliveries
    WHERE incident_id = ANY(CAST(:incidents AS uuid[]))
    GROUP BY incident_id, target
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


_WITH_WORK = text("""
    SELECT target.name
    FROM alert_targets AS target
    CROSS JOIN LATERAL (
        SELECT min(due_at) AS first FROM alert_deliveries AS one
        WHERE one.target = target.name AND one.state = 'waiting' AND one.due_at <= now()
    ) AS due
    WHERE target.enabled AND due.first IS NOT NULL
        AND target.name <> ALL(CAST(:besides AS text[]))
        AND target.per_minute > (
            SELECT count(*) FROM alert_deliveries AS one
            WHERE one.target = target.name AND one.claimed_at > now() - interval '1 minute'
        )
    ORDER BY due.first
    LIMIT :limit
""")


async def targets_with_work(
    session: AsyncSession, *, besides: Collection[str], limit: int
) -> list[str]:
    """Names of enabled targets with a message that is due and may go out in this minute."""
    rows = await session.execute(_WITH_WORK, {"besides": list(besides), "limit": limit})
    return list(rows.scalars())


async def lock_target(session: AsyncSession, name: str) -> Target | None:
    """The target, for this transaction's claim alone; None when another claims, or it is off."""
    query = (
        select(alert_targets)
        .where(alert_targets.c.name == name, alert_targets.c.enabled)
        .with_for_update(skip_locked=True, key_share=True)
    )
    row = (await session.execute(query)).mappings().one_or_none()
    return target_of(row) if row else None


def _due(name: str) -> Any:
    table = alert_deliveries.c
    return and_(table.target == name, table.state == "waiting", table.due_at <= func.now())


async def hold(
    session: AsyncSession, name: str, *, until: datetime, besides: Iterable[EventKind]
) -> int:
    """Have what is due wait for the end of the quiet hours; how many that were."""
    kinds = [kind.value for kind in besides]
    done = await session.execute(
        update(alert_deliveries)
        .where(_due(name), alert_deliveries.c.kind.not_in(kinds))
        .values(due_at=until)
        .returning(alert_deliveries.c.delivery_id)
    )
    return len(done.all())


async def count_due(session: AsyncSession, name: str) -> int:
    query = select(func.count()).where(_due(name))
    return int((await session.execute(query)).scalar_one())


async def sent_lately(session: AsyncSession, name: str) -> int:
    """Messages that were tried in the last minute."""
    table = alert_deliveries.c
    since = func.now() - timedelta(minutes=1)
    query = select(func.count()).where(table.target == name, table.claimed_at > since)
    return int((await session.execute(query)).scalar_one())


_COLLAPSE = text("""
    WITH others AS (
        SELECT delivery_id FROM alert_deliveries
        WHERE target = :target AND state = 'waiting' AND due_at <= now()
        ORDER BY created_at, delivery_id
        OFFSET :keep
        FOR UPDATE
    ), moved AS (
        UPDATE alert_deliveries AS delivery
        SET state = 'collapsed', collapsed_into = :summary, ended_at = now()
        FROM others WHERE delivery.delivery_id = others.delivery_id
        RETURNING delivery.kind, delivery.payload
    )
    SELECT kind, sum(counted)::bigint AS messages FROM (
        SELECT kind, 1 AS counted FROM moved WHERE kind <> 'summary'
        UNION ALL
        SELECT part.key, part.value::bigint
        FROM moved, jsonb_each_text(payload #> '{data,counts}') AS part
        WHERE kind = 'summary'
    ) AS parts
    GROUP BY kind
""")


async def collapse(session: AsyncSession, name: str, *, keep: int, into: UUID) -> dict[str, int]:
    """Take all but the oldest so many out of the queue; how many there were of each kind.

    A summary among them counts as what it stood for.
    """
    rows = await session.execute(_COLLAPSE, {"target": name, "keep": keep, "summary": into})
    return {row.kind: row.messages for row in rows}


async def add_summary(
    session: AsyncSession, name: str, summary: Alert, *, delivery_id: UUID
) -> None:
    await session.execute(
        insert(alert_deliveries).values(
            delivery_id=delivery_id,
            target=name,
            kind=SUMMARY,
            payload=msgspec.to_builtins(summary),
            due_at=func.now(),
        )
    )


async def claim_oldest(session: AsyncSession, name: str, *, lease: timedelta) -> Claimed | None:
    """The oldest message that is due: nobody else sends it before the lease ends."""
    table = alert_deliveries.c
    oldest = (
        select(table.delivery_id)
        .where(_due(name))
        .order_by(table.created_at, table.delivery_id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    claim = (
        update(alert_deliveries)
        .where(table.delivery_id.in_(oldest))
        .values(
            attempts=table.attempts + 1,
            claimed_at=func.clock_timestamp(),
            due_at=func.clock_timestamp() + lease,
        )
        .returning(table.delivery_id, table.payload, table.attempts, table.claimed_at)
    )
    row = (await session.execute(claim)).one_or_none()
    return Claimed(**row._mapping) if row else None  # noqa: SLF001 - its documented name


async def record(session: AsyncSession, claimed: Claimed, **values: Any) -> bool:
    """What came of an attempt; False when the lease ended and somebody else holds it now."""
    table = alert_deliveries.c
    mine = tuple_(table.delivery_id, table.claimed_at) == (claimed.delivery_id, claimed.claimed_at)
    done = await session.execute(
        update(alert_deliveries)
        .where(mine, table.state == "waiting")
        .values(values)
        .returning(table.delivery_id)
    )
    return done.one_or_none() is not None


async def disable(session: AsyncSession, name: str, *, reason: str) -> None:
    await session.execute(
        update(alert_targets)
        .where(alert_targets.c.name == name)
        .values(
            enabled=False,
            disabled_reason=reason,
            version=alert_targets.c.version + 1,
            changed_at=func.clock_timestamp(),
        )
    )


def new_delivery_id() -> UUID:
    return uuid4()
