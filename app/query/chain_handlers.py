"""`GET /api/chains/{correlation_id}`: one failure as far as it is known."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from litestar import Router, get
from litestar.di import NamedDependency
from litestar.params import PathParameter
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.live import LiveCatalogue
from app.catalogue.matcher import Matcher
from app.catalogue.matching import best_match
from app.catalogue.queries import rejected_pairs, unmatched_signatures
from app.correlate.queries import (
    is_marked,
)
from app.correlate.sequence_queries import (
    missing_in,
)
from app.database import Database
from app.errors import NotFound
from app.incidents.digest import settle
from app.incidents.rounds import LONG, windows_of
from app.query import queries
from app.query.assemble import Known, assemble_chain, links_of
from app.query.chain_views import ChainView
from app.query.match_views import live_match_view
from app.query.views import MatchView, RecordView
from app.receive.correlation import safe_token
from app.settings import Settings
from app.shapes import problems, shown


class UnknownChain(NotFound):
    """No log record carries this correlation ID."""


class RecordsGone(NotFound):
    """The records of this chain are gone: they were older than what is kept."""


# A path, not a segment: correlation IDs may hold slashes.
@get("/chains/{correlation_id:path}", operation_id="getChain", responses=problems(400, 404, 503))
async def get_chain(
    correlation_id: Annotated[str, PathParameter(examples=shown("order-1001"))],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
    settings: NamedDependency[Settings],
) -> ChainView:
    """All records with one correlation ID: where it began, what only followed, what is missing.

    A chain that waits for the digest is settled at once, because somebody asks for it.
    """
    name = safe_token(correlation_id.removeprefix("/"))
    if name is None:
        raise UnknownChain
    most = settings.max_chain_records
    async with database.session() as session:
        if not await is_marked(session, name):
            return await _read(session, catalogue.matcher, name, most=most)
    await settle(database, catalogue.matcher, settings, name)
    async with database.session() as session:
        return await _read(session, catalogue.matcher, name, most=most)


async def _read(session: AsyncSession, matcher: Matcher, name: str, *, most: int) -> ChainView:
    records, capped = await queries.chain_records(session, name, most=most)
    homes = await queries.incidents_of_chain(session, name)
    kept = () if records else await queries.kept_records(session, name)
    if not records and not kept:
        raise _why_empty(homes)
    shown = records or list(kept)
    links = links_of(shown)
    # A long one beside the requests: working it out takes as long as hundreds of others.
    return await (asyncio.to_thread if len(shown) > LONG else _at_once)(
        assemble_chain,
        name,
        shown,
        links,
        missing=await missing_in(session, windows_of([links])),
        known=await _known(session, matcher, shown, homes),
        watch=matcher.watch,
        now=datetime.now(UTC),
        capped=capped,
        from_evidence=bool(kept),
    )


async def _at_once(work: Callable[..., ChainView], *given: Any, **named: Any) -> ChainView:
    return work(*given, **named)


def _why_empty(homes: dict[str, UUID]) -> NotFound:
    if not homes:
        return UnknownChain()
    return RecordsGone(
        "The records of this chain are gone: they were older than what is kept. "
        f"What they told stands in /api/incidents/{next(iter(homes.values()))}."
    )


async def _known(
    session: AsyncSession, matcher: Matcher, records: list[RecordView], homes: dict[str, UUID]
) -> Known:
    names = {record.signature_id for record in records if record.signature_id} | homes.keys()
    if not names:
        return Known(signatures={}, matches={}, incidents=homes)
    return Known(
        signatures=await queries.signatures_by_id(session, names),
        matches={
            **await queries.matches_by_signature(session, names),
            **await _match_now(session, matcher, names),
        },
        incidents=homes,
    )


async def _match_now(
    session: AsyncSession, matcher: Matcher, names: set[str]
) -> dict[str, MatchView]:
    """The known issues of signatures that the digest has yet to match: nobody waits to be told."""
    waiting = await unmatched_signatures(
        session, catalogue_hash=matcher.catalogue_hash, among=names, limit=None
    )
    if not waiting:
        return {}
    rejected = await rejected_pairs(session, names)
    best = {
        row.signature_id: best_match(matcher, row.signature_id, row.sample, rejected)
        for row in waiting
    }
    return {name: live_match_view(match, matcher) for name, match in best.items() if match}


router = Router(path="/api", route_handlers=[get_chain])
