"""Daily partitions of `log_records`, made ahead of the day."""

import asyncio
import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import structlog

from app.store import queries

log = structlog.get_logger(__name__)

# Whoever comes after a waiting ACCESS EXCLUSIVE lock waits behind it: so each attempt is shorter
# than anybody would notice, and together they outlast a query at its statement_timeout.
LOCK_MS: Final = 100
LOCK_PAUSE_SECONDS: Final = 0.5

_LATER: Final = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
_DAY_IN_NAME: Final = re.compile(r"log_records_(\d{8})")


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long the making of one partition may take."""

    seconds: int
    lock_tries: int


PATIENT: Final = Patience(seconds=1800, lock_tries=30)
BRIEF: Final = Patience(seconds=5, lock_tries=3)
"""At the start: records that come before a partition is made are safe in the default one."""


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """A partition and its size, indexes included."""

    name: str
    bytes: int = 0

    @property
    def day(self) -> date | None:
        """Its day in UTC; None for the default partition."""
        found = _DAY_IN_NAME.fullmatch(self.name)
        return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date() if found else None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A partition that was missing, and how many rows the default partition held for it."""

    name: str
    moved: int


def partition_name(day: date) -> str:
    return queries.PARTITION_NAME.format(day=day)


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def bounds_of(day: date) -> dict[str, str]:
    """As the statements name them: they take no parameters there."""
    return {"first": f"{day:%Y-%m-%d}", "last": f"{day + timedelta(days=1):%Y-%m-%d}"}


def days_to_hold(today: date, *, ahead: int) -> list[date]:
    """Yesterday (records of midnight come late), today, and `ahead` days more."""
    return [today + timedelta(days=n) for n in range(-1, ahead + 1)]


async def make_partitions(driver: Any, *, now: datetime, ahead: int) -> list[str]:
    """Make the partitions that are missing, each in its own transaction; returns their names.

    Rows which the default partition already holds for such a day move into it; where these are
    too many for now, the partition is left to the maintenance.
    """
    days = days_to_hold(now.astimezone(UTC).date(), ahead=ahead)
    return [made.name for made in await make_days(driver, days, BRIEF)]


async def make_days(driver: Any, days: Iterable[date], patience: Patience) -> list[Made]:
    """The same for any days. One that cannot be made now is left: its rows stay readable."""
    existing = {row["relname"] for row in await driver.fetch(queries.EXISTING_PARTITIONS)}
    made = []
    for day in days:
        name = partition_name(day)
        if name in existing:
            continue
        try:
            made += await _make_partition(driver, name, day, patience)
        except (*_LATER, asyncpg.QueryCanceledError, _RowsChangedError):
            log.warning("partition_left_for_later", name=name)
    return made


class _RowsChangedError(Exception):
    """Rows were deleted from the default partition while they were copied."""


async def _make_partition(driver: Any, name: str, day: date, patience: Patience) -> list[Made]:
    first, last = start_of(day), start_of(day + timedelta(days=1))
    bounds = {"name": name, **bounds_of(day)}
    async with driver.transaction():
        # Replicas start together: one makes the partition, the others find it made.
        await driver.execute(queries.PARTITIONS_LOCK.format(seconds=patience.seconds))
        if await driver.fetchval(queries.PARTITION_EXISTS, name):
            return []
        await driver.execute(queries.CREATE_DETACHED.format(**bounds))
        moved = await _move_rows(driver, name, (first, last), patience.lock_tries)
        if moved:
            await driver.execute(queries.COUNT_DAY_AGAIN.format(**bounds))
        await driver.execute(queries.ATTACH_PARTITION.format(**bounds))
    return [Made(name=name, moved=moved)]


async def _move_rows(driver: Any, name: str, day: tuple[datetime, datetime], tries: int) -> int:
    """Copy before the lock, which may take long; then only what came meanwhile, and delete."""
    copied = counted(await driver.execute(queries.COPY_FROM_DEFAULT.format(name=name), *day))
    # Before any lock on the records, as everybody takes it who counts them; after what takes long,
    # for nobody counts or forgets meanwhile.
    await driver.execute(queries.LOCK_COUNTS)
    if not await patiently(driver, queries.LOCK_DEFAULT.format(lock_ms=LOCK_MS), tries=tries):
        raise asyncpg.LockNotAvailableError
    copied += counted(await driver.execute(queries.COPY_LATECOMERS.format(name=name), *day))
    if counted(await driver.execute(queries.DELETE_MOVED, *day)) != copied:
        raise _RowsChangedError
    return copied


async def patiently(driver: Any, statements: str, *, tries: int = PATIENT.lock_tries) -> bool:
    """Run statements that wait only briefly for a lock, again and again; whether they got it."""
    for n in range(tries):
        if n:
            await asyncio.sleep(LOCK_PAUSE_SECONDS)
        # Inside a transaction this is a savepoint: what was done before stays.
        with suppress(*_LATER):
            async with driver.transaction():
                await driver.execute(statements)
            return True
    return False


def counted(status: str) -> int:
    """How many rows a command tag (`INSERT 0 5`, `DELETE 5`) speaks of."""
    return int(status.rpartition(" ")[2])
