"""What nobody reports by itself: known issues above their thresholds, losses of the canary."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.tables import EventKind, events

QUIET_AFTER_LOSS: Final = timedelta(minutes=10)
DAYS_KEPT: Final = 30

# By chains, each once: a chain may fail in several services and by several roots.
_CHECK_THRESHOLDS = text("""
    WITH homes AS (
        SELECT threshold.known_issue_id, root.incident_id, root.root_signature_id
        FROM alert_thresholds AS threshold
        JOIN matches ON matches.known_issue_id = threshold.known_issue_id
        JOIN incident_roots AS root ON root.root_signature_id = matches.signature_id
        UNION ALL
        SELECT threshold.known_issue_id, finding.incident_id, NULL
        FROM alert_thresholds AS threshold
        JOIN incident_findings AS finding ON finding.known_issue_id = threshold.known_issue_id
    ), counted AS (
        SELECT homes.known_issue_id, count(DISTINCT chain.correlation_id) AS chains
        FROM homes
        JOIN incident_chains AS chain ON chain.incident_id = homes.incident_id
            AND chain.root_at > now() - interval '1 hour'
            AND (chain.root_signature_id = homes.root_signature_id
                OR homes.known_issue_id = ANY(chain.findings))
        GROUP BY homes.known_issue_id
    ), changed AS (
        UPDATE alert_thresholds AS threshold
        SET breached_at = CASE WHEN threshold.breached_at IS NULL THEN now() END
        FROM alert_thresholds AS same
        LEFT JOIN counted ON counted.known_issue_id = same.known_issue_id
        WHERE threshold.known_issue_id = same.known_issue_id
            AND (threshold.breached_at IS NULL)
                = (coalesce(counted.chains, 0) >= threshold.chains_per_hour)
        RETURNING threshold.known_issue_id, threshold.breached_at, threshold.chains_per_hour,
            counted.chains
    )
    INSERT INTO events (kind, details)
    SELECT 'issue_rate', jsonb_build_object(
        'known', true, 'known_issue_id', known_issue_id, 'chains', chains,
        'threshold', chains_per_hour
    )
    FROM changed WHERE breached_at IS NOT NULL
    RETURNING event_id
""")

# Upwards from a message: an incident that was merged is resolved, and may be part of an open one.
PRUNE = text("""
    DELETE FROM alert_deliveries AS delivery
    WHERE state <> 'waiting' AND ended_at < now() - make_interval(days => :days)
        AND NOT EXISTS (
            WITH RECURSIVE wholes AS (
                SELECT incident_id, status, merged_into FROM incidents
                WHERE incidents.incident_id = delivery.incident_id
                UNION
                SELECT incidents.incident_id, incidents.status, incidents.merged_into
                FROM incidents JOIN wholes ON incidents.incident_id = wholes.merged_into
            )
            SELECT FROM wholes WHERE status <> 'resolved'
        )
""")

_STANDING = text("""
    SELECT
        (SELECT count(*) FROM alert_deliveries WHERE state = 'dead') AS dead,
        coalesce(extract(epoch FROM clock_timestamp() - least(
            (SELECT min(happened_at) FROM events WHERE routed_at IS NULL),
            (SELECT min(delivery.created_at) FROM alert_deliveries AS delivery
             JOIN alert_targets ON name = target AND enabled WHERE state = 'waiting')
        )), 0)::float8 AS oldest
""")


async def check_thresholds(session: AsyncSession) -> int:
    """Tell each known issue that shows more often than allowed, once until it falls below."""
    return len((await session.execute(_CHECK_THRESHOLDS)).all())


async def note_canary_loss(session: AsyncSession, details: Mapping[str, Any]) -> bool:
    """Tell that the canary lost records, unless that was told in the last ten minutes."""
    lately = select(events.c.event_id).where(
        events.c.incident_id.is_(None),
        events.c.kind == EventKind.CANARY_LOSS,
        events.c.happened_at > func.clock_timestamp() - QUIET_AFTER_LOSS,
    )
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('prodsentinel.canary'))"))
    if (await session.execute(lately.limit(1))).first():
        return False
    await session.execute(insert(events).values(kind=EventKind.CANARY_LOSS, details=dict(details)))
    return True


async def prune(session: AsyncSession) -> None:
    """Forget messages that ended a month ago, but not while their incident is open: whoever was
    told of it is told of its end."""
    await session.execute(PRUNE, {"days": DAYS_KEPT})


class Standing(Struct, frozen=True, kw_only=True):
    """How the outbox stands."""

    dead: int
    oldest_seconds: float
    """Age of the oldest event that is not routed, or message that waits for an enabled target."""


async def read_standing(session: AsyncSession) -> Standing:
    row = (await session.execute(_STANDING)).one()
    return Standing(dead=row.dead, oldest_seconds=max(0.0, row.oldest))
