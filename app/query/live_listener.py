"""What waits for one client of the live tail."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from app import metrics
from app.query.live_events import Batch, Place, heartbeat, skipped

HEARTBEAT_SECONDS: Final = 10.0
MOST_WAITING: Final = 16
"""Batches that wait for one slow listener; more are left out."""
STALLED_SECONDS: Final = 60.0
"""A listener that took nothing for so long, while its queue was full, is gone."""


class Listener:
    """What waits for one client, bounded; whoever sends it takes it from here."""

    def __init__(self, first: bytes, place: Place) -> None:
        self.is_gone = False
        self._waiting = deque([first])
        self._some = asyncio.Event()
        self._left_out = 0
        self._full_since: float | None = None
        self._place = place

    def offer(self, batch: Batch) -> None:
        """Put it behind what waits; left out and counted when too much does."""
        self._place = batch.place
        if not batch.payload:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._left_out += batch.records
            self._end_when_stalled()
            return
        self._tell_left_out()
        self._push(batch.payload)

    def tell_missed(self, events: Iterable[bytes]) -> None:
        """What came before it was there: ahead of what was offered since, behind the first."""
        for place, event in enumerate(events, 1):
            self._waiting.insert(place, event)

    def tell(self, event: bytes) -> None:
        """An event that belongs to no record."""
        if len(self._waiting) < MOST_WAITING:
            self._push(event)

    def end(self) -> None:
        """Nothing follows; what waits is let go."""
        self.is_gone = True
        self._waiting.clear()
        self._some.set()

    async def next(self) -> bytes:
        """What is to be sent now; a heartbeat when nothing came for a while; empty at the end."""
        self._full_since = None
        if not self._waiting:
            # Others may have been left out while the last of these was on its way.
            self._tell_left_out()
        if not self._waiting and not self.is_gone:
            self._some.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await self._some.wait()
        if self.is_gone:
            return b""
        return self._waiting.popleft() if self._waiting else heartbeat(self._place)

    def _push(self, event: bytes) -> None:
        self._waiting.append(event)
        self._some.set()

    def _tell_left_out(self) -> None:
        if self._left_out:
            self._push(skipped(self._left_out, "the listener reads too slowly"))
            metrics.LIVE_SKIPPED.inc(self._left_out)
            self._left_out = 0

    def _end_when_stalled(self) -> None:
        now = time.monotonic()
        if self._full_since is None:
            self._full_since = now
        elif now - self._full_since > STALLED_SECONDS:
            self.end()
