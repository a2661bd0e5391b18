"""`/logs/record`: one log record with its fields and its error, and what stood around it."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.database import Database
from app.pages.drawing import Pages, asks_for_part
from app.pages.log_asking import ATTRIBUTE, LogsAsked, is_column
from app.pages.log_narrowing import narrowed, term_for
from app.pages.log_parameters import ASKED
from app.pages.log_rows import rows_of, said
from app.pages.record_errors import errors_in, stack_of
from app.query.log_queries import one_record
from app.query.log_views import LogView
from app.query.record_place import place_of
from app.query.search import Search, parse_search, to_text
from app.query.search.edit import with_term
from app.query.search.errors import InvalidSearch
from app.query.search.model import Everything, Not
from app.query.searching import UnknownRecord, surroundings
from app.query.signature_links import signature_links
from app.query.walking import while_connected
from app.settings import Settings

AROUND: Final = 20
MOST_FIELDS: Final = 200
DEEPEST: Final = 4
_FIELDS: Final = {
    "service": "service",
    "level": "level",
    "environment": "environment",
    "release": "release",
    "instance": "instance",
    "correlation": "correlation_id",
    "signature": "signature_id",
    "span": "span_id",
    "parent span": "parent_span_id",
    "sequence": "sequence",
    "record": "record_id",
}
_Place = Annotated[datetime, QueryParameter()]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A field of a record, and where its value leads."""

    name: str
    value: str
    only: str | None
    """The address of the search for this value; none when it cannot be searched."""
    without: str | None
    column: str | None
    """The address with the field as a column, or without it when it is one."""
    is_column: bool


@get("/logs/record", dependencies=ASKED)
async def show_record(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    log_asked: NamedDependency[LogsAsked],
    correlation_id: Annotated[str, QueryParameter(max_length=1000)],
    occurred_at: _Place,
    record_id: Annotated[UUID, QueryParameter()],
) -> Response[str]:
    """The record; as a page of its own also what its instance logged before and after."""
    place = place_of(correlation_id, occurred_at, record_id)
    values: dict[str, Any] = {}
    if asks_for_part(request):
        async with database.reading(seconds=settings.search_seconds) as session:
            record = await one_record(session, place)
        if record is None:
            return await pages.draw(
                request,
                "log_unanswered.html",
                block="part",
                status=404,
                detail=str(UnknownRecord()),
            )
    else:
        work = surroundings(database, place, limit=AROUND, seconds=settings.search_seconds)
        around = await while_connected(request, work)
        record = around.record
        values = {
            "before": rows_of(around.before, log_asked.columns, {}),
            "after": rows_of(around.after, log_asked.columns, {}),
        }
    async with database.reading(seconds=settings.search_seconds) as session:
        links = await signature_links(session, filter(None, [record.signature_id]))
    return await pages.draw(
        request,
        "log_record.html",
        block="record" if asks_for_part(request) else None,
        row=rows_of([record], log_asked.columns, links)[0],
        asked=log_asked,
        fields=list(fields_of(record, log_asked)),
        raised=errors_in(record.message, record.exception),
        stack=stack_of(record.exception),
        json=msgspec.json.format(msgspec.json.encode(record), indent=2).decode(),
        **values,
    )


def fields_of(record: LogView, asked: LogsAsked) -> Iterator[Told]:
    """Those that the record has, its attributes last."""
    try:
        search = parse_search(asked.q)
    except InvalidSearch:
        search = Everything()
    for name, attribute in _FIELDS.items():
        value = getattr(record, attribute)
        if value is not None:
            text = value.value if name == "level" else str(value)
            yield _told(name, text, asked, search, is_plain=True)
    for count, (name, value) in enumerate(flat(record.attributes)):
        if count == MOST_FIELDS:
            return
        is_plain = not isinstance(value, dict | list | None)
        yield _told(f"{ATTRIBUTE}{name}", said(value), asked, search, is_plain=is_plain)


def _told(name: str, value: str, asked: LogsAsked, search: Search, *, is_plain: bool) -> Told:
    term = term_for(name, value) if is_plain else None
    columns = tuple(one for one in asked.columns if one != name)
    shown = name in asked.columns
    return Told(
        name=name,
        value=value,
        only=narrowed(asked, search, term) if term else None,
        without=asked.address(q=to_text(with_term(search, Not(part=term)))) if term else None,
        column=asked.address(columns=columns if shown else (*columns, name))
        if is_column(name)
        else None,
        is_column=shown,
    )


def flat(values: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """`{"a": {"b": 1}}` is `a.b`, as a search writes it; what lies deeper stays JSON."""
    for name, value in values.items():
        if isinstance(value, dict) and value and depth < DEEPEST:
            yield from flat(value, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", value


handlers = (show_record,)
