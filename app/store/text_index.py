"""Text indexes: one of a closed day, and of the day under way one of each window that is over.

Where records are being written there is none: a GIN index halves COPY. A window is indexed when
what came since the last one is a quarter of what is held, so that a day has some twenty at the
most, however much it holds, and building them reads it a few times over, not once for each.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import structlog

from app.database import is_unavailable
from app.store import queries
from app.store.partitions import Partition, start_of

log = structlog.get_logger(__name__)

# Late records come within minutes: resent ones, a sender's own buffer, a clock a little slow. What
# comes later still pays for the index, record by record.
CLOSED_AFTER: Final = timedelta(hours=1)
SETTLED_AFTER: Final = timedelta(seconds=30)
"""The same for a window: most of what is sent comes at once."""
LEAST_ROWS: Final = 250_000
"""Fewer are read in less time than anybody notices."""
SHARE: Final = 4
MOST_TIMES: Final = 4
"""So many times the least, or a quarter of the day: while a window is indexed, nothing else may
summarise what comes (`brin_summarize_new_values`), and it is read whole."""
_WINDOW: Final = re.compile(r"(?P<partition>log_records_\d{8})_search_(?P<first>\d+)_(?P<last>\d+)")


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A time of a partition's day that has an index of its own; `until` is not part of it."""

    partition: str
    since: datetime
    until: datetime

    @property
    def index(self) -> str:
        """The name of its index, which tells the window."""
        midnight = self.since.replace(hour=0, minute=0, second=0)
        first, last = (int((one - midnight).total_seconds()) for one in (self.since, self.until))
        return f"{self.partition}_search_{first}_{last}"


def window_of(index: str) -> Window | None:
    """What the name of an index tells; None when it is not that of a window."""
    found = _WINDOW.fullmatch(index)
    day = Partition(name=found["partition"]).day if found else None
    if not (found and day):
        return None
    since, until = (start_of(day) + timedelta(seconds=int(found[n])) for n in ("first", "last"))
    return Window(partition=found["partition"], since=since, until=until)


def closed(partitions: Iterable[Partition], *, now: datetime) -> list[Partition]:
    """Partitions whose day has been over for an hour; the newest first, as people ask for them."""
    over = [(day, p) for day, p in _dated(partitions) if _is_closed(day, now)]
    return [partition for _, partition in sorted(over, key=lambda pair: pair[0], reverse=True)]


def open_days(partitions: Iterable[Partition], *, now: datetime) -> list[Partition]:
    """Partitions whose day has begun and is not closed."""
    today = now.astimezone(UTC).date()
    return [p for day, p in _dated(partitions) if day <= today and not _is_closed(day, now)]


def _dated(partitions: Iterable[Partition]) -> list[tuple[date, Partition]]:
    return [(p.day, p) for p in partitions if p.day]


def _is_closed(day: date, now: datetime) -> bool:
    return start_of(day + timedelta(days=1)) <= (now - CLOSED_AFTER).astimezone(UTC)


def index_name(partition: str) -> str:
    """Of a closed day."""
    return f"{partition}_search"


async def lacks_index(driver: Any, partition: str) -> bool:
    """Whether a closed day's index is not there, or was left unfinished by a dead process."""
    rows = await driver.fetch(queries.INDEXES_OF, partition)
    return index_name(partition) not in {row["name"] for row in rows if row["valid"]}


async def build_index(driver: Any, partition: str) -> bool | None:
    """Build that of a closed day, if it is missing, while records are written.

    True when it was built, None when there was nothing to do, False when it failed. `driver` is a
    connection of its own, without a statement_timeout that fits requests.
    """
    is_new = await lacks_index(driver, partition)
    if is_new and not await _create(driver, partition, index_name(partition)):
        return False
    for row in await driver.fetch(queries.INDEXES_OF, partition):
        if _is_replaced(row["name"]):
            await driver.execute(queries.DROP_INDEX.format(index=row["name"]))
    return is_new or None


def _is_replaced(index: str) -> bool:
    """By the index of the whole day: its windows', and those of before exceptions were searched."""
    return bool(window_of(index)) or index.endswith(("_words", "_attributes"))


async def build_window(
    driver: Any, partition: Partition, *, now: datetime, least_rows: int = LEAST_ROWS
) -> Window | None:
    """Index what came since the last window, when that is over and worth it: which window."""
    window = _next_window(partition, await _windows(driver, partition.name), now)
    if window is None:
        return None
    worth = max(least_rows, await driver.fetchval(queries.ROWS_OF, partition.name) // SHARE)
    most = max(MOST_TIMES * least_rows, worth)
    count = queries.COUNT_WITHIN.format(name=partition.name)
    rows = await driver.fetchval(count, window.since, window.until, most + 1)
    if rows < worth:
        return None
    if rows > most:
        window = await _shortened(driver, window, most)
    where = queries.WITHIN.format(first=window.since.isoformat(), last=window.until.isoformat())
    return window if await _create(driver, partition.name, window.index, where) else None


async def _shortened(driver: Any, window: Window, most: int) -> Window:
    """To so many of its first rows, in whole seconds."""
    following = queries.FOLLOWING.format(name=window.partition)
    until = await driver.fetchval(following, window.since, window.until, most)
    until = max(until.replace(microsecond=0), window.since + timedelta(seconds=1))
    return msgspec.structs.replace(window, until=until)


def _next_window(partition: Partition, windows: Sequence[Window], now: datetime) -> Window | None:
    """From the end of the last one to a moment ago, within the day."""
    assert partition.day  # noqa: S101 - of days only
    settled = (now - SETTLED_AFTER).astimezone(UTC).replace(microsecond=0)
    until = min(settled, start_of(partition.day + timedelta(days=1)))
    since = max((one.until for one in windows), default=start_of(partition.day))
    return Window(partition=partition.name, since=since, until=until) if since < until else None


async def _windows(driver: Any, partition: str) -> list[Window]:
    """Those that are there; unfinished ones are dropped."""
    windows = []
    for row in await driver.fetch(queries.INDEXES_OF, partition):
        window = window_of(row["name"])
        if window and row["valid"]:
            windows.append(window)
        elif window:
            await driver.execute(queries.DROP_INDEX.format(index=row["name"]))
    return windows


async def _create(driver: Any, partition: str, index: str, where: str = "") -> bool:
    """One at a time, while records are written; whether it worked."""
    try:
        await driver.execute(queries.DROP_INDEX.format(index=index))
        await driver.execute(
            queries.CREATE_SEARCH_INDEX.format(index=index, name=partition, where=where)
        )
    except asyncpg.PostgresError as error:
        if is_unavailable(error):
            raise
        log.warning("index_not_built", index=index, reason=repr(error))
        return False
    await driver.execute(queries.ANALYZE.format(name=partition))
    return True
