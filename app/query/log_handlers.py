"""What engineers search: records, counts over time, values, surroundings, exports."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter
from litestar.response import Stream

from app.database import Database
from app.query.exporting import MEDIA_TYPES, Form, record_pages, writer_of
from app.query.log_cursors import read_log_cursor
from app.query.log_queries import Split
from app.query.log_views import ContextView, FacetsView, HistogramView, LogPage
from app.query.moments import moment_named
from app.query.record_place import place_of
from app.query.search import parse_search, to_text
from app.query.search.errors import InvalidRange
from app.query.searching import (
    Asked,
    facets,
    histogram,
    search_page,
)
from app.query.slices import Span
from app.query.surroundings import surroundings
from app.query.unheard import with_hint
from app.query.walking import while_connected
from app.settings import Settings
from app.shapes import MOMENT, example_body, problems, shown

DEFAULT_REACH: Final = timedelta(days=7)
AHEAD: Final = timedelta(minutes=5)
"""Clocks of senders run a little fast."""

_Asking = Request[Any, Any, Any]
_Query = Annotated[
    str,
    QueryParameter(
        description="The search; empty: everything.",
        examples=shown("service:payment level:>=error -refused"),
    ),
]
_From = Annotated[
    str | None,
    QueryParameter(
        name="from",
        max_length=100,
        description="RFC 3339 or relative, as -15m, now-1d/d; without it seven days.",
        examples=shown("-1d"),
    ),
]
_To = Annotated[
    str | None,
    QueryParameter(
        name="to",
        max_length=100,
        description="Likewise; without it five minutes ahead, as clocks run fast.",
        examples=shown("now"),
    ),
]
_Top = Annotated[int, QueryParameter(ge=1, le=100, examples=shown(10))]
_AttributeName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class ExportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to export, newest first."""

    q: Annotated[str, msgspec.Meta(examples=["service:payment level:>=error"])] = ""
    since: Annotated[str, msgspec.Meta(max_length=100, examples=["-1d"])] | None = msgspec.field(
        name="from", default=None
    )
    until: Annotated[str, msgspec.Meta(max_length=100, examples=["now"])] | None = msgspec.field(
        name="to", default=None
    )
    form: Annotated[Form, msgspec.Meta(examples=["ndjson"])] = msgspec.field(
        name="format", default="ndjson"
    )
    limit: Annotated[int, msgspec.Meta(ge=1, le=10**9, examples=[1000])] | None = None
    """Without it: all."""


@get("/logs", operation_id="searchLogs", responses=problems(400, 503))
async def search_logs(
    *,
    request: _Asking,
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    q: _Query = "",
    since: _From = None,
    until: _To = None,
    limit: Annotated[int, QueryParameter(ge=1, le=1000, examples=shown(100))] = 100,
    after: Annotated[str | None, QueryParameter(max_length=1000)] = None,
) -> LogPage:
    """Log records, newest first. Behind a cursor the time searched is that of the first page.

    `stopped_at` says that the time for one search was up, and `next` goes on from there.
    Where nothing is found, `hint` tells of a name in the query that nobody heard of.
    """
    asked = asked_of(q, since, until, settings)
    cursor = read_log_cursor(after, to_text(asked.search)) if after else None
    if cursor:
        span = Span(since=cursor.since, until=cursor.until)
        asked = msgspec.structs.replace(asked, span=span)
    page = await while_connected(request, search_page(database, asked, after=cursor, limit=limit))
    return await with_hint(database, asked, page, now=datetime.now(UTC))


@get("/logs/histogram", operation_id="countLogs", responses=problems(400, 503))
async def count_logs(
    *,
    request: _Asking,
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    q: _Query = "",
    since: _From = None,
    until: _To = None,
    split: Annotated[Split | None, QueryParameter(examples=shown("level"))] = None,
    buckets: Annotated[int, QueryParameter(ge=1, le=500, examples=shown(60))] = 60,
    top: _Top = 10,
) -> HistogramView:
    """How many records by time, in at most so many buckets, and by the values of a field.

    Split by `known`, errors that the catalogue explains stand against those it does not.
    """
    asked = asked_of(q, since, until, settings)
    work = histogram(database, asked, split=split, most=buckets, top=top)
    return await while_connected(request, work)


@get("/logs/facets", operation_id="facetLogs", responses=problems(400, 503))
async def facet_logs(
    *,
    request: _Asking,
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    q: _Query = "",
    since: _From = None,
    until: _To = None,
    attribute: Annotated[
        list[_AttributeName] | None,
        QueryParameter(max_items=5, examples=shown(["order_id"])),
    ] = None,
    top: _Top = 10,
) -> FacetsView:
    """The most frequent values of each field, and of up to five attributes, with their counts.

    The value null counts the records without one. An attribute that none of them has, has no
    values: an empty list.
    """
    asked = asked_of(q, since, until, settings)
    names = tuple(dict.fromkeys(attribute or ()))
    return await while_connected(request, facets(database, asked, attributes=names, top=top))


@get("/logs/context", operation_id="logContext", responses=problems(400, 404, 503))
async def log_context(
    *,
    request: _Asking,
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    correlation_id: Annotated[str, QueryParameter(examples=shown("order-1001"))],
    occurred_at: Annotated[
        datetime, QueryParameter(examples=shown("2026-11-20T12:00:00Z"), schema_extra=MOMENT)
    ],
    record_id: Annotated[
        UUID, QueryParameter(examples=shown("0b5e1c1e-9c43-4d3a-8f0e-5a1c5a1d2e3f"))
    ],
    limit: Annotated[int, QueryParameter(ge=1, le=200, examples=shown(20))] = 20,
) -> ContextView:
    """What the same instance of the same service logged before and after a record."""
    place = place_of(correlation_id, occurred_at, record_id)
    work = surroundings(database, place, limit=limit, seconds=settings.search_seconds)
    return await while_connected(request, work)


@post(
    "/logs/export",
    operation_id="exportLogs",
    operation_class=example_body(
        {
            "q": "service:payment level:>=error",
            "from": "-1d",
            "to": "now",
            "format": "csv",
            "limit": 1000,
        },
        also_answers=MEDIA_TYPES["csv"],
    ),
    status_code=200,
    media_type="application/x-ndjson",
    responses=problems(400, 503),
)
async def export_logs(
    data: JSONBody[ExportRequest],
    request: _Asking,
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
) -> Stream:
    """Every record of a search, newest first, as NDJSON or CSV, streamed.

    An export that cannot be brought to its end breaks off, without the end of the stream.
    """
    asked = asked_of(data.q, data.since, data.until, settings)
    return await exported(request, database, asked, form=data.form, limit=data.limit)


async def exported(
    request: _Asking, database: Database, asked: Asked, *, form: Form, limit: int | None = None
) -> Stream:
    """Raises what `search_page` does, before the answer begins."""
    pages = record_pages(database, asked, limit=limit)
    # The first page before the answer begins: what is wrong can still be told.
    first = await while_connected(request, anext(pages))
    write = writer_of(form)

    async def content() -> AsyncIterator[bytes]:
        async with aclosing(pages):
            if begun := write(first):
                yield begun
            async for page in pages:
                if page:
                    yield write(page)

    return Stream(
        content(),
        media_type=MEDIA_TYPES[form],
        headers={"Content-Disposition": f'attachment; filename="logs.{form}"'},
    )


def asked_of(q: str, since: str | None, until: str | None, settings: Settings) -> Asked:
    """Raises `InvalidSearch`, `UnreadableMoment`, `InvalidRange`."""
    search = parse_search(q)
    return Asked(
        search=search,
        span=span_of(since, until, now=datetime.now(UTC)),
        seconds=settings.search_seconds,
    )


def span_of(since: str | None, until: str | None, *, now: datetime) -> Span:
    """Raises `UnreadableMoment`, `InvalidRange`."""
    last = moment_named("to", until, now=now) if until else now + AHEAD
    try:
        first = moment_named("from", since, now=now) if since else last - DEFAULT_REACH
    except OverflowError as error:
        raise InvalidRange from error
    if first >= last:
        raise InvalidRange(
            f"`from` is {first.isoformat()} and `to` is {last.isoformat()}: `from` must be before "
            "`to`; exchange them"
        )
    return Span(since=first, until=last)


router = Router(
    path="/api",
    route_handlers=[search_logs, count_logs, facet_logs, log_context, export_logs],
)
