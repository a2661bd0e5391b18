"""Lists: failing chains, signatures, services, senders of which numbers are missing."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from litestar import Response, Router, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database
from app.errors import AppError
from app.query import list_queries, service_queries
from app.query.hours import InvalidSpan
from app.query.list_queries import ChainFilter, SignatureFilter
from app.query.list_views import ChainPage, GapPage, ServicePage, SignaturePage
from app.query.parameters import After, Environment, Hours, Known, Limit, Service, Since, Until
from app.query.places import read_texts, read_timed, write_place
from app.query.tagged import IfNoneMatch, tagged
from app.settings import Settings
from app.shapes import NOT_MODIFIED, problems, shown


class OnlyFailingChains(AppError):
    """Only failing chains are listed; find the records of others with `GET /api/logs`."""


@get("/chains", operation_id="listChains", responses=problems(400, 503))
async def list_chains(
    *,
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    failing: Annotated[bool, QueryParameter(examples=shown(value=True))] = True,
    service: Service = None,
    environment: Environment = None,
    root_service: Service = None,
    known: Known = None,
    since: Since = None,
    until: Until = None,
    after: After = None,
    limit: Limit = 50,
) -> ChainPage:
    """Failing chains once they are digested, the newest root first."""
    # Of the others nothing is kept but their records: to list them would be to read those all.
    if not failing:
        raise OnlyFailingChains
    wanted = ChainFilter(
        service=service,
        environment=environment,
        root_service=root_service,
        known=known,
        since=_aware(since),
        until=_aware(until),
    )
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise InvalidSpan("`from` must be before `to`")
    place = read_timed(after, texts=2) if after else None
    async with database.reading(seconds=settings.search_seconds) as session:
        found = await list_queries.list_chains(session, wanted, after=place, limit=limit + 1)
    page, last = tuple(found[:limit]), found[limit - 1] if len(found) > limit else None
    cursor = (
        write_place(last.root_at, last.correlation_id, last.root_signature_id) if last else None
    )
    return ChainPage(chains=page, next=cursor)


@get("/signatures", operation_id="listSignatures", responses=problems(400, 503))
async def list_signatures(
    *,
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    known: Known = None,
    service: Service = None,
    after: After = None,
    limit: Limit = 50,
) -> SignaturePage:
    """Signatures with their counts, known issue and incident, the one first seen last first."""
    wanted = SignatureFilter(service=service, known=known)
    place = read_timed(after, texts=1) if after else None
    async with database.reading(seconds=settings.search_seconds) as session:
        found = await list_queries.list_signatures(session, wanted, after=place, limit=limit + 1)
    page, last = tuple(found[:limit]), found[limit - 1] if len(found) > limit else None
    cursor = write_place(last.first_seen, last.signature_id) if last else None
    return SignaturePage(signatures=page, next=cursor)


@get("/services", operation_id="listServices", responses=problems(400, 503) | NOT_MODIFIED)
async def list_services(
    *,
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    environment: Environment = None,
    hours: Hours = 24,
    after: After = None,
    limit: Limit = 100,
    if_none_match: IfNoneMatch = None,
) -> Response[ServicePage]:
    """Services heard of in the last hours: rates, errors, releases, instances, missing records."""
    now = datetime.now(UTC)
    begin = first_hour(now, hours)
    (place,) = read_texts(after, texts=1) if after else ("",)
    async with database.reading(seconds=settings.search_seconds) as session:
        counted = await service_queries.counted_until(session)
        found = await service_queries.list_services(
            session,
            environment=environment,
            since=begin,
            # By what was counted: the same counts are then the same answer, with the same tag.
            now=counted or now,
            after=place,
            limit=limit + 1,
        )
    cursor = write_place(found[limit - 1].service) if len(found) > limit else None
    view = ServicePage(
        since=begin, counted_until=counted, services=tuple(found[:limit]), next=cursor
    )
    return tagged(view, if_none_match)


@get("/gaps", operation_id="listGaps", responses=problems(400, 503))
async def list_gaps(
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    service: Service = None,
    after: After = None,
    limit: Limit = 100,
) -> GapPage:
    """Senders that numbered records which never came."""
    place = read_texts(after, texts=2) if after else ("", "")
    async with database.reading(seconds=settings.search_seconds) as session:
        found = await service_queries.list_gaps(
            session, service=service, after=place, limit=limit + 1
        )
    last = found[limit - 1] if len(found) > limit else None
    cursor = write_place(last.service, last.instance) if last else None
    return GapPage(senders=tuple(found[:limit]), next=cursor)


def first_hour(now: datetime, hours: int) -> datetime:
    """Where a window of so many hours begins, this one included."""
    this = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return this - timedelta(hours=hours - 1)


def _aware(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    try:
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except OverflowError as error:
        raise InvalidSpan from error
    raise InvalidSpan("`from` and `to` need their time zone, as in 2026-11-20T12:00:00Z")


router = Router(
    path="/api", route_handlers=[list_chains, list_signatures, list_services, list_gaps]
)
