"""The background stage: settled chains -> root cause -> match -> incident.

Its work stands in the database (`chain_marks`) and is taken in the transaction that does it, so
a crash loses nothing and replicas share the work.
"""

import asyncio
import time
from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app import metrics
from app.catalogue.matcher import Matcher
from app.catalogue.matching import match_signatures
from app.correlate.chain import Chain, Link, correlate
from app.correlate.queries import links_of, take_settled_chains
from app.database import Database, DatabaseUnavailable
from app.incidents import queries
from app.settings import Settings

log = structlog.get_logger(__name__)

CHAINS_A_ROUND: Final = 200
GAUGE_SECONDS: Final = 5.0


class Digested(msgspec.Struct, frozen=True, kw_only=True):
    """A chain and its contribution to an incident."""

    correlation_id: str
    chain: Chain
    root: Link

    @property
    def signature_id(self) -> str:
        assert self.root.signature_id is not None  # noqa: S101 - a root is an error
        return self.root.signature_id

    @property
    def records(self) -> int:
        return len(self.chain.links)

    @property
    def first_at(self) -> datetime:
        return self.chain.links[0].occurred_at

    @property
    def last_at(self) -> datetime:
        return self.chain.links[-1].occurred_at


async def digest_round(database: Database, matcher: Matcher, settings: Settings) -> int:
    """Digest the chains that are settled now, in one transaction; how many there were."""
    async with database.session() as session:
        names = await take_settled_chains(
            session, quiet_seconds=settings.quiet_seconds, limit=CHAINS_A_ROUND
        )
        if not names:
            return 0
        links = await links_of(session, names, most=settings.max_chain_records)
        digested = _correlate_all(links)
        await _extend_incidents(session, digested)
        seen = {signature for item in digested for signature in _signatures(item)}
        await match_signatures(session, matcher, among=seen)
    metrics.CHAINS_DIGESTED.inc(len(digested))
    return len(names)


def _correlate_all(links: dict[str, list[Link]]) -> list[Digested]:
    chains = ((name, correlate(records)) for name, records in links.items())
    return [
        Digested(correlation_id=name, chain=chain, root=chain.root)
        for name, chain in chains
        if chain.root
    ]


def _signatures(item: Digested) -> tuple[str, ...]:
    return (item.signature_id, *item.chain.symptoms)


async def _extend_incidents(session: AsyncSession, digested: list[Digested]) -> None:
    if not digested:
        return
    before = await queries.digested_before(session, [item.correlation_id for item in digested])
    homes: dict[str, UUID] = {}
    fresh: list[Digested] = []
    for item in sorted(digested, key=_by_signature):
        known = before.get(item.correlation_id)
        if known and known.root_signature_id == item.signature_id:
            homes[item.correlation_id] = known.incident_id
            await queries.adjust_incident(session, _change(item, known))
            continue
        if known:
            await queries.leave_incident(session, known.incident_id, records=known.records)
        fresh.append(item)
    # Sorted by signature: replicas that extend the same incidents lock them in the same order.
    for _, group in groupby(fresh, key=_by_signature):
        homes |= await _extend(session, list(group))
    await queries.save_digested(
        session, [_chain_row(item, homes[item.correlation_id]) for item in digested]
    )


def _by_signature(item: Digested) -> str:
    return item.signature_id


async def _extend(session: AsyncSession, group: list[Digested]) -> dict[str, UUID]:
    """One statement for all chains of one root signature."""
    incident_id, is_new = await queries.extend_open_incident(
        session,
        {
            "root_signature_id": group[0].signature_id,
            "services": _distinct(s for item in group for s in item.chain.services),
            "environments": _distinct(k.environment for i in group for k in i.chain.links),
            "releases": _distinct(link.release for i in group for link in i.chain.links),
            "first_seen": min(item.root.occurred_at for item in group),
            "last_seen": max(item.root.occurred_at for item in group),
            "chains": len(group),
            "records": sum(item.records for item in group),
        },
    )
    if is_new:
        metrics.INCIDENTS_OPENED.inc()
        log.info("incident_opened", incident_id=str(incident_id), signature=group[0].signature_id)
    return {item.correlation_id: incident_id for item in group}


def _distinct(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value})


def _change(item: Digested, known: Any) -> dict[str, Any]:
    """Late records of a chain that an incident counts already."""
    return {
        "incident_id": known.incident_id,
        "services": list(item.chain.services),
        "last_seen": item.root.occurred_at,
        "chains": 0,
        "records": item.records - known.records,
    }


def _chain_row(item: Digested, incident_id: UUID) -> dict[str, Any]:
    return {
        "correlation_id": item.correlation_id,
        "incident_id": incident_id,
        "root_record_id": item.root.record_id,
        "root_signature_id": item.signature_id,
        "root_service": item.root.service,
        "symptoms": list(item.chain.symptoms),
        "services": list(item.chain.services),
        "records": item.records,
        "errors": sum(link.is_error for link in item.chain.links),
        "first_at": item.first_at,
        "last_at": item.last_at,
    }


class Digest:
    """The loop around the rounds; one in each process."""

    def __init__(self, database: Database, matcher: Matcher, settings: Settings) -> None:
        self._database = database
        self._matcher = matcher
        self._settings = settings
        self._last_success = time.monotonic()
        self._gauged = 0.0
        self._catalogue_is_current = False

    def seconds_since_success(self) -> float:
        """How long ago a round last ended well, in seconds."""
        return time.monotonic() - self._last_success

    async def run(self) -> None:
        """Round after round until cancelled; a failing round is logged, counted and tried again."""
        while True:
            busy = False
            try:
                busy = await self._round()
                self._last_success = time.monotonic()
            except DatabaseUnavailable as error:
                metrics.DIGEST_FAILURES.inc()
                log.warning("digest_waits_for_database", reason=repr(error.__cause__))
            except Exception:
                metrics.DIGEST_FAILURES.inc()
                log.exception("digest_round_failed")
            if not busy:
                await asyncio.sleep(self._settings.digest_interval_seconds)

    async def _round(self) -> bool:
        chains = await digest_round(self._database, self._matcher, self._settings)
        rematched = await self._rematch()
        if time.monotonic() - self._gauged > GAUGE_SECONDS:
            self._gauged = time.monotonic()
            async with self._database.session() as session:
                metrics.INCIDENTS_OPEN.set(await queries.count_unresolved(session))
        return chains == CHAINS_A_ROUND or rematched > 0

    async def _rematch(self) -> int:
        """After a start: hold signatures of earlier days against a catalogue that changed."""
        if self._catalogue_is_current:
            return 0
        async with self._database.session() as session:
            count = await match_signatures(session, self._matcher)
        self._catalogue_is_current = count == 0
        return count
