"""Text indexes of the day under way, window by window; at any time one process makes them."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

import structlog

from app import metrics
from app.database import DatabaseUnavailable
from app.settings import Settings
from app.store import queries
from app.store.maintenance import Unmigrated, own_connection
from app.store.partitions import Partition
from app.store.text_index import LEAST_ROWS, Window, build_window, open_days

log = structlog.get_logger(__name__)

ROUND_SECONDS: Final = 20.0
REST: Final = 20


async def index_windows(
    settings: Settings, *, now: datetime, least_rows: int = LEAST_ROWS
) -> list[Window]:
    """One round: the windows indexed. Raises `DatabaseUnavailable`, `Unmigrated`."""
    async with own_connection(settings) as driver:
        if not await driver.fetchval(queries.TAKE_HOT_INDEX_LOCK):
            return []
        rows = await driver.fetch(queries.PARTITION_SIZES)
        days = open_days((Partition(name=row["name"]) for row in rows), now=now)
        found = [await build_window(driver, day, now=now, least_rows=least_rows) for day in days]
        return [window for window in found if window]


class HotIndexing:
    """The loop around the rounds; one in each process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def run(self) -> None:
        """Until cancelled. It rests as long as it built, and longer when it only counted."""
        pause = ROUND_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            try:
                windows = await index_windows(self._settings, now=datetime.now(UTC))
            except (DatabaseUnavailable, Unmigrated) as error:
                log.warning("hot_index_waits", reason=str(error))
                windows = []
            except Exception:
                metrics.MAINTENANCE_FAILURES.inc()
                log.exception("hot_index_failed")
                windows = []
            seconds = round(time.monotonic() - began, 1)
            pause = max(ROUND_SECONDS, seconds if windows else REST * seconds)
            if windows:
                log.info("window_indexed", names=[one.index for one in windows], seconds=seconds)
