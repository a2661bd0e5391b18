"""`/chains/…`: one failure as a waterfall; parts of a long one for htmx."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.catalogue.live import LiveCatalogue
from app.database import Database
from app.pages import markdown
from app.pages.chain.copying import markdown_of
from app.pages.chain.folding import between, folded, window
from app.pages.chain.paging import READ_AT_ONCE, page_of, with_unread
from app.pages.chain.rows import RecordRow, Row
from app.pages.chain.summary import summary_of
from app.pages.chain.waterfall import lay_out
from app.pages.drawing import Pages, asks_for_part
from app.pages.headers import PRIVATE
from app.pages.log_asking import LogsAsked
from app.pages.log_rows import record_address
from app.pages.opened_record import Opened, opened
from app.query import chain_queries
from app.query.chain_queries import Key
from app.query.chain_reading import RecordsGone, read_chain
from app.query.chain_views import ChainView
from app.query.cursors import InvalidCursor, read_cursor, write_cursor
from app.query.log_views import LogView
from app.settings import Settings

OPENED: Final = 4
"""Records of a page that come opened: its roots, and what is asked for."""
OPENED_BYTES: Final = 50_000
"""What is opened is drawn about three times: as text, as frames, as JSON."""
_INSTANT: Final = timedelta(microseconds=1)
_Name = Annotated[UUID | None, QueryParameter()]
_Moment = Annotated[datetime | None, QueryParameter()]
_After = Annotated[str, QueryParameter(max_length=200)]
_Format = Annotated[str, QueryParameter(name="format", max_length=10)]


@get("/chains/{correlation_id:path}")
async def show_chain(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
    settings: NamedDependency[Settings],
    correlation_id: FromPath[str],
    after: _After = "",
    first: Annotated[UUID | None, QueryParameter(name="from")] = None,
    last: Annotated[UUID | None, QueryParameter(name="to")] = None,
    record: _Name = None,
    at: _Moment = None,
    form: _Format = "",
) -> Response[str]:
    """The chain; `from` and `to` are records between which it is drawn whole, `record` is opened.

    Of a chain too long to be read at once, `after` is a cursor and `at` the moment of `record`.
    """
    key = read_cursor(after) if after else None
    read_from = partial(
        read_chain, database, catalogue.matcher, settings, correlation_id, most=READ_AT_ONCE
    )
    try:
        chain = await read_from(after=key)
        if record and at and at.tzinfo and _is_unread(chain, record):
            key = _before(at, record)
            chain = await read_from(after=key)
    except RecordsGone as gone:
        name = correlation_id.removeprefix("/")
        return await pages.draw(
            request, "chain/gone.html", status=404, name=name, incident_id=gone.incident_id
        )
    if form == "md":
        return Response(markdown_of(chain), media_type="text/markdown", headers=PRIVATE)
    total = await _total(database, chain)
    values = _values(chain, key, total, Choice(first=first, last=last, record=record))
    block = "rows" if first and asks_for_part(request) else None
    return await pages.draw(request, "chain/chain.html", block=block, **values)


def _before(at: datetime, record: UUID) -> Key:
    """Raises `InvalidCursor`."""
    try:
        return at.astimezone(UTC) - _INSTANT, record
    except OverflowError as error:
        raise InvalidCursor from error


def _is_unread(chain: ChainView, record: UUID) -> bool:
    return chain.capped and all(one.record_id != record for one in chain.records)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What of a chain the address asks for."""

    first: UUID | None
    last: UUID | None
    record: UUID | None


def _values(chain: ChainView, key: Key | None, total: int, choice: Choice) -> dict[str, Any]:
    read = page_of(chain, key, total=total)
    waterfall = lay_out(read.chain)
    rows = with_unread(waterfall.rows, read)
    if choice.first or choice.last:
        rows = between(rows, choice.first, choice.last)
    if not choice.last:
        rows = folded(rows, keep=choice.record)
    drawn = window(rows, around=choice.record)
    return {
        "chain": chain,
        "summary": summary_of(read.chain, waterfall),
        "axes": waterfall.axes,
        "drawn": drawn,
        "names": {row.record.record_id for row in drawn.rows if isinstance(row, RecordRow)},
        "told": _opened(chain.correlation_id, drawn.rows, choice.record),
        "address_of": partial(record_address, chain.correlation_id),
        "opened": choice.record,
        "total": total,
        "counted": chain_queries.COUNTED,
        "after": write_cursor(*key) if key else "",
        "is_part": bool(choice.first or choice.last),
        "last": choice.last,
        "as_html": markdown.render,
        "opening": markdown.opening,
    }


async def _total(database: Database, chain: ChainView) -> int:
    """How many records it has, of which these are the first."""
    if not chain.capped:
        return len(chain.records)
    async with database.session() as session:
        return await chain_queries.count_records(session, chain.correlation_id)


def _opened(correlation_id: str, rows: Sequence[Row], wanted: UUID | None) -> dict[UUID, Opened]:
    """Those that come opened, within `OPENED_BYTES`; others are asked for when they are opened."""
    drawn = [row for row in rows if isinstance(row, RecordRow)]
    chosen = [row for row in drawn if row.record.record_id == wanted]
    roots = [row for row in drawn if row.mark.root and row not in chosen]
    found: dict[UUID, Opened] = {}
    left = OPENED_BYTES
    for row in (*chosen, *roots)[:OPENED]:
        size = len(msgspec.json.encode(row.record))
        if size <= left:
            named = msgspec.structs.asdict(row.record)
            record = LogView(**named, correlation_id=correlation_id)
            found[record.record_id] = opened(record, LogsAsked())
            left -= size
    return found


handlers = (show_chain,)
