"""`GET /api/logs/live`: log records as they come, as server-sent events."""

import weakref
from collections.abc import AsyncIterator
from typing import Annotated

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, QueryParameter
from litestar.response import Stream

from app.query.cursors import InvalidCursor
from app.query.live import LiveTail
from app.query.live_events import Place, read_place
from app.query.live_listener import Listener
from app.query.search import Search, parse_search
from app.shapes import NO_NUL, problems, shown

_Cursor = Annotated[str | None, QueryParameter(max_length=20_000)]
_LastEvent = Annotated[str | None, HeaderParameter(name="Last-Event-ID", max_length=20_000)]


@get(
    "/logs/live",
    operation_id="tailLogs",
    media_type="text/event-stream",
    responses=problems(400, 503),
)
async def tail_logs(
    live_tail: NamedDependency[LiveTail],
    q: Annotated[
        str,
        QueryParameter(
            max_length=16_000, pattern=NO_NUL, examples=shown("service:payment level:>=error")
        ),
    ] = "",
    after: _Cursor = None,
    last_event_id: _LastEvent = None,
) -> Stream:
    """Records that match, as they are stored: each is an event whose `id` is a cursor.

    A client that comes back with the last `id` (`Last-Event-ID`, or `after`), to whichever
    replica, misses none and gets none twice. Where it cannot be told all, `event: skipped` says how
    many. Every ten seconds without a record there is a heartbeat: a comment, and a new `id`.
    """
    search = parse_search(q)
    listener = await live_tail.join(search, _place_of(after, last_event_id))
    events = _events(live_tail, search, listener)
    # A client that leaves before the first event leaves a generator that never ran.
    weakref.finalize(events, live_tail.leave, search, listener)
    return Stream(
        events,
        media_type="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )


def _place_of(after: str | None, last_event_id: str | None) -> Place | None:
    """Raises `InvalidCursor`, which names what the cursor came in."""
    if not last_event_id:
        return read_place(after) if after else None
    try:
        return read_place(last_event_id)
    except InvalidCursor as error:
        raise InvalidCursor(
            "The cursor in the header `Last-Event-ID` is none that this service gave out; leave "
            "the header out to start anew."
        ) from error


async def _events(live_tail: LiveTail, search: Search, listener: Listener) -> AsyncIterator[bytes]:
    # Formatted once for all listeners: ServerSentEvent would do it again for each.
    try:
        while event := await listener.next():
            yield event
    finally:
        live_tail.leave(search, listener)


router = Router(path="/api", route_handlers=[tail_logs])
