"""The background stage: settled chains -> root cause -> match -> incident.

Its work stands in the database (`chain_marks`) and is taken in the transaction that does it, so
a crash loses nothing. One replica digests at a time; when it dies, the next one goes on.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app import metrics
from app.catalogue.live import LiveCatalogue, compile_matcher
from app.catalogue.matcher import Matcher
from app.catalogue.matching import Shortcut, Tally, match_signatures
from app.correlate.chain import Chain, Link, correlate
from app.correlate.queries import links_of, settled_chains, take_marks
from app.database import Database, DatabaseUnavailable
from app.incidents import queries
from app.settings import Settings

log = structlog.get_logger(__name__)

CHAINS_A_ROUND: Final = 500
GAUGE_SECONDS: Final = 5.0
REFRESH_SECONDS: Final = 1.0
LONGEST_REST_SECONDS: Final = 1.0
BUSY_RECORDS_A_SECOND: Final = 5_000
REST_WHILE_BUSY: Final = 5


class Digested(msgspec.Struct, frozen=True, kw_only=True):
    """A chain and its root."""

    correlation_id: str
    chain: Chain
    root: Link

    @property
    def signature_id(self) -> str:
        return self.root.signature_id or ""

    @property
    def records(self) -> int:
        return len(self.chain.links)


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction of the digest did; told to metrics and log once it is committed."""

    chains: int = 0
    opened: tuple[tuple[UUID, str], ...] = ()
    """Incident and root signature."""
    matched: Tally = Tally()


async def digest_round(database: Database, matcher: Matcher, settings: Settings) -> int:
    """Digest the chains that are settled now; how many there were.

    One chain that cannot be digested must not hold up the others: when a round fails, its
    chains go one by one, and those that fail are set aside until a further record marks them.
    """
    try:
        return await _digest(database, matcher, settings)
    except DatabaseUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the next lines find whose it is
        log.warning("digest_goes_one_by_one", reason=repr(error))
    done = 0
    async with database.session() as session:
        names = await settled_chains(
            session, quiet_seconds=settings.quiet_seconds, limit=CHAINS_A_ROUND
        )
    for name in names:
        try:
            done += await _digest(database, matcher, settings, only=name)
        except DatabaseUnavailable:
            raise
        except Exception:
            metrics.DIGEST_FAILURES.inc()
            log.exception("chain_set_aside", chain=name)
            async with database.session() as session:
                await take_marks(session, [name])
    return done


async def _digest(
    database: Database, matcher: Matcher, settings: Settings, *, only: str | None = None
) -> int:
    async with database.session() as session:
        names = await settled_chains(
            session, quiet_seconds=settings.quiet_seconds, limit=CHAINS_A_ROUND
        )
        if only is not None:
            names = [name for name in names if name == only]
        if not names:
            return 0
        done = await _digest_chains(session, matcher, names, most=settings.max_chain_records)
    _tell(done)
    return len(names)


async def _digest_chains(
    session: AsyncSession, matcher: Matcher, names: list[str], *, most: int
) -> Round:
    await take_marks(session, names)
    digested = [item async for item in _correlated(await links_of(session, names, most=most))]
    opened = await _extend_incidents(session, digested)
    seen = {name for item in digested for name in (item.signature_id, *item.chain.symptoms)}
    matched = await match_signatures(session, matcher, among=seen)
    return Round(chains=len(digested), opened=opened, matched=matched)


async def _correlated(links: dict[str, list[Link]]) -> Any:
    for name, records in links.items():
        await asyncio.sleep(0)  # a round of long chains must not hold up the requests
        chain = correlate(records)
        if chain.root:
            yield Digested(correlation_id=name, chain=chain, root=chain.root)


def _tell(done: Round) -> None:
    metrics.CHAINS_DIGESTED.inc(done.chains)
    metrics.INCIDENTS_OPENED.inc(len(done.opened))
    done.matched.tell()
    for incident_id, signature_id in done.opened:
        log.info("incident_opened", incident_id=str(incident_id), signature=signature_id)


async def _extend_incidents(
    session: AsyncSession, digested: list[Digested]
) -> tuple[tuple[UUID, str], ...]:
    if not digested:
        return ()
    before = await queries.digested_before(session, [item.correlation_id for item in digested])
    homes: dict[str, UUID] = {}
    fresh: list[Digested] = []
    for item in digested:
        known = before.get(item.correlation_id)
        first_left = item.chain.links[0].occurred_at
        if known and first_left > known.last_at:
            known = None  # all that it was made from is gone: these records tell something new
        elif known and first_left > known.first_at:
            continue  # what is left of a chain must not change what the whole of it told
        if known and known.root_signature_id == item.signature_id:
            homes[item.correlation_id] = known.incident_id
            await queries.extend_incident(session, known.incident_id, _late(item, known))
            continue
        if known:
            await queries.leave_incident(session, known.incident_id, records=known.records)
        fresh.append(item)
    opened = []
    fresh.sort(key=lambda item: item.signature_id)
    for signature_id, group in groupby(fresh, key=lambda item: item.signature_id):
        chains = list(group)
        incident_id, is_new = await queries.extend_open_incident(
            session, signature_id, _contribution(chains)
        )
        homes |= {item.correlation_id: incident_id for item in chains}
        opened += [(incident_id, signature_id)] if is_new else []
    if rows := [
        _chain_row(item, homes[item.correlation_id])
        for item in digested
        if item.correlation_id in homes
    ]:
        await queries.save_digested(session, rows)
    return tuple(opened)


def _contribution(chains: list[Digested]) -> dict[str, Any]:
    """What these chains add to an incident."""
    return {
        "services": _distinct(name for item in chains for name in item.chain.services),
        "environments": _distinct(link.environment for i in chains for link in i.chain.links),
        "releases": _distinct(link.release for i in chains for link in i.chain.links),
        "first_seen": min(item.root.seen_at for item in chains),
        "last_seen": max(item.root.seen_at for item in chains),
        "chains": len(chains),
        "records": sum(item.records for item in chains),
    }


def _late(item: Digested, known: Any) -> dict[str, Any]:
    """What late records add for a chain that the incident counts already."""
    return {**_contribution([item]), "chains": 0, "records": item.records - known.records}


def _distinct(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value})


def _chain_row(item: Digested, incident_id: UUID) -> dict[str, Any]:
    links = item.chain.links
    return {
        "correlation_id": item.correlation_id,
        "incident_id": incident_id,
        "root_record_id": item.root.record_id,
        "root_signature_id": item.signature_id,
        "root_service": item.root.service,
        "symptoms": list(item.chain.symptoms),
        "services": list(item.chain.services),
        "records": item.records,
        "errors": sum(link.is_error for link in links),
        "first_at": links[0].occurred_at,
        "last_at": links[-1].occurred_at,
    }


class Digest:
    """The loop around the rounds; one in each process."""

    def __init__(
        self,
        database: Database,
        catalogue: LiveCatalogue,
        settings: Settings,
        *,
        records_written: Callable[[], int] = lambda: 0,
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._settings = settings
        self._records_written = records_written
        self._last_success = time.monotonic()
        self._gauge_due = time.monotonic()
        self._refresh_due = time.monotonic()
        self._catalogue_is_current = False
        self._rematching = ""
        self._shortcut: Shortcut | None = None

    def seconds_since_success(self) -> float:
        """How long ago a round last ended well, in seconds."""
        return time.monotonic() - self._last_success

    async def run(self) -> None:
        """Round after round until cancelled; a failing round is logged, counted, tried again."""
        while True:
            busy = False
            started = time.monotonic()
            try:
                busy = await self._round()
                self._last_success = time.monotonic()
            except DatabaseUnavailable as error:
                metrics.DIGEST_FAILURES.inc()
                log.warning("digest_waits_for_database", reason=repr(error.__cause__))
            except Exception:
                metrics.DIGEST_FAILURES.inc()
                log.exception("digest_round_failed")
            if busy:
                await self._rest(time.monotonic() - started)
            else:
                await asyncio.sleep(self._settings.digest_interval_seconds)

    async def _rest(self, worked: float) -> None:
        """It shares an interpreter with the requests: as long as it worked, and longer while
        they keep it busy. What waits for it waits in the database."""
        before, looked = self._records_written(), time.monotonic()
        await asyncio.sleep(min(worked, LONGEST_REST_SECONDS))
        rate = (self._records_written() - before) / (time.monotonic() - looked)
        if rate > BUSY_RECORDS_A_SECOND:
            await asyncio.sleep(min(worked * REST_WHILE_BUSY, LONGEST_REST_SECONDS))

    async def _round(self) -> bool:
        await self._refresh()
        chains = await digest_round(self._database, self._catalogue.matcher, self._settings)
        rematched = await self._rematch()
        if time.monotonic() >= self._gauge_due:
            self._gauge_due = time.monotonic() + GAUGE_SECONDS
            async with self._database.session() as session:
                metrics.INCIDENTS_OPEN.set(await queries.count_unresolved(session))
        return chains > 0 or rematched > 0

    async def _refresh(self) -> None:
        """Follow the catalogue: after an import, a verdict or a quarantine, all is matched anew."""
        if time.monotonic() < self._refresh_due:
            return
        self._refresh_due = time.monotonic() + REFRESH_SECONDS
        async with self._database.session() as session:
            await self._catalogue.refresh(session)
        # The upkeep refreshes too: what counts is which catalogue was matched to the end.
        newest = self._catalogue.matcher.catalogue_hash
        if newest != self._rematching:
            self._rematching = newest
            self._catalogue_is_current = False
            change = self._catalogue.change
            known = change if change and change.after == newest else None
            self._shortcut = (
                Shortcut(known.before, compile_matcher(known.entries), known.gone)
                if known
                else None
            )

    async def _rematch(self) -> int:
        """Hold signatures of earlier days against a catalogue that changed, 500 at a time."""
        if self._catalogue_is_current:
            return 0
        async with self._database.session() as session:
            done = await match_signatures(session, self._catalogue.matcher, shortcut=self._shortcut)
        done.tell()
        self._catalogue_is_current = done.total() == 0
        return done.total()
