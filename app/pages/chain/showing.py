"""`/chains/…`: one failure as a waterfall; parts of a long one for htmx."""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.catalogue.live import LiveCatalogue
from app.database import Database
from app.pages.chain.copying import markdown_of
from app.pages.chain.folding import between, folded, window
from app.pages.chain.paging import READ_AT_ONCE, page_of, with_unread
from app.pages.chain.rows import RecordRow, Row
from app.pages.chain.summary import summary_of
from app.pages.chain.telling import Told, tell
from app.pages.chain.waterfall import lay_out
from app.pages.drawing import Pages, asks_for_part
from app.query import chain_queries
from app.query.chain_reading import RecordsGone, read_chain
from app.query.chain_views import ChainView
from app.query.cursors import read_cursor
from app.settings import Settings

OPENED: Final = 40
"""Records of a page that come ready to open; of a longer one its errors, and what is asked for."""
OPENED_ERRORS: Final = 12
_Name = Annotated[UUID | None, QueryParameter()]
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
    form: _Format = "",
) -> Response[str]:
    """The chain; `from` and `to` are records between which it is drawn whole, `record` is opened.

    `after` is the cursor of a chain too long to be read at once.
    """
    key = read_cursor(after) if after else None
    try:
        chain = await read_chain(
            database, catalogue.matcher, settings, correlation_id, most=READ_AT_ONCE, after=key
        )
    except RecordsGone as gone:
        name = correlation_id.removeprefix("/")
        return await pages.draw(
            request, "chain/gone.html", status=404, name=name, incident_id=gone.incident_id
        )
    if form == "md":
        return Response(markdown_of(chain), media_type="text/markdown")
    total = await _total(database, chain)
    read = page_of(chain, key, total=total)
    waterfall = lay_out(read.chain)
    rows = with_unread(waterfall.rows, read)
    if first or last:
        rows = between(rows, first, last)
    if not last:
        rows = folded(rows, keep=record)
    drawn = window(rows, around=record)
    return await pages.draw(
        request,
        "chain/chain.html",
        block="rows" if first and asks_for_part(request) else None,
        chain=chain,
        summary=summary_of(read.chain, waterfall),
        axes=waterfall.axes,
        drawn=drawn,
        told=_opened(drawn.rows, record),
        opened=record,
        total=total,
        counted=chain_queries.COUNTED,
        after=after,
        is_part=bool(first or last),
        last=last,
        next=read.next,
    )


async def _total(database: Database, chain: ChainView) -> int:
    """How many records it has, of which these are the first."""
    if not chain.capped:
        return len(chain.records)
    async with database.session() as session:
        return await chain_queries.count_records(session, chain.correlation_id)


def _opened(rows: Sequence[Row], wanted: UUID | None) -> dict[UUID, Told]:
    records = [row for row in rows if isinstance(row, RecordRow)]
    errors = [row for row in records if row.mark.root or row.record.signature_id]
    chosen = records if len(records) <= OPENED else errors[:OPENED_ERRORS]
    asked = [row for row in records if row.record.record_id == wanted]
    return {row.record.record_id: tell(row.record) for row in (*chosen, *asked)}


handlers = (show_chain,)
