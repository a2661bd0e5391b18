"""The live tail of one process: one poll for all searches that somebody listens to.

Records are found in the database, so it does not matter which replica took them. Each poll asks
what came since the snapshot of the one before (`app.store.arrivals`): so it need not stay behind
for transactions that end late, loses none, tells none twice, and its place means the same to
every replica. With nobody listening there is no poll.
"""

import asyncio
import time
from contextlib import suppress
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from app import metrics
from app.database import Database, DatabaseUnavailable
from app.errors import AppError
from app.query.live_events import MOST_REMAINING, Place, batch_of, opening, skipped
from app.query.live_finder import STATEMENT_SECONDS, Finder, Found
from app.query.live_listener import Listener
from app.query.search import Search, to_text
from app.settings import Settings
from app.store.arrivals import Moment, look_back

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.5
REST: Final = 4
"""A poll rests so many times as long as it took: a slow one takes a fifth of a connection."""
LONGEST_BREAK: Final = timedelta(minutes=15)
"""After a longer one a listener begins anew."""
MOST_LISTENERS: Final = 500
MOST_SEARCHES: Final = 32
MOST_TEXT: Final = 30_000
"""Characters of all searches: a statement has at most 32,767 parameters, and none has more than
its text has characters."""
RESUMING_AT_ONCE: Final = 2
_TOO_LONG: Final = "to find what came took too long"


class TooManyListeners(AppError):
    """This process has as many listeners as it can serve; try again shortly."""


class LiveTail:
    """Tells listeners what came, again and again, until nobody listens."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._finder = Finder(database, look_back(settings))
        self._audiences: dict[Search, set[Listener]] = {}
        self._moment: Moment | None = None
        self._polling: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._nobody = asyncio.Event()
        self._resuming = asyncio.Semaphore(RESUMING_AT_ONCE)

    def listeners(self) -> int:
        return sum(map(len, self._audiences.values()))

    def searches(self) -> int:
        return len(self._audiences)

    async def join(self, search: Search, resumed: Place | None = None) -> Listener:
        """Somebody who hears all that comes from now on, or since the place where it left.

        Raises `TooManyListeners`, `DatabaseUnavailable`.
        """
        async with self._lock:
            if self._is_full(search):
                raise TooManyListeners
            now = await self._reached(resumed)
            place = Place(moment=now)
            listener = Listener(opening(resumed or place), place)
            self._audiences.setdefault(search, set()).add(listener)
            if self._polling is None:
                self._polling = asyncio.create_task(self._poll(), name="live tail")
        if resumed:
            try:
                listener.tell_missed(await self._missed(search, resumed, now))
            except BaseException:
                self.leave(search, listener)
                raise
        return listener

    def leave(self, search: Search, listener: Listener) -> None:
        """It hears nothing more; the last one ends the poll."""
        listener.end()
        self._keep_present(search)

    async def close(self) -> None:
        """At the end of the process."""
        if self._polling:
            self._polling.cancel()
            await asyncio.gather(self._polling, return_exceptions=True)

    def _is_full(self, search: Search) -> bool:
        texts = sum(len(to_text(one)) for one in self._audiences.keys() | {search})
        is_one_more = search not in self._audiences
        return self.listeners() >= MOST_LISTENERS or (
            is_one_more and (self.searches() >= MOST_SEARCHES or texts > MOST_TEXT)
        )

    def _keep_present(self, search: Search) -> None:
        present = {one for one in self._audiences.pop(search, ()) if not one.is_gone}
        if present:
            self._audiences[search] = present
        elif not self._audiences:
            self._nobody.set()

    async def _poll(self) -> None:
        try:
            while self._audiences:
                started = time.monotonic()
                with suppress(DatabaseUnavailable):
                    # The place stays meanwhile: what came is told when the database is back.
                    async with self._lock:
                        await self._advance()
                await self._rest(time.monotonic() - started)
        except Exception:
            log.exception("live_tail_failed")
        finally:
            # Whoever still listens comes back by itself, to a new poll.
            for listener in [one for all_ in self._audiences.values() for one in all_]:
                listener.end()
            self._audiences.clear()
            self._moment = self._polling = None

    async def _rest(self, took: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(max(POLL_SECONDS, REST * min(took, STATEMENT_SECONDS))):
                await self._nobody.wait()
        self._nobody.clear()

    async def _reached(self, resumed: Place | None) -> Moment:
        """A moment that is not before this place, up to which all was told."""
        # A place may be newer than ours: another replica gave it out.
        if self._moment and not (resumed and _last(resumed).following >= self._moment.following):
            return self._moment
        return await self._advance()

    async def _advance(self) -> Moment:
        """Tell what came, and go on to now. Raises `DatabaseUnavailable`."""
        if self._moment and self._audiences:
            found = await self._finder.find(list(self._audiences), self._moment)
            # Nothing is awaited from here on: all is told, or nothing was.
            self._tell(found, since=self._moment)
            self._moment = found.moment
        else:
            self._moment = await self._finder.now()
        return self._moment

    def _tell(self, found: Found, *, since: Moment) -> None:
        for search in found.missed:
            for listener in self._audiences.get(search, ()):
                listener.tell(skipped(None, _TOO_LONG))
        for search, told in found.told.items():
            metrics.LIVE_SKIPPED.inc(told.left_out)
            batch = batch_of(told.records, since=since, until=found.moment, left_out=told.left_out)
            for listener in self._audiences.get(search, ()):
                listener.offer(batch)
            self._keep_present(search)

    async def _missed(self, search: Search, place: Place, now: Moment) -> list[bytes]:
        """What came between a place and now."""
        last = _last(place)
        # A cursor may say anything: neither end of it is taken for later than it says.
        left_at = min(place.moment.taken_at, last.taken_at)
        # One of the future is that of another database.
        if now.taken_at - left_at > LONGEST_BREAK or last.following > now.following:
            return [skipped(None, "the break was too long")]
        try:
            rest = b""
            if place.following:
                rest = await self._between(search, place.moment, last, most=place.remaining)
            return [part for part in (rest, await self._between(search, last, now)) if part]
        except DBAPIError:
            return [skipped(None, _TOO_LONG)]

    async def _between(
        self, search: Search, since: Moment, until: Moment, *, most: int = 0
    ) -> bytes:
        async with self._resuming:
            told = await self._finder.between(search, since, until, most=most or MOST_REMAINING)
        # The rest of a batch leaves out what was read before, not what nobody will read.
        left_out = 0 if most else told.left_out
        return batch_of(told.records, since=since, until=until, left_out=left_out).payload


def _last(place: Place) -> Moment:
    return place.following or place.moment
