"""The loops that route, deliver and watch; each process runs them, and replicas take turns."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from app import metrics
from app.alerts.deliver import Courier, Sender
from app.alerts.route import route_round
from app.alerts.watch_queries import check_thresholds, note_canary_loss, prune, read_standing
from app.database import Database, DatabaseUnavailable
from app.settings import Settings

log = structlog.get_logger(__name__)

POLL_SECONDS: Final = 1.0
WATCH_SECONDS: Final = 60.0
STANDING_SECONDS: Final = 15.0
PRUNE_SECONDS: Final = 3600.0
TARGETS_AT_ONCE: Final = 8
"""A receiver that hangs keeps one of these places, and no other target waiting."""


class Alerts:
    """What one process does of it."""

    def __init__(self, database: Database, sender: Sender, settings: Settings) -> None:
        self._database = database
        self._public_url = settings.public_url
        self._settled_seconds = settings.quiet_seconds + 1
        self._courier = Courier(database, sender, public_url=settings.public_url)
        self._busy: set[str] = set()
        self._loss: Mapping[str, int] | None = None

    def canary_lost(self, outcomes: Mapping[str, int]) -> None:
        """Records of the canary by what became of them; told in the next round."""
        self._loss = outcomes

    async def run(self) -> None:
        """Until cancelled; what goes wrong is logged and counted, and tried again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again("route", self._route, POLL_SECONDS))
            group.create_task(_again("watch", self._watch, WATCH_SECONDS))
            group.create_task(_again("prune", self._prune, PRUNE_SECONDS))
            group.create_task(_again("standing", self._stand, STANDING_SECONDS))
            await _again("deliver", lambda: self._deliver(group), POLL_SECONDS)

    async def _route(self) -> None:
        if self._loss is not None:
            await self._tell_loss(self._loss)
        while await route_round(
            self._database,
            public_url=self._public_url,
            settled_seconds=self._settled_seconds,
        ):
            pass

    async def _tell_loss(self, outcomes: Mapping[str, int]) -> None:
        async with self._database.session() as session:
            await note_canary_loss(session, {"outcomes": dict(outcomes)})
        self._loss = None

    async def _deliver(self, group: asyncio.TaskGroup) -> None:
        free = TARGETS_AT_ONCE - len(self._busy)
        if free <= 0:
            return
        for name in await self._courier.waiting_targets(besides=self._busy, limit=free):
            self._busy.add(name)
            group.create_task(self._serve(name), name=f"alerts to {name}")

    async def _serve(self, name: str) -> None:
        try:
            await _once("deliver", lambda: self._courier.serve(name))
        finally:
            self._busy.discard(name)

    async def _watch(self) -> None:
        async with self._database.session() as session:
            await check_thresholds(session)

    async def _prune(self) -> None:
        async with self._database.session() as session:
            await prune(session)

    async def _stand(self) -> None:
        async with self._database.session() as session:
            standing = await read_standing(session)
        metrics.ALERTS_DEAD.set(standing.dead)
        metrics.ALERT_OLDEST_WAITING_SECONDS.set(standing.oldest_seconds)


async def _again(name: str, work: Callable[[], Awaitable[object]], seconds: float) -> None:
    while True:
        await _once(name, work)
        await asyncio.sleep(seconds)


async def _once(name: str, work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except DatabaseUnavailable as error:
        log.warning("alerts_wait_for_database", work=name, reason=repr(error.__cause__))
    except Exception:
        metrics.ALERT_FAILURES.labels(work=name).inc()
        log.exception("alerts_failed", work=name)
