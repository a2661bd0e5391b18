"""`/first-record`: how to send one, and a check that turns green when it came."""

import secrets
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database
from app.pages.drawing import Pages, own_address
from app.query.arrival_queries import Arrival, first_arrival
from app.settings import Settings

TEMPLATE = "first_record.html"


async def draw(
    request: Request[Any, Any, Any],
    pages: Pages,
    settings: Settings,
    *,
    chain: str = "",
    arrival: Arrival | None = None,
    block: str | None = None,
) -> Response[str]:
    """The page, with the address at which this service was reached.

    Its examples send records of a chain that is nobody else's, and it waits for those.
    """
    return await pages.draw(
        request,
        TEMPLATE,
        block=block,
        address=own_address(request, settings),
        chain=chain or f"first-{secrets.token_hex(4)}",
        arrival=arrival,
    )


@get("/first-record")
async def show_first_record(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    settings: NamedDependency[Settings],
) -> Response[str]:
    """It waits for the record of its examples, whatever else arrives."""
    return await draw(request, pages, settings)


@get("/first-record/arrival")
async def show_arrival(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    chain: Annotated[str, QueryParameter(pattern=r"^first-[0-9a-f]{8}$")],
) -> Response[str]:
    """Whether a record of this chain came; htmx asks until one did."""
    async with database.reading(seconds=settings.search_seconds) as session:
        arrival = await first_arrival(session, chain)
    block = "check" if "hx-request" in request.headers else None
    return await draw(request, pages, settings, chain=chain, arrival=arrival, block=block)


handlers = (show_first_record, show_arrival)
