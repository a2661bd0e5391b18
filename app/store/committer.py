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
from app.store.writer import Outcome, Watch, watch_nothing, write_batch

MOST_IN_GROUP: Final = 2_500
PLENTY: Final = 500
"""Records that are worth a second transaction beside the one under way; fewer join the next."""

Refused = tuple[SignedRecord, ...]


class _Waiting(msgspec.Struct, frozen=True):
    """Records that are stored together, and where their outcome goes."""

    batch: list[SignedRecord]
    done: asyncio.Future[Refused]


def _weigh(waiting: _Waiting) -> int:
    return len(waiting.batch)


class _Lane:
    """Requests that may share transactions, and the word that some are waiting."""

    def __init__(self) -> None:
        self._queue = FairQueue[_Waiting](weigh=_weigh)
        self._some = asyncio.Event()
        self._plenty = asyncio.Event()

    def push(self, sender: str, waiting: _Waiting) -> None:
        self._queue.push(sender, waiting)
        self._tell()

    async def next_group(self, *, only_plenty: bool) -> list[_Waiting]:
        await (self._plenty if only_plenty else self._some).wait()
        # What arrives in this same turn of the loop joins the group.
        await asyncio.sleep(0)
        group = self._queue.take(MOST_IN_GROUP)
        self._tell()
        return group

    def _tell(self) -> None:
        for event, least in ((self._some, 1), (self._plenty, PLENTY)):
            if self._queue.weight < least:
                event.clear()
            elif not event.is_set():
                event.set()


class Committer:
    """Between the requests and the disk of one process."""

    def __init__(self, database: Database, outage: Outage, watch: Watch = watch_nothing) -> None:
        self._database = database
        self._watch = watch
        self._outage = outage
        # What waits for the disk and what does not never share a transaction.
        self._durable = _Lane()
        self._relaxed = _Lane()
        self.records_written = 0

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
            writers.create_task(self._write_groups(self._durable))
            writers.create_task(self._write_groups(self._durable, only_plenty=True))
            writers.create_task(self._write_groups(self._relaxed, is_relaxed=True))

    async def _write_groups(
        self, lane: _Lane, *, only_plenty: bool = False, is_relaxed: bool = False
    ) -> None:
        connection = self._database.own_connection(is_relaxed=is_relaxed)
        try:
            while True:
                if group := await lane.next_group(only_plenty=only_plenty):
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
            outcome = await write_batch(driver, records, self._watch)
        self.records_written += len(records)
        metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
        metrics.BATCH_RECORDS.observe(len(records))
        metrics.RECORDS_RESENT.inc(outcome.resent)
        metrics.SIGNATURES.inc(outcome.new_signatures)
        return outcome
