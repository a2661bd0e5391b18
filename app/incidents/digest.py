"""The background stage: settled chains -> root cause -> match -> incident.

Its work stands in the database (`chain_marks`) and is taken in the transaction that does it, so
a crash loses nothing. Replicas share it: each goes past the chains that another one has.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import structlog

from app import metrics
from app.catalogue.live import LiveCatalogue, compile_matcher
from app.catalogue.matcher import Matcher
from app.catalogue.matching import Shortcut, match_signatures
from app.correlate.queries import (
    Settled,
    claim_chain,
    claim_settled,
    mark_later,
    take_marks,
)
from app.correlate.sequence_queries import (
    fold_sequences,
    untold_gaps,
)
from app.database import Database, DatabaseUnavailable, may_pass
from app.incidents import queries
from app.incidents.change_queries import save_event
from app.incidents.life import end_silences
from app.incidents.rounds import Round, digest_chains
from app.incidents.tables import EventKind
from app.settings import Settings

log = structlog.get_logger(__name__)

CHAINS_A_ROUND: Final = 500
GAUGE_SECONDS: Final = 5.0
SILENCE_SECONDS: Final = 60.0
REFRESH_SECONDS: Final = 1.0
GAP_GRACE_SECONDS: Final = 30.0
"""So long numbered records may be on their way before anybody is told that they are missing."""
SET_BACK: Final = timedelta(seconds=10)
LONGEST_REST_SECONDS: Final = 3.0
LATE_SECONDS: Final = 0.5
REST_WHEN_LATE: Final = 0.2
BUSY_RECORDS_A_SECOND: Final = 10_000
REST_WHILE_BUSY: Final = 10


class Digestion(msgspec.Struct, frozen=True, kw_only=True):
    """What a round did."""

    chains: int = 0
    late: float = 0.0
    """Seconds that the longest waiting chain had been settled."""


async def digest_round(database: Database, matcher: Matcher, settings: Settings) -> Digestion:
    """Digest the chains that are settled now.

    One chain that cannot be digested must not hold up the others: when a round fails, its
    chains go one by one, and those that fail are set aside until a further record marks them.
    What another time may do better, such as waiting for a lock, is raised, and tried again.
    """
    settled = Settled(names=[])
    try:
        async with database.session() as session:
            settled = await claim_settled(
                session, quiet_seconds=settings.quiet_seconds, limit=CHAINS_A_ROUND
            )
            names = settled.names
            if not names:
                return Digestion()
            done = await digest_chains(session, matcher, names, most=settings.max_chain_records)
    except DatabaseUnavailable:
        raise
    except Exception as error:
        if not settled.names:
            raise
        log.warning("digest_goes_one_by_one", reason=repr(error))
        return Digestion(chains=await _one_by_one(database, matcher, settings, settled.names))
    _tell(done)
    return Digestion(chains=done.taken, late=settled.waited - settings.quiet_seconds)


async def _one_by_one(
    database: Database, matcher: Matcher, settings: Settings, names: list[str]
) -> int:
    done = 0
    for name in names:
        try:
            done += await digest_now(database, matcher, settings, name)
        except DatabaseUnavailable:
            raise
        except Exception as error:
            if may_pass(error):
                await _set_back(database, name)
                raise
            metrics.DIGEST_FAILURES.inc()
            log.exception("chain_set_aside", chain=name)
            async with database.session() as session:
                await take_marks(session, [name])
    return done


async def _set_back(database: Database, name: str) -> None:
    """The others first: it may be this one that takes too long."""
    async with database.session() as session:
        await take_marks(session, [name])
        await mark_later(session, [(name, datetime.now(UTC) + SET_BACK)])


async def digest_now(database: Database, matcher: Matcher, settings: Settings, name: str) -> bool:
    """Digest a chain that waits, settled or not; False when it does not, or another one has it."""
    async with database.session() as session:
        if not await claim_chain(session, name):
            return False
        done = await digest_chains(session, matcher, [name], most=settings.max_chain_records)
    _tell(done)
    return True


async def settle(database: Database, matcher: Matcher, settings: Settings, name: str) -> None:
    """Digest a chain because somebody asks for it; one that cannot be stays as it is."""
    try:
        async with database.session() as session:
            await fold_sequences(session)
        await digest_now(database, matcher, settings, name)
    except DatabaseUnavailable:
        raise
    except Exception:
        metrics.DIGEST_FAILURES.inc()
        log.exception("chain_not_settled", chain=name)


async def follow_senders(database: Database, *, grace_seconds: float = GAP_GRACE_SECONDS) -> None:
    """Put together what senders numbered, and tell of what has been missing for too long."""
    more = True
    while more:
        async with database.session() as session:
            more = await fold_sequences(session)
    async with database.session() as session:
        gaps = await untold_gaps(session, grace_seconds=grace_seconds)
        for gap in gaps:
            title = f"{gap.records:,} records of {gap.service} never arrived"
            details = {**msgspec.to_builtins(gap), "title": title}
            await save_event(session, EventKind.GAP, None, details=details)
    for gap in gaps:
        metrics.RECORDS_MISSING.inc(gap.records)
        log.warning("records_missing", service=gap.service, records=gap.records)


def _tell(done: Round) -> None:
    metrics.CHAINS_DIGESTED.inc(done.chains)
    metrics.INCIDENTS_OPENED.inc(len(done.opened))
    metrics.INCIDENTS_REGRESSED.inc(len(done.regressed))
    done.matched.tell()
    for incident_id, signature_id in done.opened:
        log.info("incident_opened", incident_id=str(incident_id), signature=signature_id)
    for incident_id in done.regressed:
        log.warning("incident_regressed", incident_id=str(incident_id))


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
        self._silence_due = time.monotonic()
        self._refresh_due = time.monotonic()
        self._rate_since = time.monotonic()
        self._rate_from = 0
        self._last_rate = 0.0
        self._catalogue_is_current = False
        self._rematching = ""
        self._shortcut: Shortcut | None = None

    def seconds_since_success(self) -> float:
        """How long ago a round last ended well, in seconds."""
        return time.monotonic() - self._last_success

    async def run(self) -> None:
        """Round after round until cancelled; a failing round is logged, counted, tried again."""
        while True:
            late: float | None = None
            started = time.monotonic()
            try:
                late = await self._round()
                self._last_success = time.monotonic()
            except DatabaseUnavailable as error:
                metrics.DIGEST_FAILURES.inc()
                log.warning("digest_waits_for_database", reason=repr(error.__cause__))
            except Exception:
                metrics.DIGEST_FAILURES.inc()
                log.exception("digest_round_failed")
            if late is not None:
                await self._rest(time.monotonic() - started, late)
            else:
                await asyncio.sleep(self._settings.digest_interval_seconds)

    async def _rest(self, worked: float, late: float) -> None:
        """It shares an interpreter with the requests: as long as it worked, shorter when chains
        wait, and longer while requests keep it busy. What waits for it waits in the database."""
        share = REST_WHEN_LATE if late > LATE_SECONDS else 1.0
        if self._rate() > BUSY_RECORDS_A_SECOND:
            share = REST_WHILE_BUSY
        await asyncio.sleep(min(worked * share, LONGEST_REST_SECONDS))

    def _rate(self) -> float:
        """Records written a second, over at least one: groups are stored in bursts."""
        now, written = time.monotonic(), self._records_written()
        if now - self._rate_since >= 1.0:
            self._last_rate = (written - self._rate_from) / (now - self._rate_since)
            self._rate_since, self._rate_from = now, written
        return self._last_rate

    async def _round(self) -> float | None:
        """How late it is, in seconds; None when there was nothing to do."""
        await self._refresh()
        await self._follow_senders()
        done = await digest_round(self._database, self._catalogue.matcher, self._settings)
        rematched = await self._rematch()
        if time.monotonic() >= self._gauge_due:
            self._gauge_due = time.monotonic() + GAUGE_SECONDS
            async with self._database.session() as session:
                metrics.INCIDENTS_OPEN.set(await queries.count_unresolved(session))
        if time.monotonic() >= self._silence_due:
            self._silence_due = time.monotonic() + SILENCE_SECONDS
            async with self._database.session() as session:
                await end_silences(session, now=datetime.now(UTC))
        return done.late if done.chains or rematched else None

    async def _follow_senders(self) -> None:
        """Should this fail, chains are digested all the same."""
        try:
            await follow_senders(self._database)
        except DatabaseUnavailable:
            raise
        except Exception:
            metrics.DIGEST_FAILURES.inc()
            log.exception("senders_not_followed")

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
