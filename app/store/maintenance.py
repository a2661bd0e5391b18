"""A round of upkeep of the stored records; at any time one process does it.

Partitions ahead, days that are kept no longer, text indexes of closed days. Each step stands in
the database when it is done: a process killed in the middle leaves nothing the next round does
not find and finish.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import structlog

from app import metrics
from app.database import DatabaseUnavailable, asyncpg_dsn, is_unavailable
from app.errors import AppError
from app.settings import Settings
from app.store import queries, retention
from app.store.partitions import (
    PATIENT,
    Partition,
    Patience,
    days_to_hold,
    make_days,
    partition_name,
    start_of,
)
from app.store.retention import Expired
from app.store.text_index import build_index, closed, index_name, lacks_index

log = structlog.get_logger(__name__)

FIRST_AFTER_SECONDS: Final = 30.0
ROUND_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 30.0
MOST_COUNTED: Final = 100_000
CROWDED_RECORDS: Final = 1_000
"""So many rows of one past day in the default partition are worth a partition of their own."""
YEAR: Final = timedelta(days=366)

_SERVER_SETTINGS: Final = {
    "application_name": "prodsentinel maintenance",
    "timezone": "UTC",
    # Building an index of a large day takes minutes, and in between waits for older transactions:
    # for one left open it must not wait for ever.
    "statement_timeout": "2h",
    "lock_timeout": "10min",
    "maintenance_work_mem": "128MB",
    # One core is enough: the others belong to whoever writes and asks.
    "max_parallel_maintenance_workers": "0",
    # The server ends what a killed process began, and with it the lock.
    "client_connection_check_interval": "1s",
}

_UNMIGRATED: Final = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedColumnError,
    asyncpg.UndefinedFunctionError,
)


class Unmigrated(AppError):
    """The database lacks what maintenance works on; run `prodsentinel migrate`."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What is stored, and what of it is still to do."""

    partitions: tuple[Partition, ...]
    default_records: int
    """Counted up to 100,000."""
    indexes_missing: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return sum(partition.bytes for partition in self.partitions)

    @property
    def default_bytes(self) -> int:
        return sum(partition.bytes for partition in self.partitions if not partition.day)


class Report(msgspec.Struct, kw_only=True):
    """What a round did, or would do."""

    dry_run: bool = False
    elsewhere: bool = False
    """Another process was at it: nothing was done."""
    made: list[str] = []
    rows_moved: int = 0
    """Out of the default partition, into those made."""
    dropped: list[Expired] = []
    rows_deleted: int = 0
    """Of the default partition, by age."""
    chains_forgotten: int = 0
    """Marks of failing chains without a record left."""
    indexed: list[str] = []
    left: list[str] = []
    """What could not be done now; the next round tries again."""
    bytes_before: int = 0
    bytes_after: int = 0
    default_records: int = 0
    default_bytes: int = 0
    """Of what is stored after; it is not counted for PRODSENTINEL_RETENTION_BYTES."""
    over_bytes: bool = False
    """The days are over PRODSENTINEL_RETENTION_BYTES, with nothing more that may be dropped."""
    default_over_bytes: bool = False
    """The default partition alone is over it."""


async def maintain(
    settings: Settings, *, now: datetime, dry_run: bool = False, patience: Patience = PATIENT
) -> Report:
    """One round. Raises `DatabaseUnavailable`, `Unmigrated`."""
    async with own_connection(settings) as driver:
        round_ = _Round(driver, settings, now, patience)
        if dry_run:
            return await round_.foresee()
        if await driver.fetchval(queries.TAKE_MAINTENANCE_LOCK):
            return await round_.work()
        tell(await round_.survey(), today=round_.today)
        return Report(elsewhere=True)


@asynccontextmanager
async def own_connection(settings: Settings) -> AsyncIterator[Any]:
    """Not of the pool: it has limits of its own, and the lock lasts exactly as long as it does."""
    try:
        driver = await asyncpg.connect(
            asyncpg_dsn(settings.database_url),
            timeout=settings.connect_timeout_seconds,
            server_settings=_SERVER_SETTINGS,
        )
        try:
            yield driver
        except BaseException:
            # Closing would wait for what is going on; so the server notices, and ends it.
            driver.terminate()
            raise
        await driver.close()
    except _UNMIGRATED as error:
        raise Unmigrated from error
    except Exception as error:
        if is_unavailable(error):
            raise DatabaseUnavailable from error
        raise


class _Round:
    """The steps of one round over its connection."""

    def __init__(self, driver: Any, settings: Settings, now: datetime, patience: Patience) -> None:
        self._patience = patience
        self._driver = driver
        self._settings = settings
        self._now = now
        self.today = now.astimezone(UTC).date()

    async def work(self) -> Report:
        before = await self.survey()
        report = Report(bytes_before=before.bytes)
        await retention.drop_detached(self._driver)
        await self._make(before, report)
        await self._drop(report)
        await self._forget(report)
        await self._index(report)
        after = await self.survey()
        report.bytes_after, report.default_records = after.bytes, after.default_records
        report.default_bytes = after.default_bytes
        report.over_bytes = self._is_over(after.bytes - after.default_bytes)
        report.default_over_bytes = self._is_over(after.default_bytes)
        tell(after, today=self.today)
        return report

    async def foresee(self) -> Report:
        """The same as `work`, as far as can be told without doing it."""
        before = await self.survey()
        days = await self._days_missing(before)
        dropped = self._expired(before.partitions)
        gone = {partition.name for partition in dropped}
        arrival = retention.oldest_arrival(self._now, keep_days=self._settings.retention_days)
        kept = [partition for partition in before.partitions if partition.name not in gone]
        bytes_after = before.bytes - sum(partition.bytes for partition in dropped)
        return Report(
            dry_run=True,
            made=[partition_name(day) for day in days],
            rows_moved=sum([await self._rows_of(day) for day in days]),
            dropped=list(dropped),
            rows_deleted=await self._count(queries.COUNT_OLD_ARRIVALS, arrival),
            chains_forgotten=await self._count(
                queries.COUNT_CHAINS_WITHOUT_RECORDS,
                retention.oldest_kept_day(kept, now=self._now),
            ),
            indexed=[n for n in before.indexes_missing if n.rpartition("_")[0] not in gone],
            bytes_before=before.bytes,
            bytes_after=bytes_after,
            default_records=before.default_records,
            default_bytes=before.default_bytes,
            over_bytes=self._is_over(bytes_after - before.default_bytes),
            default_over_bytes=self._is_over(before.default_bytes),
        )

    async def survey(self) -> Survey:
        partitions = await self._partitions()
        return Survey(
            partitions=partitions,
            default_records=await self._driver.fetchval(queries.COUNT_DEFAULT, MOST_COUNTED),
            indexes_missing=tuple(
                [
                    index_name(partition.name)
                    for partition in closed(partitions, now=self._now)
                    if await lacks_index(self._driver, partition.name)
                ]
            ),
        )

    async def _partitions(self) -> tuple[Partition, ...]:
        rows = await self._driver.fetch(queries.PARTITION_SIZES)
        return tuple(Partition(name=row["name"], bytes=row["bytes"]) for row in rows)

    async def _make(self, before: Survey, report: Report) -> None:
        days = await self._days_missing(before)
        made = await make_days(self._driver, days, self._patience)
        report.made = [one.name for one in made]
        report.rows_moved = sum(one.moved for one in made)
        report.left += [partition_name(d) for d in days if partition_name(d) not in report.made]

    async def _days_missing(self, before: Survey) -> list[date]:
        ahead = days_to_hold(self.today, ahead=self._settings.partitions_ahead_days)
        existing = {partition.day for partition in before.partitions}
        return sorted({*ahead, *await self._crowded_days()} - existing)

    async def _crowded_days(self) -> list[date]:
        """Past days, still to be kept, that many rows came for after all: from a sender that was
        cut off, or out of an archive.
        """
        keep = timedelta(days=self._settings.retention_days) or YEAR
        first, last = start_of(self.today - keep), start_of(self.today)
        rows = await self._driver.fetch(queries.DEFAULT_DAYS, first, last)
        return [row["day"] for row in rows if row["records"] >= CROWDED_RECORDS]

    async def _rows_of(self, day: date) -> int:
        bounds = start_of(day), start_of(day + timedelta(days=1))
        return sum(
            row["records"] for row in await self._driver.fetch(queries.DEFAULT_DAYS, *bounds)
        )

    def _expired(self, partitions: tuple[Partition, ...]) -> tuple[Expired, ...]:
        return retention.expired(
            partitions,
            today=self.today,
            keep_days=self._settings.retention_days,
            keep_bytes=self._settings.retention_bytes,
        )

    async def _drop(self, report: Report) -> None:
        for partition in self._expired(await self._partitions()):
            if await retention.drop(self._driver, partition, tries=self._patience.lock_tries):
                metrics.PARTITIONS_DROPPED.labels(reason=partition.reason).inc()
                report.dropped.append(partition)
            else:
                report.left.append(partition.name)

    async def _forget(self, report: Report) -> None:
        arrival = retention.oldest_arrival(self._now, keep_days=self._settings.retention_days)
        report.rows_deleted = await retention.delete_old_arrivals(self._driver, arrival)
        oldest = retention.oldest_kept_day(await self._partitions(), now=self._now)
        report.chains_forgotten = await retention.forget_chains(self._driver, oldest)

    async def _index(self, report: Report) -> None:
        for partition in closed(await self._partitions(), now=self._now):
            built = await build_index(self._driver, partition.name)
            if built is not None:
                (report.indexed if built else report.left).append(index_name(partition.name))

    def _is_over(self, stored: int) -> bool:
        return 0 < self._settings.retention_bytes < stored

    async def _count(self, statement: str, before: datetime | None) -> int:
        if before is None:
            return 0
        return int(await self._driver.fetchval(statement, before, MOST_COUNTED))


def tell(survey: Survey, *, today: date) -> None:
    """Into the metrics; every process tells, whichever did the work."""
    days = [partition.day for partition in survey.partitions if partition.day]
    metrics.PARTITIONS.set(len(survey.partitions))
    metrics.OLDEST_PARTITION_DAYS.set((today - min(days, default=today)).days)
    metrics.STORED_BYTES.set(survey.bytes)
    metrics.DEFAULT_PARTITION_RECORDS.set(survey.default_records)
    metrics.TEXT_INDEXES_MISSING.set(len(survey.indexes_missing))


class Maintenance:
    """The loop around the rounds; one in each process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self) -> None:
        """Round after round until cancelled; the first one when the start is well over."""
        pause = FIRST_AFTER_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = ROUND_SECONDS
            try:
                _log(await maintain(self._settings, now=datetime.now(UTC)))
                metrics.MAINTENANCE_LAST_SUCCESS.set(time.time())
            except (DatabaseUnavailable, Unmigrated) as error:
                log.warning("maintenance_waits", reason=str(error))
                pause = RETRY_SECONDS
            except Exception:
                metrics.MAINTENANCE_FAILURES.inc()
                log.exception("maintenance_failed")


def _log(report: Report) -> None:
    if report.left:
        metrics.MAINTENANCE_FAILURES.inc()
        log.warning("maintenance_left_work", names=report.left)
    if report.over_bytes:
        log.warning("stored_over_retention_bytes", bytes=report.bytes_after - report.default_bytes)
    if report.default_over_bytes:
        log.warning("default_partition_over_retention_bytes", bytes=report.default_bytes)
    if report.made or report.dropped or report.indexed or report.rows_deleted:
        log.info(
            "maintenance_done",
            made=report.made,
            moved=report.rows_moved,
            dropped=[partition.name for partition in report.dropped],
            deleted=report.rows_deleted,
            indexed=report.indexed,
            bytes=report.bytes_after,
        )
