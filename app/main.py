"""`create_app(settings)`: the only wiring. Importing this opens nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController

from app import __version__, metrics
from app.catalogue.handlers import router as catalogue_router
from app.catalogue.live import LiveCatalogue
from app.correlation import CorrelationMiddleware
from app.database import Database, DatabaseUnavailable
from app.incidents.digest import Digest
from app.problems import problem_details
from app.query.handlers import router as query_router
from app.receive.handlers import router as receive_router
from app.service import HealthCheck, Upkeep
from app.settings import Settings
from app.store.committer import Committer
from app.store.ingest import Ingest
from app.store.maintenance import Maintenance

log = structlog.get_logger(__name__)


def create_app(settings: Settings) -> Litestar:
    """The ASGI application. `settings.database_url` must name a server; nothing is opened yet."""
    database = Database(settings.database_url, settings)
    catalogue = LiveCatalogue()
    committer = Committer(database)
    digest = Digest(database, catalogue, settings)
    upkeep = Upkeep(database, catalogue, settings)
    maintenance = Maintenance(settings)
    provided = {
        "settings": settings,
        "database": database,
        "catalogue": catalogue,
        "accept": Ingest(committer, settings),
        "check_health": HealthCheck(database, digest, catalogue),
    }

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncIterator[None]:
        metrics.DB_CONNECTIONS_USED.set_function(database.connections_used)
        await _prepare(upkeep)
        workers = [
            asyncio.create_task(committer.run(), name="committer"),
            asyncio.create_task(digest.run(), name="digest"),
            asyncio.create_task(upkeep.run(), name="upkeep"),
            asyncio.create_task(maintenance.run(), name="maintenance"),
        ]
        try:
            yield
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            await database.close()

    return Litestar(
        route_handlers=[receive_router, catalogue_router, query_router, PrometheusController],
        lifespan=[lifespan],
        dependencies={name: _constant(value) for name, value in provided.items()},
        middleware=[
            CorrelationMiddleware(),
            # Grouped: by raw path every correlation ID would become a time series.
            PrometheusConfig(
                app_name="prodsentinel", prefix="prodsentinel_http", group_path=True
            ).middleware,
        ],
        plugins=[problem_details],
        # No page that draws the document: each of those Litestar has loads from a CDN.
        openapi_config=OpenAPIConfig(
            title="ProdSentinel",
            version=__version__,
            render_plugins=[JsonRenderPlugin(path=["/openapi.json", "/"])],
        ),
        logging_config=None,
    )


def _constant(value: object) -> Provide:
    return Provide(lambda: value, sync_to_thread=False)


async def _prepare(upkeep: Upkeep) -> None:
    """Without its database the service starts all the same, and says so."""
    try:
        await upkeep.prepare()
    except DatabaseUnavailable:
        log.warning("started_without_database")
