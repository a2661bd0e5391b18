"""`/`: what fails, what it hurts, and where to go from here."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database
from app.pages import first_record
from app.pages.drawing import Pages
from app.query.arrival_queries import anything_stored
from app.query.list_handlers import first_hour
from app.query.parameters import MOST_HOURS
from app.query.root_queries import incidents_of_roots
from app.query.situation import Situation, read_situation
from app.settings import Settings

WINDOWS: Final = ((6, "6 h"), (24, "24 h"), (72, "3 days"), (168, "7 days"))
SERVICES_SHOWN: Final = 12


@get("/")
async def show_overview(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    hours: Annotated[int, QueryParameter(ge=1, le=MOST_HOURS)] = 24,
) -> Response[str]:
    """The situation; before anything was stored, how to send the first record."""
    now = datetime.now(UTC)
    async with database.reading(seconds=settings.search_seconds) as session:
        if not await anything_stored(session):
            return await first_record.draw(request, pages, settings)
        found = await read_situation(session, since=first_hour(now, hours), now=now)
        debtors = await incidents_of_roots(session, [one.signature_id for one in found.debt])
    return await pages.draw(
        request,
        "overview.html",
        found=found,
        debtors=debtors,
        hours=hours,
        tabs=[(name, f"/?hours={n}", n == hours) for n, name in WINDOWS],
        chart=chart_of(found),
        shown=SERVICES_SHOWN,
    )


def chart_of(found: Situation) -> dict[str, Any]:
    """What the chart's script reads: seconds since 1970, and the two counts of each bucket."""
    return {
        "starts": [int(one.start.timestamp()) for one in found.trend],
        "known": [one.known for one in found.trend],
        "unknown": [one.unknown for one in found.trend],
        "width": int(found.width / timedelta(seconds=1)),
    }


handlers = (show_overview,)
