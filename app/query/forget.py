"""Deletes what a person asked to have forgotten, wherever this process reaches it.

What incidents, services and signatures counted stays as it was: a count names nobody. The counts
of a histogram follow: they are those of the records that there are.
"""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from msgspec import Meta
from sqlalchemy.exc import DBAPIError

from app.database import Database
from app.errors import AppError
from app.query import forget_queries as queries
from app.query.search import Search, parse_search
from app.query.search.model import Everything
from app.store import spool_sift
from app.store.spool import Spool
from app.store.spool_sift import Spooled

DRAIN_SECONDS: Final = 10.0
UNREACHED: Final = (
    "Backups and write-ahead log of the database; deleted rows leave its files by VACUUM.",
    "Spools of other machines: there run `prodsentinel forget` too.",
    "Catalogue entries, their samples and earlier versions: those are documents.",
    "What stands behind the first 65,536 characters of a record, which no search reads.",
    "Alerts already sent, notes that people wrote, and the masked titles of signatures.",
    "Records that were under way meanwhile, and those that come later: ask again in a minute.",
)
Tell = Callable[[int], None]


class ForgetsAll(AppError):
    """An empty search would forget everything; name what is to be forgotten."""


class Unconfirmed(AppError):
    """Nothing was deleted: add `confirm` (`--yes`); `dry_run` (`--dry-run`) only counts."""


class ForgetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be forgotten, and who says so."""

    q: Annotated[str, Meta(max_length=16_000, pattern=r"^[^\x00]*$", examples=["correlation:o-1"])]
    done_by: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
    """Who asks for it, for the audit."""
    confirm: bool = False
    dry_run: bool = False
    """Only count."""
    keep_query: bool = True
    """False: the audit holds the search's SHA-256 alone, for a search that is itself personal."""


class ForgetCounts(msgspec.Struct, frozen=True, kw_only=True):
    records: int = 0
    """Log records of the database."""
    spooled: int = 0
    """Records that waited in this machine's spool."""
    set_aside: int = 0
    """Records of the spool that the database had refused."""
    evidence: int = 0
    """Copies that incidents kept of records."""
    samples: int = 0
    """Signatures whose sample held the text; it was redacted."""


class ForgetReport(msgspec.Struct, frozen=True, kw_only=True):
    forgetting_id: UUID | None
    """Of the audit; null for a dry run."""
    dry_run: bool
    counts: ForgetCounts
    unreached: tuple[str, ...]
    """What may still hold it, for people to see to."""
    kept: str = "What incidents, services and signatures counted stays as it was."


class Forgetter:
    """`forget` over one database and this machine's spool."""

    def __init__(self, database: Database, spool: Spool | None) -> None:
        self._database = database
        self._spool = spool

    async def forget(self, request: ForgetRequest, tell: Tell = lambda _: None) -> ForgetReport:
        """Each batch is a transaction of its own, with its line of the audit.

        `tell` hears how many records of the database were deleted so far. Raises `ForgetsAll`,
        `Unconfirmed`, `InvalidSearch`, `DatabaseUnavailable`, `SpoolBroken`.
        """
        search = _checked(request)
        name = None if request.dry_run else await self._begin(request)
        run = _Run(self._database, self._spool, search, name, tell)
        await run.spool()
        await run.records()
        await run.evidence()
        await run.samples()
        await run.end()
        return ForgetReport(
            forgetting_id=name,
            dry_run=request.dry_run,
            counts=run.counts,
            unreached=(*UNREACHED, *run.unreached),
        )

    async def count(self, request: ForgetRequest) -> int:
        """Log records of the database that match now."""
        async with self._database.session() as session:
            await queries.patiently(session)
            return await queries.count_matching(session, _checked(request))

    async def _begin(self, request: ForgetRequest) -> UUID:
        row = {
            "done_by": request.done_by,
            "query": request.q if request.keep_query else None,
            "query_sha256": hashlib.sha256(request.q.encode()).hexdigest(),
        }
        async with self._database.session() as session:
            return await queries.begin_audit(session, row)


def _checked(request: ForgetRequest) -> Search:
    search = parse_search(request.q)
    if isinstance(search, Everything):
        raise ForgetsAll
    if not request.dry_run and not request.confirm:
        raise Unconfirmed
    return search


class _Run:
    """One forgetting; without a name it only counts."""

    def __init__(
        self, database: Database, spool: Spool | None, search: Search, name: UUID | None, tell: Tell
    ) -> None:
        self.counts = ForgetCounts()
        self.unreached: list[str] = []
        self._database = database
        self._spool = spool
        self._search = search
        self._name = name
        self._tell = tell

    async def spool(self) -> None:
        """Before the database: what drains meanwhile would come after the deletion."""
        spool = self._spool
        if spool is None:
            return
        ended = time.monotonic() + DRAIN_SECONDS
        while True:
            with spool.draining() as is_ours:
                if is_ours:
                    await self._sift(spool)
                    return
            if time.monotonic() > ended:
                self.unreached.append("This machine's spool is being drained: ask again later.")
                return
            await asyncio.sleep(0.2)

    async def _sift(self, spool: Spool) -> None:
        await self._each(spool, spool_sift.next_batch, self._sift_batch)
        await self._each(spool, spool_sift.next_set_aside, self._sift_set_aside)
        if self._name:
            await asyncio.to_thread(spool_sift.empty_log, spool)
        if unreadable := await asyncio.to_thread(spool_sift.unreadable_records, spool):
            self.unreached.append(f"{unreadable:,} records of the spool that cannot be read.")

    async def _each(
        self,
        spool: Spool,
        following: Callable[[Spool, int], Spooled | None],
        sift: Callable[[Spool, Spooled, set[Any]], Awaitable[None]],
    ) -> None:
        last = 0
        while found := await asyncio.to_thread(following, spool, last):
            last = found.id
            if found.records is None:
                self.unreached.append("A batch of the spool that cannot be read.")
                continue
            try:
                async with self._database.session() as session:
                    wanted = await queries.matching_given(session, self._search, found.records)
            except DBAPIError:
                # That is why PostgreSQL refused it: it can hold no such text.
                self.unreached.append("A record of the spool that the database cannot read.")
                continue
            if wanted:
                await sift(spool, found, wanted)

    async def _sift_batch(self, spool: Spool, batch: Spooled, wanted: set[Any]) -> None:
        records = batch.records or ()
        kept = [
            one
            for one in records
            if (one.correlation_id, one.occurred_at, one.record_id) not in wanted
        ]
        self._add(spooled=len(records) - len(kept))
        if self._name:
            await asyncio.to_thread(spool_sift.keep_only, spool, batch.id, kept)
            await self._note()

    async def _sift_set_aside(self, spool: Spool, one: Spooled, _: set[Any]) -> None:
        self._add(set_aside=1)
        if self._name:
            await asyncio.to_thread(spool_sift.drop_set_aside, spool, one.id)
            await self._note()

    async def records(self) -> None:
        async with self._database.session() as reading:
            await queries.patiently(reading)
            if self._name is None:
                self._add(records=await queries.count_matching(reading, self._search))
                return
            async for keys in queries.matching_keys(reading, self._search):
                await self._delete(keys)
                self._tell(self.counts.records)

    async def _delete(self, keys: Any) -> None:
        async with self._database.session() as session:
            deleted, gone = await queries.delete_records(session, keys)
            self._add(records=deleted)
            await self._note(session)
        async with self._database.session() as session:
            redacted = await queries.redact_showing(session, gone)
            self._add(samples=len(redacted))
            await self._note(session)

    async def evidence(self) -> None:
        async with self._database.session() as session:
            await queries.patiently(session)
            found = await queries.matching_evidence(session, self._search)
        for one in found:
            self._add(evidence=len(one.records))
            if self._name:
                async with self._database.session() as session:
                    await queries.strip_evidence(session, one)
                    await self._note(session)

    async def samples(self) -> None:
        """Those whose record is long gone, too."""
        async with self._database.session() as session:
            await queries.patiently(session)
            found = await queries.matching_samples(session, self._search)
            self._add(samples=len(found))
            if self._name:
                await queries.redact(session, found)
                await self._note(session)

    async def end(self) -> None:
        if self._name:
            async with self._database.session() as session:
                await queries.note(
                    session,
                    self._name,
                    finished_at=datetime.now(UTC),
                    unreached=[*UNREACHED, *self.unreached],
                )

    def _add(self, **more: int) -> None:
        totals = {name: getattr(self.counts, name) + number for name, number in more.items()}
        self.counts = msgspec.structs.replace(self.counts, **totals)

    async def _note(self, session: Any = None) -> None:
        if session is None:
            async with self._database.session() as own:
                await self._note(own)
        elif self._name:
            await queries.note(session, self._name, counts=msgspec.to_builtins(self.counts))
