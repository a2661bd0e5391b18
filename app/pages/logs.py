"""`/logs`: what was logged, newest first, and every way to narrow it."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Stream

from app.database import Database, ReadersBusy, TookTooLong
from app.errors import AppError
from app.pages import log_completion, log_counts, log_record, saved_searches
from app.pages.drawing import Pages, asks_for_part
from app.pages.headers import PRIVATE
from app.pages.log_asking import PRESETS, LogsAsked
from app.pages.log_narrowing import wider
from app.pages.log_parameters import ASKED
from app.pages.log_rows import rows_of
from app.pages.log_trouble import trouble_of
from app.query.columns import COLUMNS
from app.query.exporting import Form
from app.query.log_cursors import read_log_cursor
from app.query.log_handlers import asked_of, exported
from app.query.log_views import LogPage
from app.query.search import to_text
from app.query.search.errors import InvalidMoment, InvalidRange, InvalidSearch
from app.query.searching import search_page
from app.query.signature_links import SignatureLink, signature_links
from app.query.unheard import with_hint
from app.query.walking import SearchTooSlow, while_connected
from app.settings import Settings

LINES: Final = 100
_After = Annotated[str, QueryParameter(max_length=1000)]
_INSIDE: Final = (
    InvalidSearch, InvalidMoment, InvalidRange, SearchTooSlow, TookTooLong, ReadersBusy,
)  # fmt: skip
"""Errors that are shown where the search was written."""


@get("/logs", dependencies=ASKED)
async def show_logs(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    log_asked: NamedDependency[LogsAsked],
    after: _After = "",
) -> Response[str]:
    """The records alone: their counts come after them. To htmx only the rows."""
    values: dict[str, Any] = {
        "asked": log_asked,
        "after": after,
        "offered": COLUMNS,
        "presets": PRESETS,
    }
    try:
        page = await while_connected(request, _page(database, settings, log_asked, after))
    except _INSIDE as error:
        return await _show_trouble(request, pages, error, values)
    async with database.reading(seconds=settings.search_seconds) as session:
        names = {record.signature_id for record in page.records if record.signature_id}
        links: dict[str, SignatureLink] = await signature_links(session, names)
    return await pages.draw(
        request,
        "logs.html",
        block="rows" if asks_for_part(request) else None,
        trouble=None,
        page=page,
        rows=rows_of(page.records, log_asked.columns, links),
        wider=() if page.records else wider(log_asked),
        **values,
    )


async def _page(database: Database, settings: Settings, wanted: LogsAsked, after: str) -> LogPage:
    asked = asked_of(wanted.q, wanted.since or None, wanted.until or None, settings)
    cursor = read_log_cursor(after, to_text(asked.search)) if after else None
    now = datetime.now(UTC)
    page = await search_page(database, asked, after=cursor, limit=LINES)
    page = await with_hint(database, asked, page, now=now)
    return page if wanted.until else until_now(page, now)


def until_now(page: LogPage, now: datetime) -> LogPage:
    """It ends now, unless a record has a later time: a search looks ahead for fast clocks."""
    is_ahead = page.records and page.records[0].occurred_at >= now
    return page if is_ahead else msgspec.structs.replace(page, until=min(page.until, now))


async def _show_trouble(
    request: Request[Any, Any, Any], pages: Pages, error: AppError, values: dict[str, Any]
) -> Response[str]:
    trouble = trouble_of(error, values["asked"])
    return await pages.draw(
        request,
        "logs.html",
        status=trouble.status,
        headers={"Retry-After": "2"} if trouble.is_passing else {},
        trouble=trouble,
        page=None,
        rows=(),
        wider=wider(values["asked"]) if trouble.is_passing else (),
        **values,
    )


@get("/logs/export", dependencies=ASKED)
async def export_shown(
    request: Request[Any, Any, Any],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    log_asked: NamedDependency[LogsAsked],
    form: Annotated[Form, QueryParameter(name="format")] = "ndjson",
) -> Stream:
    """All records of the search as a file: what the export of the API gives, behind a link."""
    wanted = log_asked
    asked = asked_of(wanted.q, wanted.since or None, wanted.until or None, settings)
    answer = await exported(request, database, asked, form=form)
    answer.headers |= PRIVATE
    return answer


handlers = (
    show_logs,
    export_shown,
    *log_counts.handlers,
    *log_record.handlers,
    *log_completion.handlers,
    *saved_searches.handlers,
)
