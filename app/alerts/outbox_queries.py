"""Every statement on the outbox of messages, by name.

Times are the database's: replicas whose clocks differ agree on leases and minutes.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import and_, func, insert, select, text, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.alerts.messages import Alert
from app.alerts.model import SUMMARY, Claimed, Target
from app.alerts.queries import target_of
from app.alerts.tables import alert_deliveries, alert_targets
from app.incidents.tables import EventKind

MOST_AT_ONCE: Final = 20_000
"""Of a storm; one statement must end in time."""


async def database_time(session: AsyncSession) -> datetime:
    """When this transaction began."""
    return (await session.execute(select(func.now()))).scalar_one()


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
        OFFSET :keep LIMIT :most
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


async def collapse(
    session: AsyncSession, name: str, *, keep: int, into: UUID, most: int = MOST_AT_ONCE
) -> dict[str, int]:
    """Take all but the oldest so many out of the queue; how many there were of each kind.

    A summary among them counts as what it stood for. What is over `most` is left for the next
    time.
    """
    values = {"target": name, "keep": keep, "summary": into, "most": most}
    rows = await session.execute(_COLLAPSE, values)
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
