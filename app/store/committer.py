"""Group commit: requests in flight share a transaction, and each is answered after its commit.

A lone request is written at once. While a transaction runs, what comes in gathers, and the next
one takes all of it (DeWitt et al., SIGMOD 1984): under load commits grow larger, not more.
"""

import asyncio
import time
from collections import deque
from typing import Final

import msgspec

from app import metrics
from app.database import Database
from app.errors import AppError
from app.store.batch import SignedRecord
from app.store.writer import Outcome, write_batch

WRITERS: Final = 2
"""Transactions at a time: while one waits for the disk, the next is being copied."""
MOST_IN_GROUP: Final = 10_000
MOST_WAITING: Final = 100_000


class Overloaded(AppError):
    """More records are waiting than this service takes; send again shortly."""


class _Waiting(msgspec.Struct, frozen=True):
    """The records of one request, and where its outcome goes."""

    batch: list[SignedRecord]
    done: asyncio.Future[tuple[SignedRecord, ...]]


class Committer:
    """Between the requests and the database of one process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: deque[_Waiting] = deque()
        self._records_waiting = 0
        self._arrived = asyncio.Event()

    async def commit(self, batch: list[SignedRecord]) -> tuple[SignedRecord, ...]:
        """Store the records; those that PostgreSQL refused. Returns after the commit.

        Raises `Overloaded` at once, and `DatabaseUnavailable`.
        """
        if self._records_waiting + len(batch) > MOST_WAITING and self._queue:
            raise Overloaded
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._records_waiting += len(batch)
        self._arrived.set()
        return await waiting.done

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as writers:
            for _ in range(WRITERS):
                writers.create_task(self._write_groups())

    async def _write_groups(self) -> None:
        while True:
            await self._arrived.wait()
            group = self._next_group()
            if group:
                await self._write(group)

    def _next_group(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        while self._queue and (not group or size + len(self._queue[0].batch) <= MOST_IN_GROUP):
            waiting = self._queue.popleft()
            size += len(waiting.batch)
            group.append(waiting)
        self._records_waiting -= size
        if not self._queue:
            self._arrived.clear()
        return group

    async def _write(self, group: list[_Waiting]) -> None:
        records = [record for waiting in group for record in waiting.batch]
        try:
            async with self._database.driver() as driver:
                started = time.perf_counter()
                outcome = await write_batch(driver, records)
                _count(outcome, size=len(records), seconds=time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001 - it belongs to the requests, each gets it
            for waiting in group:
                if not waiting.done.done():
                    waiting.done.set_exception(error)
            return
        refused = {id(record) for record in outcome.refused}
        for waiting in group:
            if not waiting.done.done():  # its client may have left meanwhile
                own = tuple(r for r in waiting.batch if id(r) in refused) if refused else ()
                waiting.done.set_result(own)


def _count(outcome: Outcome, *, size: int, seconds: float) -> None:
    metrics.RECORDS_ACCEPTED.inc(outcome.stored)
    metrics.RECORDS_RESENT.inc(outcome.resent)
    metrics.SIGNATURES.inc(outcome.new_signatures)
    metrics.COMMIT_SECONDS.observe(seconds)
    metrics.BATCH_RECORDS.observe(size)
