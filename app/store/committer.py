"""Group commit: requests in flight share a transaction, and each is answered after its commit.

A lone request is written at once. While a transaction runs, what comes in gathers, and the next
one takes all of it (DeWitt et al., SIGMOD 1984): under load commits grow larger, not more. When
the database does not take a group in time, the spool does.
"""

import asyncio
import time
from typing import Final

import msgspec

from app import metrics
from app.database import Database, DatabaseUnavailable, OwnConnection
from app.store.batch import SignedRecord
from app.store.fairness import FairQueue
from app.store.outage import Outage
from app.store.writer import Outcome, write_batch

WRITERS: Final = 2
"""Transactions at a time: while one waits for the disk, the next is being copied."""
MOST_IN_GROUP: Final = 2_500

Refused = tuple[SignedRecord, ...]


class _Waiting(msgspec.Struct, frozen=True):
    """Records that are stored together, and where their outcome goes."""

    batch: list[SignedRecord]
    done: asyncio.Future[Refused]


def _weigh(waiting: _Waiting) -> int:
    return len(waiting.batch)


class _Lane:
    """Requests that may share transactions, and the word that some are waiting."""

    def __init__(self, *, is_relaxed: bool) -> None:
        self.is_relaxed = is_relaxed
        self.queue = FairQueue[_Waiting](weigh=_weigh)
        self.arrived = asyncio.Event()

    def push(self, sender: str, waiting: _Waiting) -> None:
        self.queue.push(sender, waiting)
        self.arrived.set()

    async def next_group(self) -> list[_Waiting]:
        await self.arrived.wait()
        # What arrives in this same turn of the loop joins the group.
        await asyncio.sleep(0)
        group = self.queue.take(MOST_IN_GROUP)
        if not self.queue:
            self.arrived.clear()
        return group


class Committer:
    """Between the requests and the disk of one process."""

    def __init__(self, database: Database, outage: Outage) -> None:
        self._database = database
        self._outage = outage
        # What waits for the disk and what does not never share a transaction.
        self._durable = _Lane(is_relaxed=False)
        self._relaxed = _Lane(is_relaxed=True)

    def submit(
        self, batch: list[SignedRecord], *, sender: str, relaxed: bool = False
    ) -> asyncio.Future[Refused]:
        """Done when the records are on disk; the result are those that PostgreSQL refused.

        The future raises `DatabaseUnavailable` when the spool did not take them either.
        """
        done: asyncio.Future[Refused] = asyncio.get_running_loop().create_future()
        lane = self._relaxed if relaxed else self._durable
        lane.push(sender, _Waiting(batch, done))
        return done

    async def run(self) -> None:
        """Write until cancelled."""
        async with asyncio.TaskGroup() as writers:
            writers.create_task(self._write_groups(self._relaxed))
            for _ in range(WRITERS):
                writers.create_task(self._write_groups(self._durable))

    async def _write_groups(self, lane: _Lane) -> None:
        connection = self._database.own_connection(is_relaxed=lane.is_relaxed)
        try:
            while True:
                if group := await lane.next_group():
                    await self._settle(group, connection)
        finally:
            connection.drop()

    async def _settle(self, group: list[_Waiting], connection: OwnConnection) -> None:
        try:
            outcome = await self._store([r for w in group for r in w.batch], connection)
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

    async def _store(self, records: list[SignedRecord], connection: OwnConnection) -> Outcome:
        if not self._outage.is_on:
            try:
                return await self._write(records, connection)
            except (DatabaseUnavailable, TimeoutError) as error:
                self._outage.begin(error)
        await self._outage.keep(records)
        return Outcome()

    async def _write(self, records: list[SignedRecord], connection: OwnConnection) -> Outcome:
        started = time.perf_counter()
        async with connection.use(seconds=self._outage.patience) as driver:
            outcome = await write_batch(driver, records)
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
        metrics.BATCH_RECORDS.observe(len(records))
        metrics.RECORDS_RESENT.inc(outcome.resent)
        metrics.SIGNATURES.inc(outcome.new_signatures)
        return outcome
