"""What came for all searches of a process: one statement, whatever one of them does to it."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError

from app.database import Database
from app.query.live_queries import Came, Told, came_since, moment_now
from app.query.search import Search
from app.store.arrivals import Moment

log = structlog.get_logger(__name__)

MOST_AT_ONCE: Final = 500
"""Records of one poll for one search; of more the newest."""
STATEMENT_SECONDS: Final = 3.0
APART_SECONDS: Final = 15.0
"""After so long a search that failed by itself is tried again, by itself."""
TRY_SECONDS: Final = 0.5
"""How long the others wait for that."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    moment: Moment
    told: dict[Search, Told]
    missed: set[Search]
    """Of these not all could be found; what is told of them begins anew."""


class Finder:
    """Reads what came once for all searches.

    When that fails, one by one. A search that fails by itself is set apart: the others go on
    together.
    """

    def __init__(self, database: Database, look_back: timedelta) -> None:
        self._database = database
        self._look_back = look_back
        self._apart: dict[Search, float] = {}
        """When to try again."""

    async def now(self) -> Moment:
        """Raises `DatabaseUnavailable`."""
        async with self._database.session() as session:
            return await moment_now(session)

    async def find(self, searches: Sequence[Search], since: Moment) -> Found:
        """What came since, up to one moment for all. Raises `DatabaseUnavailable`."""
        apart = {search: at for search, at in self._apart.items() if search in searches}
        together = [search for search in searches if search not in apart]
        try:
            came = await self._came(together, since)
            found = Found(moment=came.moment, told=came.told, missed=set())
        except DBAPIError as error:
            log.warning("live_tail_one_by_one", reason=repr(error.orig))
            found = await self._find_alone(together, since)
        due = min(apart, key=lambda search: apart[search], default=None)
        if due is not None and apart[due] <= time.monotonic():
            del apart[due]
            told = await self._tell_alone(due, since, found.moment, seconds=TRY_SECONDS)
            found.told.update(told)
            found.missed.add(due)
        # Only here: a database that goes away before has changed nothing.
        again = time.monotonic() + APART_SECONDS
        self._apart = apart | dict.fromkeys(found.missed - found.told.keys(), again)
        return found

    async def between(self, search: Search, since: Moment, until: Moment, *, most: int) -> Told:
        """What came for one search. Raises `DatabaseUnavailable`, `DBAPIError`."""
        return (await self._came([search], since, until, most=most)).told[search]

    async def _find_alone(self, searches: Sequence[Search], since: Moment) -> Found:
        try:
            until = (await self._came([], since)).moment
        except DBAPIError:
            # Too much came to be read at all: no search is to blame, and all begin anew.
            now = await self.now()
            nothing = {search: Told(records=[], left_out=0) for search in searches}
            return Found(moment=now, told=nothing, missed=set(searches))
        told: dict[Search, Told] = {}
        for search in searches:
            told |= await self._tell_alone(search, since, until)
        return Found(moment=until, told=told, missed=set(searches) - told.keys())

    async def _tell_alone(
        self, search: Search, since: Moment, until: Moment, *, seconds: float | None = None
    ) -> dict[Search, Told]:
        """Nothing when it fails."""
        try:
            return (await self._came([search], since, until, seconds=seconds)).told
        except DBAPIError as error:
            log.warning("live_tail_search_failed", reason=repr(error.orig))
            return {}

    async def _came(
        self,
        searches: Sequence[Search],
        since: Moment,
        until: Moment | None = None,
        *,
        most: int | None = None,
        seconds: float | None = None,
    ) -> Came:
        async with self._database.session() as session:
            return await came_since(
                session,
                searches,
                since,
                look_back=self._look_back,
                most=most or MOST_AT_ONCE,
                seconds=seconds or STATEMENT_SECONDS,
                until=until,
            )
