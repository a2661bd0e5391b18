"""All pages under one router: their errors are pages too, and what they send is compressed."""

from typing import Final

from litestar import Router
from litestar.config.compression import CompressionConfig
from litestar.middleware import DefineMiddleware
from litestar.middleware.compression import CompressionMiddleware
from litestar.types import ControllerRouterHandler

from app.pages import (
    ask,
    catalogue,
    first_record,
    importing,
    incident,
    incidents,
    log_live,
    logs,
    overview,
    settings_page,
    targets,
)
from app.pages.assets import get_asset
from app.pages.chain import showing
from app.pages.failing import Handler
from app.pages.guard import refuse_foreign_forms

PAGES: Final[tuple[ControllerRouterHandler, ...]] = (
    *overview.handlers,
    *first_record.handlers,
    *incidents.handlers,
    *catalogue.handlers,
    *importing.handlers,
    *ask.handlers,
    *settings_page.handlers,
    *targets.handlers,
    *showing.handlers,
    *logs.handlers,
    *incident.handlers,
)
_SMALL: Final = 1_000
_LEVEL: Final = 5


def make_router(failing: dict[int | type[Exception], Handler]) -> Router:
    """The pages at `/…`."""
    gzip = CompressionConfig(backend="gzip", minimum_size=_SMALL, gzip_compress_level=_LEVEL)
    drawn = Router(
        path="/",
        route_handlers=PAGES,
        before_request=refuse_foreign_forms,
        middleware=[DefineMiddleware(CompressionMiddleware, config=gzip)],
        exception_handlers=failing,
        include_in_schema=False,
    )
    # Not compressed: what waits to be compressed comes late.
    return Router(path="/", route_handlers=[drawn, get_asset, *log_live.handlers])
