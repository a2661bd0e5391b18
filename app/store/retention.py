"""What is kept no longer: days by age or by total bytes, and what only spoke of their records.

Signatures, matches, incidents and their chains keep their history.
"""

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Literal

import msgspec

from app.store import queries
from app.store.partitions import LOCK_MS, Partition, bounds_of, counted, patiently, start_of

BATCH_ROWS: Final = 5_000
MOST_BATCHES: Final = 200
"""A round ends there; the next one goes on."""
EMPTY_BYTES: Final = 128 * 1024
"""A partition without rows has about this many: dropping it for its bytes frees nothing."""


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """A partition to drop, and what it is over."""

    name: str
    day: date
    bytes: int
    reason: Literal["age", "bytes"]


def expired(
    partitions: Iterable[Partition], *, today: date, keep_days: int, keep_bytes: int
) -> tuple[Expired, ...]:
    """The partitions to drop, oldest first; 0 keeps. Never today's, never one of the future.

    By age a day goes when all of it is older than `keep_days`. By bytes the oldest days go until
    the rest is within `keep_bytes`. The default partition does not count: no day that goes makes
    it smaller, so one sender with a wrong clock would cost everyone's past.
    """
    daily = [(partition.day, partition) for partition in partitions if partition.day]
    past = sorted((day, partition) for day, partition in daily if day < today)
    oldest_kept = today - timedelta(days=keep_days) if keep_days else date.min
    excess = sum(partition.bytes for _, partition in daily) - keep_bytes
    found = []
    for day, partition in past:
        if day < oldest_kept:
            reason: Literal["age", "bytes"] = "age"
        elif keep_bytes and excess > 0 and partition.bytes > EMPTY_BYTES:
            reason = "bytes"
        else:
            continue
        excess -= partition.bytes
        found.append(Expired(name=partition.name, day=day, bytes=partition.bytes, reason=reason))
    return tuple(found)


async def drop(driver: Any, partition: Expired, *, tries: int) -> bool:
    """Whether it could be detached now; the files of a detached one go without any lock."""
    statements = queries.DETACH_PARTITION.format(
        lock_ms=LOCK_MS, name=partition.name, **bounds_of(partition.day)
    )
    if not await patiently(driver, statements, tries=tries):
        return False
    await drop_detached(driver)
    return True


async def drop_detached(driver: Any) -> None:
    """Also what a process detached that died before it could drop it."""
    for row in await driver.fetch(queries.EXPIRED_TABLES):
        await patiently(driver, queries.DROP_EXPIRED.format(lock_ms=LOCK_MS, name=row["relname"]))


def oldest_arrival(now: datetime, *, keep_days: int) -> datetime | None:
    """Rows of the default partition go when they were received before this.

    By arrival, for it is their own time that is wrong: a sender whose clock says 1970 would
    otherwise lose with the next round what was accepted.
    """
    return now - timedelta(days=keep_days) if keep_days else None


async def delete_old_arrivals(
    driver: Any, before: datetime | None, *, rows: int = BATCH_ROWS
) -> int:
    """In transactions of so many rows, and no more than a round's worth of them."""
    if before is None:
        return 0

    async def delete() -> int:
        async with driver.transaction():
            await driver.execute(queries.LOCK_COUNTS)
            return int(await driver.fetchval(queries.DELETE_OLD_ARRIVALS, before, rows))

    return await _in_batches(delete, rows)


async def forget_chains(driver: Any, before: datetime) -> int:
    """Failing chains that were marked before this time and of which no record is left."""

    async def forget() -> int:
        return counted(await driver.execute(queries.FORGET_CHAINS, before, BATCH_ROWS))

    return await _in_batches(forget, BATCH_ROWS)


async def _in_batches(batch: Callable[[], Awaitable[int]], rows: int) -> int:
    total = 0
    for _ in range(MOST_BATCHES):
        done = await batch()
        total += done
        if done < rows:
            break
    return total


def oldest_kept_day(partitions: Iterable[Partition], *, now: datetime) -> datetime:
    """No record of a daily partition is older."""
    days = [partition.day for partition in partitions if partition.day]
    return start_of(min(days, default=now.astimezone(UTC).date()))
