"""While PostgreSQL is away: records go to the spool, and from there into the database again."""

import asyncio
import math
import time
from contextlib import suppress
from typing import Final, Literal

import msgspec
import structlog

from app import metrics
from app.database import Database, DatabaseUnavailable, OwnConnection
from app.normalise.record import LogRecord
from app.store import queries
from app.store.batch import SignedRecord, signed
from app.store.spool import Spool, SpoolBroken, SpooledBatch, SpoolFull, SpoolState
from app.store.writer import Watch, watch_nothing, write_batch

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.5
"""How often an absent database is looked for, and the spool for something to drain."""
BROKEN_SECONDS: Final = 10.0
"""How long a write that failed counts: then senders are asked in again, to find out."""
LONGEST_DRAIN_SECONDS: Final = 30.0
"""A batch of the spool may take longer than a request: nobody waits for its answer."""
DRAINED_TOGETHER: Final = 2_000
"""Records: while the database was away, requests were spooled in small batches."""


class SpoolReport(msgspec.Struct, frozen=True, kw_only=True):
    """For health: whether the spool would take records, and how many wait in it."""

    state: Literal["off", "empty", "filled", "full", "broken"]
    records: int = 0
    set_aside: int = 0


class Outage:
    """Whether the database is away, and the way back."""

    def __init__(
        self,
        database: Database,
        spool: Spool | None,
        *,
        patience: float,
        watch: Watch = watch_nothing,
    ) -> None:
        self.patience = patience
        """Seconds that a transaction may take before its records go to the spool."""
        self.is_on = False
        self._database = database
        self._spool = spool
        self._watch = watch
        self._broke_at = -math.inf
        self._drained_together = DRAINED_TOGETHER

    def begin(self, reason: BaseException) -> None:
        """From now on records go to the spool at once; without one, each tries the database."""
        if self.is_on or self._spool is None:
            return
        self.is_on = True
        metrics.OUTAGES.inc()
        log.warning("database_away", reason=repr(reason.__cause__ or reason))

    async def keep(self, records: list[SignedRecord]) -> None:
        """Spool the records; on this machine's disk when it returns.

        Raises `SpoolFull`, `SpoolBroken`, and `DatabaseUnavailable` when there is no spool.
        """
        if self._spool is None:
            raise DatabaseUnavailable
        try:
            await asyncio.to_thread(self._spool.append, [one.record for one in records])
        except SpoolBroken:
            self._broke_at = time.monotonic()
            raise
        self._broke_at = -math.inf
        metrics.RECORDS_SPOOLED.inc(len(records))

    async def state(self) -> SpoolReport:
        """What waits on this machine."""
        if self._spool is None:
            return SpoolReport(state="off")
        try:
            found = await asyncio.to_thread(self._spool.state)
        except SpoolBroken:
            return SpoolReport(state="broken")
        return SpoolReport(
            state=self._state_of(found),
            records=found.records,
            set_aside=found.unstorable + found.unreadable,
        )

    def _state_of(self, found: SpoolState) -> Literal["empty", "filled", "full", "broken"]:
        # A quota or a failing disk shows only when something is written.
        if time.monotonic() - self._broke_at < BROKEN_SECONDS:
            return "broken"
        if found.full:
            return "full"
        return "filled" if found.records else "empty"

    async def run(self) -> None:
        """Look for the database and drain the spool, until cancelled."""
        if self._spool is None:
            return
        connection = self._database.own_connection()
        try:
            while True:
                await self._recover(self._spool, connection)
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            connection.drop()

    async def _recover(self, spool: Spool, connection: OwnConnection) -> None:
        try:
            if await asyncio.to_thread(spool.holds_any):
                with spool.draining() as is_ours:
                    if is_ours:
                        await self._drain(spool, connection)
        except DatabaseUnavailable as error:
            self.begin(error)
            return
        except (SpoolBroken, SpoolFull) as error:
            log.warning("spool_not_drained", reason=repr(error.__cause__))
        except TimeoutError:
            log.warning("spool_not_drained", reason="the database took too long")
        except Exception:
            log.exception("drain_failed")
        # Whatever became of the drain: a database that is there is used.
        if self.is_on:
            with suppress(DatabaseUnavailable, TimeoutError):
                await self._look_for_database(connection)

    async def _drain(self, spool: Spool, connection: OwnConnection) -> None:
        drained = 0
        while batch := await asyncio.to_thread(spool.oldest, least=self._drained_together):
            started = time.perf_counter()
            # Should this fail, the next try is a smaller one.
            self._drained_together = 1
            refused = await self._write(batch, connection)
            self._drained_together = DRAINED_TOGETHER
            if time.perf_counter() - started < self.patience:
                self._end()
            # A crash before this line writes the batch again: its keys are stored by then.
            await asyncio.to_thread(spool.remove, batch.ids, unstorable=refused)
            metrics.RECORDS_DRAINED.inc(len(batch.records) - len(refused))
            if refused:
                metrics.RECORDS_SET_ASIDE.inc(len(refused))
                log.error("spooled_records_set_aside", records=len(refused))
            drained += len(batch.records)
        log.info("spool_drained", records=drained)

    async def _write(self, batch: SpooledBatch, connection: OwnConnection) -> list[LogRecord]:
        records = [signed(index, record) for index, record in enumerate(batch.records)]
        async with connection.use(seconds=LONGEST_DRAIN_SECONDS) as driver:
            outcome = await write_batch(driver, records, self._watch)
        metrics.SIGNATURES.inc(outcome.new_signatures)
        return [one.record for one in outcome.refused]

    async def _look_for_database(self, connection: OwnConnection) -> None:
        async with connection.use(seconds=self.patience) as driver:
            await driver.fetchval(queries.PING)
        self._end()

    def _end(self) -> None:
        if self.is_on:
            self.is_on = False
            log.info("database_back")
