"""`/first-record`: how to send one, and a check that turns green when it came."""

from datetime import UTC, datetime
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database
from app.pages.drawing import Pages, own_address
from app.query.arrival_queries import first_arrival
from app.query.search.times import parse_moment
from app.settings import Settings

TEMPLATE = "first_record.html"


async def draw(
    request: Request[Any, Any, Any], pages: Pages, settings: Settings, **values: Any
) -> Response[str]:
    """The page, with the address at which this service was reached."""
    address = own_address(request, settings)
    given: dict[str, Any] = {"since": datetime.now(UTC), "arrival": None, **values}
    return await pages.draw(request, TEMPLATE, address=address, **given)


@get("/first-record")
async def show_first_record(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    settings: NamedDependency[Settings],
) -> Response[str]:
    """It waits for the next record, also when others came before."""
    return await draw(request, pages, settings)


@get("/first-record/arrival")
async def show_arrival(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    since: Annotated[str, QueryParameter(max_length=100)],
) -> Response[str]:
    """Whether a record came after this moment; htmx asks until one did."""
    after = parse_moment(since, now=datetime.now(UTC))
    async with database.reading(seconds=settings.search_seconds) as session:
        arrival = await first_arrival(session, since=after)
    block = "check" if "hx-request" in request.headers else None
    return await draw(request, pages, settings, block=block, since=after, arrival=arrival)


handlers = (show_first_record, show_arrival)
