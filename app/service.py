"""What one process runs beside its handlers: preparation, upkeep and health."""

import asyncio
import gc
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, Literal

import structlog
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.catalogue.documents import Compiled, compile_together, read_documents
from app.catalogue.health import check_health
from app.catalogue.live import LiveCatalogue, default_catalogue
from app.catalogue.queries import sync_known_issues
from app.correlate.queries import (
    marks_waiting,
)
from app.correlate.sequence_queries import (
    forget_senders,
)
from app.database import Database, DatabaseUnavailable
from app.errors import AppError
from app.incidents.digest import Digest
from app.receive.contract import Health
from app.revision import newest_revision
from app.settings import Settings
from app.store.outage import Outage
from app.store.partitions import make_partitions

log = structlog.get_logger(__name__)

UPKEEP_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 1.0
STALLED_SECONDS: Final = 30.0
HEALTH_SECONDS: Final = 2.0
"""A frozen database accepts connections and never answers."""


class NotMigrated(AppError):
    """The database is not at the revision this code expects; run `prodsentinel migrate`."""


async def check_revision(database: Database) -> None:
    """Raises `NotMigrated`, `DatabaseUnavailable`."""
    try:
        async with database.session() as session:
            revision = (
                await session.execute(text("SELECT version_num FROM alembic_version"))
            ).scalar_one_or_none()
    except ProgrammingError as error:
        raise NotMigrated from error
    if revision != newest_revision():
        raise NotMigrated


async def require_migrated(settings: Settings) -> None:
    """Raises `NotMigrated`; a database that is away may still come, so that is no error."""
    database = Database(settings.database_url, settings)
    try:
        with suppress(DatabaseUnavailable):
            await check_revision(database)
    finally:
        await database.close()


class Upkeep:
    """Partitions ahead of the day, the default catalogue stored, its entries' health."""

    def __init__(self, database: Database, catalogue: LiveCatalogue, settings: Settings) -> None:
        self._database = database
        self._catalogue = catalogue
        self._settings = settings
        self._healthy: frozenset[str] = frozenset()
        self.done_once = asyncio.Event()

    async def prepare(self) -> None:
        """What the first record needs. Raises `DatabaseUnavailable`, `NotMigrated`."""
        await check_revision(self._database)
        async with self._database.driver() as driver:
            made = await make_partitions(
                driver, now=datetime.now(UTC), ahead=self._settings.partitions_ahead_days
            )
        if made:
            log.info("partitions_made", names=made)
        async with self._database.session() as session:
            await self._catalogue.refresh(session)
            if self._settings.retention_days:
                await forget_senders(session, days=self._settings.retention_days)

    async def run(self) -> None:
        """All of it, again every ten minutes, and every second while the database is away."""
        compiled: Compiled | None = None
        while True:
            pause = UPKEEP_SECONDS
            try:
                if compiled is None:
                    # Here and not before the start: compiling the documents takes a while.
                    compiled = await asyncio.to_thread(read_catalogue, self._settings)
                    self._catalogue.problems = compiled.problems
                    self._catalogue.use_until_refreshed(compiled.issues)
                await self.prepare()
                await self._keep_catalogue(compiled)
                self.done_once.set()
            except (DatabaseUnavailable, NotMigrated) as error:
                log.warning("upkeep_waits", reason=str(error))
                pause = RETRY_SECONDS
            except Exception:
                log.exception("upkeep_failed")
                pause = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def _keep_catalogue(self, compiled: Compiled) -> None:
        async with self._database.session() as session:
            synced = await sync_known_issues(session, compiled.issues)
        self._catalogue.problems = compiled.problems + synced.problems
        async with self._database.session() as session:
            self._healthy = await check_health(session, self._catalogue.matcher, seen=self._healthy)
        async with self._database.session() as session:
            await self._catalogue.refresh(session)
        for problem in synced.problems:
            log.warning("catalogue_entry_refused", reason=problem.reason)
        if synced.anything():
            log.info(
                "catalogue_synced",
                new=len(synced.new),
                changed=len(synced.changed),
                retired=len(synced.retired),
            )


async def spare_the_collector(started: asyncio.Event) -> None:
    """What a start makes stays: the collector need not look at it with every few requests.

    For a process that does nothing else: what is frozen is never collected.
    """
    await started.wait()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def read_catalogue(settings: Settings) -> Compiled:
    """The default documents and those of the folders that the settings name."""
    own = read_documents(settings.catalogue_paths())
    compiled = compile_together([default_catalogue(), own])
    for problem in compiled.problems:
        log.warning(
            "catalogue_entry_broken",
            document=problem.document,
            line=problem.line,
            reason=problem.reason,
        )
    return compiled


class HealthCheck:
    """`receive.contract.CheckHealth` over the parts of this process."""

    def __init__(
        self, database: Database, digest: Digest, catalogue: LiveCatalogue, outage: Outage
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._digest = digest
        self._outage = outage

    async def __call__(self) -> Health:
        waiting = None
        database: Literal["ok", "unreachable", "not migrated"] = "ok"
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                await check_revision(self._database)
                async with self._database.session() as session:
                    waiting = await marks_waiting(session)
        except (DatabaseUnavailable, TimeoutError):
            database = "unreachable"
        except NotMigrated:
            database = "not migrated"
        spool = await self._outage.state()
        return Health(
            status=_status(database, spool.state, is_away=self._outage.is_on),
            database=database,
            spool=spool.state,
            spooled_records=spool.records,
            set_aside_records=spool.set_aside,
            digest=self._digest_state(database),
            chains_waiting=waiting,
            known_issues=len(self._catalogue.matcher.issues),
        )

    def _digest_state(self, database: str) -> Literal["ok", "waiting", "stalled"]:
        if database != "ok":
            return "waiting"
        return "stalled" if self._digest.seconds_since_success() > STALLED_SECONDS else "ok"


def _status(
    database: str, spool: str, *, is_away: bool
) -> Literal["ok", "spooling", "unavailable"]:
    if database == "ok" and not is_away:
        return "ok"
    return "spooling" if spool in {"empty", "filled"} else "unavailable"
