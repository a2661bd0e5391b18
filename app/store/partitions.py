"""Daily partitions of `log_records`, made ahead of the day."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from app.store import queries


def days_to_hold(today: date, *, ahead: int) -> list[date]:
    """Yesterday (records of midnight come late), today, and `ahead` days more."""
    return [today + timedelta(days=n) for n in range(-1, ahead + 1)]


async def make_partitions(driver: Any, *, now: datetime, ahead: int) -> list[str]:
    """Make the partitions that are missing, each in its own transaction; returns their names.

    Rows which the default partition already holds for such a day move into it.
    """
    existing = {row["relname"] for row in await driver.fetch(queries.EXISTING_PARTITIONS)}
    made = []
    for day in days_to_hold(now.astimezone(UTC).date(), ahead=ahead):
        name = queries.PARTITION_NAME.format(day=day)
        if name not in existing:
            await _make_partition(driver, name, day)
            made.append(name)
    return made


async def _make_partition(driver: Any, name: str, day: date) -> None:
    first = datetime.combine(day, time(), UTC)
    last = first + timedelta(days=1)
    bounds = {"name": name, "first": f"{first:%Y-%m-%d}", "last": f"{last:%Y-%m-%d}"}
    async with driver.transaction():
        # Replicas start together: one makes the partition, the others find it made.
        await driver.execute(queries.PARTITIONS_LOCK)
        if await driver.fetchval(queries.PARTITION_EXISTS, name):
            return
        await driver.execute(queries.CREATE_DETACHED.format(**bounds))
        await driver.execute(queries.LOCK_DEFAULT)
        await driver.execute(queries.MOVE_FROM_DEFAULT.format(**bounds), first, last)
        await driver.execute(queries.ATTACH_PARTITION.format(**bounds))
