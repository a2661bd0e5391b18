"""Records counted by service, each once: in the background, from what came since the last count."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database, DatabaseUnavailable
from app.settings import Settings
from app.store.arrivals import CAME_SINCE, PLAN, Moment, look_back, read_moment, since

log = structlog.get_logger(__name__)

COUNT_SECONDS: Final = 5.0
CLEAN_SECONDS: Final = 600.0
KEPT_DAYS: Final = 32
"""How long hours are kept, however long records are."""
LATE_KEPT: Final = timedelta(hours=1)

_PLAN: Final = text(PLAN)
_TRY_LOCK: Final = text("SELECT pg_try_advisory_xact_lock(hashtext('prodsentinel.counting'))")
_READ: Final = text("SELECT snapshot, taken_at FROM counted_until WHERE name = 'services'")
_BEGIN: Final = text("""
    INSERT INTO counted_until (name, snapshot, taken_at)
    VALUES ('services', pg_current_snapshot()::text, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET snapshot = excluded.snapshot, taken_at = excluded.taken_at
""")
# One statement, so one snapshot: what it counts is what it says it counted.
_COUNT: Final = text(f"""
    WITH came AS MATERIALIZED (
        SELECT service, date_trunc('hour', received_at, 'UTC') AS hour,
            coalesce(environment, '') AS environment, coalesce(release, '') AS release,
            coalesce(instance, '') AS instance, signature_id,
            count(*) AS records, count(*) FILTER (WHERE level >= 'ERROR') AS errors,
            min(occurred_at) AS first_at, max(occurred_at) AS last_at,
            max(received_at) AS last_received_at
        FROM log_records WHERE {CAME_SINCE}
        GROUP BY 1, 2, 3, 4, 5, 6
    ), by_hour AS (
        INSERT INTO service_hours AS counted
            (service, hour, environment, release, instance, records, errors, last_at)
        SELECT service, hour, environment, release, instance, sum(records), sum(errors),
            max(last_received_at)
        FROM came GROUP BY 1, 2, 3, 4, 5
        ON CONFLICT (service, hour, environment, release, instance) DO UPDATE SET
            records = counted.records + excluded.records,
            errors = counted.errors + excluded.errors,
            last_at = greatest(counted.last_at, excluded.last_at)
    ), by_signature AS (
        INSERT INTO signature_services AS counted
            (signature_id, service, records, first_at, last_at)
        SELECT signature_id, service, sum(records), min(first_at), max(last_at)
        FROM came WHERE signature_id IS NOT NULL GROUP BY 1, 2
        ON CONFLICT (signature_id, service) DO UPDATE SET
            records = counted.records + excluded.records,
            first_at = least(counted.first_at, excluded.first_at),
            last_at = greatest(counted.last_at, excluded.last_at)
    ), until AS (
        UPDATE counted_until SET snapshot = pg_current_snapshot()::text,
            taken_at = clock_timestamp()
        WHERE name = 'services'
    )
    SELECT coalesce(sum(records), 0)::bigint FROM came
""")  # noqa: S608 - a constant
_CLEAN: Final = text("""
    WITH hours AS (
        DELETE FROM service_hours WHERE hour < now() - make_interval(days => :days)
    )
    DELETE FROM late_arrivals WHERE marked_at < now() - CAST(:kept AS interval)
""")
# What was written since the last VACUUM is not in a BRIN index, and is then read whole. Each page
# is summarised once. Nobody is waited for: an autovacuum would be cancelled by that.
_SUMMARISE: Final = text("""
    SELECT brin_summarize_new_values(index.oid)
    FROM pg_inherits
    JOIN pg_index ON indrelid = inhrelid
    JOIN pg_class AS index ON index.oid = indexrelid
    JOIN pg_am ON pg_am.oid = index.relam
    JOIN pg_class AS partition ON partition.oid = inhrelid
    WHERE inhparent = 'log_records'::regclass AND amname = 'brin'
    AND (partition.relname = 'log_records_default'
        OR partition.relname >= 'log_records_' || to_char(now() - interval '1 day', 'YYYYMMDD'))
""")
_BRIEFLY: Final = text("SET LOCAL lock_timeout = '50ms'")


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What one round counted; `elsewhere`: another replica is at it."""

    records: int = 0
    elsewhere: bool = False


class Counting:
    """The worker; of all replicas one counts at a time."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._look_back = look_back(settings)
        self._cleaned_at = 0.0

    async def run(self) -> None:
        """Count every five seconds, until cancelled."""
        while True:
            try:
                await self._round()
            except DatabaseUnavailable:
                log.warning("counting_waits")
            except Exception:
                log.exception("counting_failed")
            await asyncio.sleep(COUNT_SECONDS)

    async def _round(self) -> None:
        await self._summarise()
        try:
            counted = await self.count()
        except DBAPIError as error:
            # Too much for one statement: better begin anew than try the same for ever.
            log.warning("counting_begins_anew", reason=repr(error.orig))
            await self._begin_anew()
            return
        now = asyncio.get_running_loop().time()
        if not counted.elsewhere and now - self._cleaned_at > CLEAN_SECONDS:
            self._cleaned_at = now
            async with self._database.session() as session:
                await session.execute(_CLEAN, {"days": KEPT_DAYS, "kept": LATE_KEPT})

    async def count(self) -> Counted:
        """Count what came since the last time; the first time begins from now."""
        async with self._database.session() as session:
            if not (await session.execute(_TRY_LOCK)).scalar_one():
                return Counted(elsewhere=True)
            row = (await session.execute(_READ)).one_or_none()
            if row is None:
                await session.execute(_BEGIN)
                return Counted()
            moment = read_moment(row.snapshot, row.taken_at)
            return Counted(records=await self._count(session, moment))

    async def _count(self, session: AsyncSession, moment: Moment) -> int:
        await session.execute(_PLAN)
        counted = await session.execute(_COUNT, since(moment, self._look_back))
        return int(counted.scalar_one())

    async def _summarise(self) -> None:
        # A lock that somebody holds, a partition that is just being dropped: next time.
        with suppress(DBAPIError):
            async with self._database.session() as session:
                await session.execute(_BRIEFLY)
                await session.execute(_SUMMARISE)

    async def _begin_anew(self) -> None:
        async with self._database.session() as session:
            await session.execute(_BEGIN)
