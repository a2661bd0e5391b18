"""`/logs/live`: log records as they come, each drawn as the row that a search would show."""

import re
import weakref
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from app.database import Database, DatabaseUnavailable, ReadersBusy, TookTooLong
from app.pages.drawing import Pages
from app.pages.log_asking import LogsAsked
from app.pages.log_parameters import ASKED
from app.pages.log_rows import rows_of
from app.query.live import LiveTail
from app.query.live_events import read_place, skipped
from app.query.live_listener import Listener
from app.query.log_views import LogView
from app.query.search import Search, parse_search
from app.query.signature_links import SignatureLink, signature_links
from app.settings import Settings

MOST_ROWS: Final = 60
"""Of what came at once: nobody reads more, and drawing them would keep others waiting."""
_Cursor = Annotated[str, QueryParameter(max_length=20_000)]
_LastEvent = Annotated[str, HeaderParameter(name="Last-Event-ID", max_length=20_000)]
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_decode: Final = msgspec.json.Decoder(LogView).decode


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """What a listener was told at once."""

    records: tuple[LogView, ...]
    """The oldest first."""
    place: str
    """Cursor of the last of them."""
    others: bytes
    """Events that are no records, as they are."""


@get("/logs/live", dependencies=ASKED, media_type="text/event-stream", include_in_schema=False)
async def tail_rows(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    live_tail: NamedDependency[LiveTail],
    log_asked: NamedDependency[LogsAsked],
    after: _Cursor = "",
    last_event_id: _LastEvent = "",
) -> Stream:
    """As `/api/logs/live`, with rows in the place of JSON: one event for what came at once."""
    search = parse_search(log_asked.q)
    cursor = last_event_id or after
    listener = await live_tail.join(search, read_place(cursor) if cursor else None)

    async def draw(payload: bytes) -> bytes:
        came = read_events(payload)
        shown = came.records[-MOST_ROWS:]
        links = await _links(database, settings, shown)
        html = pages.draw_at_once(
            request,
            "log_rows.html",
            rows=rows_of(shown, log_asked.columns, links),
            columns=log_asked.columns,
        ).content
        return _events_of(came, html if shown else "", left_out=len(came.records) - len(shown))

    events = _events(live_tail, search, listener, draw)
    # A client that leaves before the first event leaves a generator that never ran.
    weakref.finalize(events, live_tail.leave, search, listener)
    return Stream(
        events,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


async def _events(
    live_tail: LiveTail, search: Search, listener: Listener, draw: Any
) -> AsyncIterator[bytes]:
    try:
        while payload := await listener.next():
            yield await draw(payload)
    finally:
        live_tail.leave(search, listener)


async def _links(
    database: Database, settings: Settings, records: Sequence[LogView]
) -> Mapping[str, SignatureLink]:
    """None while the database is busy: a row without them is better than no row."""
    names = {record.signature_id for record in records if record.signature_id}
    if not names:
        return {}
    try:
        async with database.reading(seconds=settings.search_seconds) as session:
            return await signature_links(session, names)
    except (DatabaseUnavailable, ReadersBusy, TookTooLong):
        return {}


def read_events(payload: bytes) -> Came:
    """The events of a live tail (`app.query.live_events`), the records taken out of them."""
    records, others, place = [], b"", ""
    for event in filter(None, payload.split(b"\n\n")):
        fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
        if b"event" in fields or b"data" not in fields:
            others += event + b"\n\n"
        else:
            records.append(_decode(fields[b"data"]))
            place = fields[b"id"].decode()
    return Came(records=tuple(records), place=place, others=others)


def _events_of(came: Came, html: str, *, left_out: int) -> bytes:
    lines = "".join(f"data: {line}\n" for line in _LINE_END.split(html))
    rows = f"id: {came.place}\n{lines}\n".encode() if html else b""
    return came.others + (skipped(left_out, "too many at once") if left_out else b"") + rows


handlers = (tail_rows,)
