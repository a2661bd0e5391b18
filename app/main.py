"""`create_app(settings)`: the only wiring. Importing this opens nothing."""

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from litestar import Litestar, Router
from litestar.di import Provide
from litestar.exceptions import ClientException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.prometheus import PrometheusConfig

from app import __version__, metrics
from app.address import own_url
from app.alerts.addresses import Reach
from app.alerts.deliver import Sender
from app.alerts.handlers import router as alerts_router
from app.alerts.worker import Alerts
from app.canary.findings import Plan
from app.catalogue.handlers import router as catalogue_router
from app.catalogue.live import LiveCatalogue
from app.correlation import CorrelationMiddleware
from app.database import Database, DatabaseUnavailable
from app.incidents.digest import Digest
from app.incidents.handlers import router as incidents_router
from app.normalise.record import LogRecord
from app.pages.assets import Assets
from app.pages.drawing import Pages
from app.pages.failing import problem_pages, unrouted
from app.pages.router import make_router
from app.parameters import known_parameters_only, tell_invalid, tell_unreadable
from app.problems import problem_answer, problem_details, problem_of_any
from app.query.chain_handlers import router as chain_router
from app.query.forget import Forgetter
from app.query.forget_handlers import router as forget_router
from app.query.handlers import router as query_router
from app.query.list_handlers import router as list_router
from app.query.live import LiveTail
from app.query.live_handlers import router as live_router
from app.query.log_handlers import router as logs_router
from app.query.overview_handlers import router as overview_router
from app.query.saved_handlers import router as saved_router
from app.receive.admission import Admission
from app.receive.contract import Accept
from app.receive.handlers import health_router, ingest_logs
from app.service import HealthCheck, Upkeep, spare_the_collector
from app.settings import Settings
from app.shapes import TuplesOfAnyLength
from app.store.committer import Committer
from app.store.counting import Counting
from app.store.hot_index import HotIndexing
from app.store.ingest import Ingest
from app.store.maintenance import Maintenance
from app.store.outage import Outage
from app.store.spool import Spool
from app.straight import straight_ingest

log = structlog.get_logger(__name__)


def create_app(settings: Settings, *, owns_process: bool = False) -> Litestar:
    """The ASGI application. `settings.database_url` must name a server; nothing is opened yet."""
    database = Database(settings.database_url, settings)
    catalogue = LiveCatalogue()
    watch = partial(_watched, catalogue)
    spool = Spool(settings.spool_directory, max_bytes=settings.spool_max_bytes)
    outage = Outage(
        database,
        spool if settings.spool_max_bytes else None,
        patience=settings.spool_after_seconds,
        watch=watch,
    )
    committer = Committer(database, outage, watch)
    admission = Admission(capacity=settings.max_bytes_in_flight)
    digest = Digest(
        database, catalogue, settings, records_written=lambda: committer.records_written
    )
    upkeep = Upkeep(database, catalogue, settings)
    accept = Ingest(committer, admission, settings)
    maintenance = Maintenance(settings)
    sender = Sender(
        Reach(inner=settings.alert_private_targets, networks=settings.alert_allowed_networks())
    )
    alerts = Alerts(database, sender, settings)
    counting = Counting(database, settings)
    live_tail = LiveTail(database, settings)
    check_health = HealthCheck(database, digest, catalogue, outage)
    assets = Assets()
    pages = Pages(assets, check_health)
    failing = problem_pages(pages, problem_of_any)
    provided = {
        "settings": settings,
        "database": database,
        "catalogue": catalogue,
        "accept": accept,
        "sender": sender,
        "live_tail": live_tail,
        "forgetter": Forgetter(database, spool if settings.spool_max_bytes else None),
        "check_health": check_health,
        "assets": assets,
        "pages": pages,
    }

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        metrics.DB_CONNECTIONS_USED.set_function(database.connections_used)
        metrics.BYTES_IN_FLIGHT.set_function(lambda: admission.held)
        metrics.LIVE_LISTENERS.set_function(live_tail.listeners)
        await _prepare(upkeep)
        work = {
            "committer": committer.run(),
            "idle watch": accept.idle_watch.run(),
            "outage": outage.run(),
            "digest": digest.run(),
            "upkeep": upkeep.run(),
            "maintenance": maintenance.run(),
            "hot index": HotIndexing(settings).run(),
            "alerts": alerts.run(),
            "counting": counting.run(),
        }
        if settings.canary_rate:
            work["canary"] = _watch(settings, alerts)
        if owns_process:
            work["collector"] = spare_the_collector(upkeep.done_once)
        try:
            async with _working(work, owns_process=owns_process):
                yield
        finally:
            await live_tail.close()
            await database.close()
            spool.close()

    return Litestar(
        route_handlers=[_straight_router(accept), _measured_router(make_router(failing))],
        lifespan=[lifespan],
        dependencies={name: _constant(value) for name, value in provided.items()},
        plugins=[problem_details, TuplesOfAnyLength()],
        exception_handlers=unrouted(failing[Exception], problem_answer),
        openapi_config=_openapi(),
        logging_config=None,
    )


@asynccontextmanager
async def _working(
    work: dict[str, Coroutine[Any, Any, None]], *, owns_process: bool
) -> AsyncIterator[None]:
    """Each as a task of that name, until the end."""
    workers = [asyncio.create_task(one, name=name) for name, one in work.items()]
    for worker in workers:
        worker.add_done_callback(partial(_tell_end, stops_process=owns_process))
    try:
        yield
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _openapi() -> OpenAPIConfig:
    # No page that draws the document: each of those Litestar has loads from a CDN.
    return OpenAPIConfig(
        title="ProdSentinel",
        version=__version__,
        render_plugins=[JsonRenderPlugin(path=["/openapi.json", "/"])],
    )


def _straight_router(accept: Accept) -> Router:
    return Router(
        path="/ingest",
        route_handlers=[ingest_logs],
        middleware=[straight_ingest(accept)],
        exception_handlers={ValidationException: tell_invalid},
    )


def _measured_router(pages: Router) -> Router:
    # Grouped: by raw path every correlation ID would become a time series.
    measure = PrometheusConfig(app_name="prodsentinel", prefix="prodsentinel_http", group_path=True)
    return Router(
        path="/",
        route_handlers=[health_router, _api_router(), metrics.read_metrics, pages],
        middleware=[CorrelationMiddleware(), measure.middleware],
    )


def _api_router() -> Router:
    return Router(
        path="/",
        route_handlers=[
            catalogue_router,
            chain_router,
            incidents_router,
            alerts_router,
            query_router,
            list_router,
            live_router,
            overview_router,
            saved_router,
            forget_router,
            logs_router,
        ],
        guards=[known_parameters_only],
        exception_handlers={ValidationException: tell_invalid, ClientException: tell_unreadable},
    )


def _watched(catalogue: LiveCatalogue, records: list[LogRecord]) -> set[str]:
    """By the catalogue of this moment."""
    return catalogue.matcher.watch.chains_of(records)


async def _watch(settings: Settings, alerts: Alerts) -> None:
    """Write to this very process and read back, over its address."""
    # Imported late: most run without it, and it brings an HTTP client.
    from app.canary.worker import CanaryWorker  # noqa: PLC0415

    url = own_url(settings.host, settings.port)
    plan = Plan(rate=settings.canary_rate)
    await CanaryWorker(url, plan, tell_loss=alerts.canary_lost).run()


def _tell_end(worker: asyncio.Task[None], *, stops_process: bool) -> None:
    """None of them ends by itself. One that failed leaves requests waiting: better begin anew."""
    if worker.cancelled() or worker.exception() is None:
        return
    log.critical("worker_failed", worker=worker.get_name(), exc_info=worker.exception())
    if stops_process:
        signal.raise_signal(signal.SIGTERM)


def _constant(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


async def _prepare(upkeep: Upkeep) -> None:
    """Without its database the service starts all the same, and says so."""
    try:
        await upkeep.prepare()
    except DatabaseUnavailable:
        log.warning("started_without_database")
