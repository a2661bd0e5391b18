"""The live tail of one process: one poll for each search, shared by all who listen to it.

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
from app.query.live_events import (
    MOST_REMAINING,
    Place,
    batch_of,
    opening,
    skipped,
)
from app.query.live_listener import Listener
from app.query.live_queries import came_since, moment_now
from app.query.search import Search
from app.settings import Settings
from app.store.arrivals import Moment, look_back

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 0.5
REST: Final = 4
"""A poll rests so many times as long as it took: a slow one takes a fifth of a connection."""
MOST_AT_ONCE: Final = 500
"""Records of one poll; of more the newest."""
LONGEST_BREAK: Final = timedelta(minutes=15)
"""After a longer one a listener begins anew."""
MOST_LISTENERS: Final = 500
MOST_SEARCHES: Final = 32
AT_ONCE: Final = 2
"""Polls that use a connection at the same time."""
Turn = asyncio.Semaphore


class TooManyListeners(AppError):
    """This process has as many listeners as it can serve; try again shortly."""


class _Poll:
    """What came for one search, again and again, until nobody listens."""

    def __init__(self, search: Search, database: Database, back: timedelta, turn: Turn) -> None:
        self.search = search
        self.listeners: set[Listener] = set()
        self.joining = 0
        self._database = database
        self._look_back = back
        self._turn = turn
        self._lock = asyncio.Lock()
        self._nobody = asyncio.Event()
        self._moment: Moment | None = None

    @property
    def is_wanted(self) -> bool:
        return bool(self.listeners or self.joining)

    async def add(self, resumed: Place | None) -> Listener:
        """Somebody who hears all that comes from now on, or since the place where it left.

        Raises `DatabaseUnavailable`.
        """
        async with self._lock:
            # A place may be newer than ours: another replica gave it out.
            moment = self._moment
            if moment is None or resumed:
                moment = await self._advance()
            place = Place(moment=moment)
            listener = Listener(opening(resumed or place), place)
            for event in await self._missed(resumed, moment) if resumed else ():
                listener.tell(event)
            self.listeners.add(listener)
            return listener

    def remove(self, listener: Listener) -> None:
        listener.end()
        self.listeners.discard(listener)
        if not self.listeners:
            self._nobody.set()

    async def run(self) -> None:
        while self.is_wanted:
            started = time.monotonic()
            with suppress(DatabaseUnavailable):
                # The place stays meanwhile: what came is told when the database is back.
                async with self._lock:
                    await self._advance()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(POLL_SECONDS, REST * (time.monotonic() - started))):
                    await self._nobody.wait()
                    self._nobody.clear()

    async def _advance(self) -> Moment:
        """Tell what came, and go on to now. Raises `DatabaseUnavailable`."""
        try:
            self._moment = await self._tell_what_came(self._moment)
        except DBAPIError as error:
            log.warning("live_tail_begins_anew", reason=repr(error.orig))
            self._moment = await self._tell_what_came(None)
            for listener in self.listeners:
                listener.tell(skipped(None, "to find what came took too long"))
        return self._moment

    async def _tell_what_came(self, since: Moment | None) -> Moment:
        async with self._turn, self._database.session() as session:
            if since is None:
                return await moment_now(session)
            came = await came_since(
                session, self.search, since, look_back=self._look_back, most=MOST_AT_ONCE
            )
        metrics.LIVE_SKIPPED.inc(came.left_out)
        batch = batch_of(came.records, since=since, until=came.moment, left_out=came.left_out)
        for listener in self.listeners:
            listener.offer(batch)
        self.listeners = {listener for listener in self.listeners if not listener.is_gone}
        return came.moment

    async def _missed(self, place: Place, now: Moment) -> list[bytes]:
        """What came between a place and now."""
        last = place.following or place.moment
        # One of the future is that of another database.
        if now.taken_at - place.moment.taken_at > LONGEST_BREAK or last.following > now.following:
            return [skipped(None, "the break was too long")]
        try:
            rest = b""
            if place.following:
                rest = await self._between(place.moment, last, most=place.remaining)
            return [part for part in (rest, await self._between(last, now)) if part]
        except DBAPIError:
            return [skipped(None, "to find what came took too long")]

    async def _between(self, since: Moment, until: Moment, *, most: int = 0) -> bytes:
        async with self._turn, self._database.session() as session:
            came = await came_since(
                session,
                self.search,
                since,
                look_back=self._look_back,
                most=most or MOST_REMAINING,
                until=until,
            )
        # The rest of a batch leaves out what was read before, not what nobody will read.
        left_out = 0 if most else came.left_out
        return batch_of(came.records, since=since, until=until, left_out=left_out).payload


class LiveTail:
    """All polls of one process."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._look_back = look_back(settings)
        self._turn = Turn(AT_ONCE)
        self._polls: dict[Search, _Poll] = {}
        self._tasks: dict[_Poll, asyncio.Task[None]] = {}

    def listeners(self) -> int:
        return sum(len(poll.listeners) for poll in self._polls.values())

    def polls(self) -> int:
        return len(self._polls)

    async def join(self, search: Search, resumed: Place | None = None) -> Listener:
        """Raises `TooManyListeners`, `DatabaseUnavailable`."""
        poll = self._polls.get(search)
        if self.listeners() >= MOST_LISTENERS or (not poll and self.polls() >= MOST_SEARCHES):
            raise TooManyListeners
        if poll is None:
            poll = _Poll(search, self._database, self._look_back, self._turn)
            self._polls[search] = poll
        poll.joining += 1
        try:
            listener = await poll.add(resumed)
            if poll not in self._tasks:
                self._tasks[poll] = asyncio.create_task(self._run(poll), name="live tail")
            return listener
        finally:
            poll.joining -= 1
            self._forget_unwanted(poll)

    def leave(self, search: Search, listener: Listener) -> None:
        """It hears nothing more; the last one ends the poll."""
        if poll := self._polls.get(search):
            poll.remove(listener)
            self._forget_unwanted(poll)

    async def _run(self, poll: _Poll) -> None:
        try:
            await poll.run()
        except Exception:
            log.exception("live_tail_failed")
        finally:
            # Whoever still listens comes back by itself, to a new poll.
            for listener in list(poll.listeners):
                poll.remove(listener)
            self._forget_unwanted(poll)
            del self._tasks[poll]

    def _forget_unwanted(self, poll: _Poll) -> None:
        if not poll.is_wanted and self._polls.get(poll.search) is poll:
            del self._polls[poll.search]

    async def close(self) -> None:
        """At the end of the process."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
