"""Every statement that reads services and their gaps, by name: rows in, views out."""

from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.query.list_views import SenderGaps, ServiceView
from app.query.rows import view

MOST_PARTS: Final = 20

_PARTS: Final = """
    ARRAY(
        SELECT jsonb_build_object('name', {0}, 'records', sum(records), 'errors', sum(errors),
            'last_seen', max(last_at))
        FROM service_hours AS part
        WHERE part.service = seen.service AND hour >= :since AND {0} <> ''
        GROUP BY {0} ORDER BY max(last_at) DESC, {0} LIMIT :parts
    )
"""
# What a sender's numbering lacks between its first and its newest number.
_MISSING: Final = "int8multirange(range_merge(received)) - received"
# Sums of hours: as many rows as services have hours and instances, however many records there are.
_SERVICES = text(f"""
    WITH seen AS (
        SELECT service, sum(records)::bigint AS records, sum(errors)::bigint AS errors,
            max(last_at) AS last_seen, count(DISTINCT nullif(instance, '')) AS instance_count,
            coalesce(array_agg(DISTINCT environment) FILTER (WHERE environment <> ''), '{{}}')
                AS environments
        FROM service_hours
        WHERE hour >= :since AND service > :after
            AND (CAST(:environment AS text) IS NULL OR environment = :environment)
        GROUP BY service ORDER BY service LIMIT :limit
    )
    SELECT seen.*, errors::float / greatest(records, 1) AS error_share,
        records / greatest(:minutes, 1.0) AS records_per_minute,
        {_PARTS.format("release")} AS releases, {_PARTS.format("instance")} AS instances,
        coalesce(gaps.missing_records, 0) AS missing_records,
        coalesce(gaps.senders_with_gaps, 0) AS senders_with_gaps
    FROM seen
    LEFT JOIN LATERAL (
        SELECT sum(upper(hole) - lower(hole))::bigint AS missing_records,
            count(DISTINCT instance) AS senders_with_gaps
        FROM sender_sequences AS sender CROSS JOIN LATERAL unnest({_MISSING}) AS hole
        WHERE sender.service = seen.service
    ) AS gaps ON true
    ORDER BY service
""")  # noqa: S608 - constants of this file
# The newest release is found from the last hour on; of instances there are many: none is told.
_SUMS = text(f"""
    SELECT seen.*, errors::float / greatest(records, 1) AS error_share,
        coalesce(newest.release, '') AS release,
        coalesce(gaps.missing_records, 0) AS missing_records
    FROM (
        SELECT service, sum(records)::bigint AS records, sum(errors)::bigint AS errors,
            max(last_at) AS last_seen
        FROM service_hours WHERE hour >= :since
        GROUP BY service ORDER BY service LIMIT :limit
    ) AS seen
    LEFT JOIN LATERAL (
        SELECT release FROM service_hours AS part
        WHERE part.service = seen.service AND hour >= :since AND release <> ''
        ORDER BY hour DESC, last_at DESC, release LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT sum(upper(hole) - lower(hole))::bigint AS missing_records
        FROM sender_sequences AS sender CROSS JOIN LATERAL unnest({_MISSING}) AS hole
        WHERE sender.service = seen.service
    ) AS gaps ON true
    ORDER BY service
""")  # noqa: S608 - the same
_NAMES: Final = {
    name: text(f"""
        SELECT {name} AS name, (array_agg(service ORDER BY last_at DESC))[1] AS service,
            sum(records)::bigint AS records
        FROM service_hours WHERE hour >= :since AND {name} <> ''
        GROUP BY {name} ORDER BY max(last_at) DESC, {name} LIMIT :limit
    """)  # noqa: S608 - names of this file
    for name in ("service", "environment", "release", "instance")
}
_COUNTED = text("SELECT taken_at FROM counted_until WHERE name = 'services'")
_GAPS = text(f"""
    SELECT service, instance, missing_since, newest_at,
        (SELECT sum(upper(hole) - lower(hole))::bigint FROM unnest(missing) AS hole)
            AS missing_records,
        (SELECT count(*) FROM unnest(missing)) AS range_count,
        ARRAY(
            SELECT ARRAY[lower(hole), upper(hole) - 1] FROM unnest(missing) AS hole
            ORDER BY hole DESC LIMIT 20
        ) AS ranges
    FROM (SELECT *, {_MISSING} AS missing FROM sender_sequences) AS sender
    WHERE missing <> '{{}}' AND (service, instance) > (:after_service, :after_instance)
        AND (CAST(:service AS text) IS NULL OR service = :service)
    ORDER BY service, instance
    LIMIT :limit
""")  # noqa: S608 - the same


async def list_services(
    session: AsyncSession,
    *,
    environment: str | None,
    since: datetime,
    now: datetime,
    after: str,
    limit: int,
) -> list[ServiceView]:
    """Services heard of since this whole hour, by name."""
    parameters = {
        "environment": environment,
        "since": since,
        "minutes": (now - since).total_seconds() / 60,
        "after": after,
        "limit": limit,
        "parts": MOST_PARTS,
    }
    rows = await session.execute(_SERVICES, parameters)
    return [view(row, ServiceView) for row in rows.mappings()]


class ServiceSum(msgspec.Struct, frozen=True, kw_only=True):
    """A service over the window, without its parts."""

    service: str
    records: int
    errors: int
    error_share: float
    last_seen: datetime
    release: str
    """The newest; empty when it names none."""
    missing_records: int


async def sum_services(session: AsyncSession, *, since: datetime, limit: int) -> list[ServiceSum]:
    """Services heard of since this whole hour, by name."""
    rows = await session.execute(_SUMS, {"since": since, "limit": limit})
    return [view(row, ServiceSum) for row in rows.mappings()]


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A value that records bore."""

    name: str
    service: str
    """The newest to bear it."""
    records: int


async def list_names(
    session: AsyncSession, kind: str, *, since: datetime, limit: int
) -> list[Named]:
    """Services, environments, releases or instances heard of since this whole hour, newest first.

    `kind` is `service`, `environment`, `release` or `instance`.
    """
    rows = await session.execute(_NAMES[kind], {"since": since, "limit": limit})
    return [view(row, Named) for row in rows.mappings()]


async def counted_until(session: AsyncSession) -> datetime | None:
    """Up to when records are counted."""
    return (await session.execute(_COUNTED)).scalar_one_or_none()


async def list_gaps(
    session: AsyncSession, *, service: str | None, after: tuple[str, ...], limit: int
) -> list[SenderGaps]:
    """Senders of whose numbers some never came."""
    after_service, after_instance = after
    parameters = {
        "service": service,
        "after_service": after_service,
        "after_instance": after_instance,
        "limit": limit,
    }
    rows = await session.execute(_GAPS, parameters)
    return [view(row, SenderGaps) for row in rows.mappings()]
