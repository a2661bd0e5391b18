"""Records counted, each once: in the background, from what came since the last count.

By service and hour of arrival, and by the minute and hour in which they occurred: those are whole
for the times that `counted_until` names. Others, of records older than the counts or deleted since,
are counted again piece by piece.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import msgspec
import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database, DatabaseUnavailable, is_unavailable
from app.errors import AppError
from app.settings import Settings
from app.store import count_queries as queries
from app.store.arrivals import look_back, read_moment, since

log = structlog.get_logger(__name__)

COUNT_SECONDS: Final = 5.0
CLEAN_SECONDS: Final = 600.0
RECOUNT_SECONDS: Final = 1.0
"""Of a round: so much goes to times that are not counted whole."""
RECOUNT_AGAIN_SECONDS: Final = 600.0
KEPT_DAYS: Final = 32
"""How long hours are kept, however long records are."""
LATE_KEPT: Final = timedelta(hours=1)


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What one round counted; `elsewhere`: another replica is at it."""

    records: int = 0
    elsewhere: bool = False
    is_whole: bool = False
    """No time is left to be counted again."""


class TooMuchToCount(AppError):
    """What came since the last count cannot be counted in one statement."""


class Counting:
    """The worker; of all replicas one counts at a time."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._look_back = look_back(settings)
        self._cleaned_at = 0.0
        self._recount_at = 0.0

    async def run(self) -> None:
        """Count every five seconds, until cancelled."""
        while True:
            try:
                await self._round()
            except DatabaseUnavailable:
                log.warning("counting_waits")
            except Exception:
                log.exception("counting_failed")
            await asyncio.sleep(COUNT_SECONDS)

    async def _round(self) -> None:
        await self._summarise()
        try:
            counted = await self.count()
        except TooMuchToCount as error:
            # Better begin anew than try the same for ever.
            log.warning("counting_begins_anew", reason=repr(error.__cause__))
            await self._begin_anew()
            return
        if counted.elsewhere:
            return
        await self._recount_for_a_while(counted)
        now = asyncio.get_running_loop().time()
        if now - self._cleaned_at > CLEAN_SECONDS:
            self._cleaned_at = now
            async with self._database.session() as session:
                await session.execute(queries.CLEAN, {"days": KEPT_DAYS, "kept": LATE_KEPT})

    async def count(self) -> Counted:
        """Count what came since the last time; the first time begins from now.

        Raises `TooMuchToCount`, `DatabaseUnavailable`.
        """
        async with self._database.session() as session:
            return (await self._count(session))[0]

    async def recount(self) -> bool:
        """Count one piece of the times that are not whole; whether there was one.

        What came is counted before: so the snapshot holds whoever moved records, or deleted them.
        """
        async with self._database.session() as session:
            counted, came = await self._count(session)
            if counted.elsewhere or counted.is_whole:
                return False
            piece = (await session.execute(queries.NEXT_PIECE)).one_or_none()
            if piece is None:
                return False
            bounds = {"piece_since": piece.since, "piece_until": piece.until}
            await session.execute(queries.DISCARD, bounds)
            done = await session.execute(queries.RECOUNT, {**bounds, **came})
            if done.scalar_one():
                await session.execute(queries.CLEAN_KINDS)
            return True

    async def _count(self, session: AsyncSession) -> tuple[Counted, dict[str, Any]]:
        """And the parameters of what came since it."""
        if not (await session.execute(queries.TRY_LOCK)).scalar_one():
            return Counted(elsewhere=True), {}
        begun = (await session.execute(queries.READ)).one_or_none()
        if begun is None or begun.is_of_another:
            await session.execute(queries.BEGIN, {"look_back": self._look_back})
            return Counted(), await self._came(session)
        await session.execute(queries.PLAN_BY_INDEX)
        bound = since(read_moment(begun.snapshot, begun.taken_at), self._look_back)
        try:
            done = await session.execute(queries.COUNT, {**bound, "look_back": self._look_back})
        except DBAPIError as error:
            if is_unavailable(error):
                raise
            raise TooMuchToCount from error
        counted = Counted(records=int(done.scalar_one()), is_whole=begun.is_whole)
        return counted, await self._came(session)

    async def _came(self, session: AsyncSession) -> dict[str, Any]:
        now = (await session.execute(queries.READ)).one()
        return since(read_moment(now.snapshot, now.taken_at), self._look_back)

    async def _recount_for_a_while(self, counted: Counted) -> None:
        clock = asyncio.get_running_loop().time
        ends_at = clock() + RECOUNT_SECONDS
        is_left = not counted.is_whole and clock() >= self._recount_at
        while is_left and clock() < ends_at:
            try:
                is_left = await self.recount()
            except (DBAPIError, TooMuchToCount) as error:
                # The statements that ask for these times read the records meanwhile.
                log.warning("recounting_waits", reason=repr(error))
                self._recount_at = clock() + RECOUNT_AGAIN_SECONDS
                return

    async def _summarise(self) -> None:
        # A lock that somebody holds (it counts as unavailable), as whoever builds an index does; a
        # partition that is just being dropped: next time.
        with suppress(DBAPIError, DatabaseUnavailable):
            async with self._database.session() as session:
                await session.execute(queries.BRIEFLY)
                await session.execute(queries.SUMMARISE)

    async def _begin_anew(self) -> None:
        async with self._database.session() as session:
            await session.execute(queries.BEGIN, {"look_back": self._look_back})
