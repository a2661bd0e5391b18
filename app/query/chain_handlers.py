"""`GET /api/chains/{correlation_id}`: one failure as far as it is known."""

from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import PathParameter

from app.catalogue.live import LiveCatalogue
from app.database import Database
from app.query.chain_reading import RecordsGone, UnknownChain, read_chain
from app.query.chain_views import ChainView
from app.settings import Settings
from app.shapes import problems, shown

__all__ = ["RecordsGone", "UnknownChain", "get_chain", "router"]


# A path, not a segment: correlation IDs may hold slashes.
@get("/chains/{correlation_id:path}", operation_id="getChain", responses=problems(400, 404, 503))
async def get_chain(
    correlation_id: Annotated[str, PathParameter(examples=shown("order-1001"))],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
    settings: NamedDependency[Settings],
) -> ChainView:
    """All records with one correlation ID: where it began, what only followed, what is missing.

    A chain that waits for the digest is settled at once, because somebody asks for it.
    """
    return await read_chain(
        database, catalogue.matcher, settings, correlation_id, most=settings.max_chain_records
    )


router = Router(path="/api", route_handlers=[get_chain])
