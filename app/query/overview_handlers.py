"""`GET /api/overview`: how the whole stands."""

from datetime import UTC, datetime
from typing import Final

from litestar import Response, Router, get
from litestar.di import NamedDependency

from app.database import Database
from app.query import overview_queries as queries
from app.query.list_handlers import first_hour
from app.query.overview_views import DigestState, IngestState, Overview, OverviewDebt
from app.query.parameters import Hours
from app.query.queries import documentation_debt
from app.query.tagged import IfNoneMatch, tagged
from app.receive.contract import CheckHealth
from app.settings import Settings
from app.shapes import NOT_MODIFIED, problems

LINES: Final = 5


@get("/overview", operation_id="getOverview", responses=problems(400, 503) | NOT_MODIFIED)
async def get_overview(
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    check_health: NamedDependency[CheckHealth],
    hours: Hours = 24,
    if_none_match: IfNoneMatch = None,
) -> Response[Overview]:
    """Coverage, documentation debt, the noisiest and newest incidents, ingest and digest."""
    since = first_hour(datetime.now(UTC), hours)
    health = await check_health()
    async with database.reading(seconds=settings.search_seconds) as session:
        received = await queries.received(session, since=since)
        signatures, chains = await queries.debt_totals(session)
        worst = await documentation_debt(session, limit=LINES)
        view = Overview(
            since=since,
            coverage=await queries.coverage(session, since=since),
            debt=OverviewDebt(signatures=signatures, chains=chains, worst=tuple(worst)),
            noisiest=tuple(await queries.noisiest(session, since=since, limit=LINES)),
            newest=tuple(await queries.newest(session, since=since, limit=LINES)),
            incidents=await queries.statuses(session),
            services=received["services"],
            known_issues=health.known_issues,
            ingest=IngestState(
                status=health.status,
                spool=health.spool,
                spooled_records=health.spooled_records,
                records=received["records"],
                errors=received["errors"],
                missing_records=received["missing_records"],
            ),
            digest=DigestState(status=health.digest, chains_waiting=health.chains_waiting),
        )
    return tagged(view, if_none_match)


router = Router(path="/api", route_handlers=[get_overview])
