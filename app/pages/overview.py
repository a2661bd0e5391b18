"""`/`: how the whole stands, and what hurts most."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency

from app.database import Database
from app.pages.drawing import Pages
from app.query import overview_queries
from app.query.list_handlers import first_hour
from app.query.parameters import Hours
from app.settings import Settings

LINES: Final = 8


@get("/")
async def show_overview(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    hours: Hours = 24,
) -> Response[str]:
    """What fails, how much of it is explained, and where to go from here."""
    since = first_hour(datetime.now(UTC), hours)
    async with database.reading(seconds=settings.search_seconds) as session:
        values: dict[str, Any] = {
            "coverage": await overview_queries.coverage(session, since=since),
            "noisiest": await overview_queries.noisiest(session, since=since, limit=LINES),
            "statuses": await overview_queries.statuses(session),
        }
    return await pages.draw(request, "overview.html", hours=hours, since=since, **values)


handlers = (show_overview,)
