"""What failed lately, by name: over time, and the incidents that it hurt through."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.model import Tier
from app.incidents.failing_counts import GRAINS
from app.incidents.tables import IncidentStatus
from app.query.buckets import ORIGIN
from app.query.rows import view

FINEST, HOUR = GRAINS
"""Seconds by which failing chains are counted."""

# As many rows as kinds of failing have times: however many chains fail, none of them is read.
_TREND = text("""
    SELECT date_bin(:width, start, :origin) AS start,
        coalesce(sum(chains) FILTER (WHERE explained), 0)::bigint AS known,
        coalesce(sum(chains) FILTER (WHERE NOT explained), 0)::bigint AS unknown
    FROM (
        SELECT start, chains, by_rule @> roots OR CASE
            WHEN cardinality(roots) = 1 THEN first.known_issue_id IS NOT NULL
            ELSE NOT EXISTS (
                SELECT FROM unnest(roots) AS root
                WHERE root <> ALL (by_rule) AND NOT EXISTS (
                    SELECT FROM matches
                    WHERE signature_id = root AND known_issue_id IS NOT NULL
                )
            ) END AS explained
        FROM failing_counts
        LEFT JOIN matches AS first ON first.signature_id = roots[1]
        WHERE seconds = :seconds AND start >= :since AND start < :until
    ) AS failed
    GROUP BY 1
""")
_HURTING = text("""
    SELECT incident_id, status, services[1:4] AS services, cardinality(services) AS services_total,
        incidents.last_seen, opened_at, regressions, lately.chains, signature.title,
        explained.known_issue_id,
        issue.title AS known_issue_title,
        coalesce(
            match.tier::text, CASE WHEN explained.known_issue_id IS NOT NULL THEN 'probable' END
        ) AS tier
    FROM (
        SELECT incident_id, failed.chains
        FROM (
            SELECT incident_id, sum(chains)::bigint AS chains
            FROM (
                SELECT roots, sum(chains) AS chains FROM failing_counts
                WHERE seconds = :seconds AND start >= :since GROUP BY roots
            ) AS kinds
            CROSS JOIN LATERAL unnest(roots) AS root_signature_id
            JOIN incident_roots USING (root_signature_id)
            GROUP BY incident_id
        ) AS failed
        JOIN incidents USING (incident_id)
        WHERE status IN ('open', 'acknowledged')
        ORDER BY failed.chains DESC, incident_id LIMIT :limit
    ) AS lately
    JOIN incidents USING (incident_id)
    JOIN signatures AS signature ON signature.signature_id = root_signature_id
    LEFT JOIN matches AS match ON match.signature_id = root_signature_id
    LEFT JOIN LATERAL (
        SELECT coalesce(match.known_issue_id, (
            SELECT known_issue_id FROM incident_findings AS finding
            WHERE finding.incident_id = incidents.incident_id
            ORDER BY chains DESC, known_issue_id LIMIT 1
        )) AS known_issue_id
    ) AS explained ON true
    LEFT JOIN LATERAL (
        SELECT title FROM known_issues
        WHERE known_issues.known_issue_id = explained.known_issue_id
        ORDER BY version DESC LIMIT 1
    ) AS issue ON true
    ORDER BY lately.chains DESC, incident_id
""")
_HOURS = text("""
    SELECT incident_id, date_bin(:width, hour, :origin) AS start, sum(errors)::bigint AS errors
    FROM incident_hours
    WHERE incident_id = ANY(:incidents) AND hour >= :since
    GROUP BY 1, 2
""")


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """Failing chains of a bucket of time, by whether the catalogue explains them."""

    start: datetime
    known: int = 0
    unknown: int = 0


class Hurting(msgspec.Struct, frozen=True, kw_only=True):
    """An incident that nobody has ended, and what it cost lately."""

    incident_id: UUID
    status: IncidentStatus
    title: str
    known_issue_id: str | None
    known_issue_title: str | None
    tier: Tier | None
    services: tuple[str, ...]
    """The first four."""
    services_total: int
    chains: int
    """Failing ones of the window."""
    regressions: int
    opened_at: datetime
    last_seen: datetime


async def trend(session: AsyncSession, starts: Sequence[datetime], width: timedelta) -> list[Trend]:
    """Of every bucket, the oldest first; a chain counts where its first root stands.

    The width is whole hours, or whole five minutes that make up an hour.
    """
    parameters = {
        "since": starts[0],
        "until": starts[-1] + width,
        "width": width,
        "origin": ORIGIN,
        "seconds": HOUR if width >= timedelta(seconds=HOUR) else FINEST,
    }
    rows = await session.execute(_TREND, parameters)
    found = {row["start"]: view(row, Trend) for row in rows.mappings()}
    return [found.get(start, Trend(start=start)) for start in starts]


async def hurting(session: AsyncSession, *, since: datetime, limit: int) -> list[Hurting]:
    """Open and acknowledged incidents by their failing chains since this whole hour."""
    parameters = {"since": since, "seconds": HOUR, "limit": limit}
    rows = await session.execute(_HURTING, parameters)
    return [view(row, Hurting) for row in rows.mappings()]


async def errors_by_time(
    session: AsyncSession,
    incidents: Sequence[UUID],
    starts: Sequence[datetime],
    width: timedelta,
) -> dict[UUID, list[int]]:
    """Errors of each incident in every bucket; its width is whole hours."""
    parameters: dict[str, Any] = {
        "incidents": list(incidents),
        "since": starts[0],
        "width": width,
        "origin": ORIGIN,
    }
    places = {start: place for place, start in enumerate(starts)}
    found = {incident: [0] * len(starts) for incident in incidents}
    for row in await session.execute(_HOURS, parameters):
        if (place := places.get(row.start)) is not None:
            found[row.incident_id][place] = row.errors
    return found
