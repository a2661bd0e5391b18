"""One chain: its records read, settled when it waits, and held against the catalogue."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

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
from app.query import chain_queries, queries
from app.query.assemble import Known, assemble_chain, links_of
from app.query.chain_queries import Key
from app.query.chain_views import ChainView
from app.query.match_views import live_match_view
from app.query.views import MatchView, RecordView
from app.receive.correlation import safe_token
from app.settings import Settings


class UnknownChain(NotFound):
    """No log record carries this correlation ID."""


class RecordsGone(NotFound):
    """The records of this chain are gone: they were older than what is kept."""

    def __init__(self, incident_id: UUID) -> None:
        self.incident_id = incident_id
        super().__init__(f"{self.__doc__} What they told stands in /api/incidents/{incident_id}.")


async def read_chain(
    database: Database,
    matcher: Matcher,
    settings: Settings,
    correlation_id: str,
    *,
    most: int,
    after: Key | None = None,
) -> ChainView:
    """The chain; of a long one the first `most` records or those after a key, its errors, its end.

    One that waits for the digest is settled first. Raises `UnknownChain`, `RecordsGone`.
    """
    name = safe_token(correlation_id.removeprefix("/"))
    if name is None:
        raise UnknownChain
    async with database.session() as session:
        if not await is_marked(session, name):
            return await _read(session, matcher, name, most=most, after=after)
    await settle(database, matcher, settings, name)
    async with database.session() as session:
        return await _read(session, matcher, name, most=most, after=after)


async def _read(
    session: AsyncSession, matcher: Matcher, name: str, *, most: int, after: Key | None
) -> ChainView:
    if after is None:
        records, capped = await queries.chain_records(session, name, most=most)
    else:
        records, capped = await chain_queries.records_after(session, name, after, most=most), True
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
    return RecordsGone(next(iter(homes.values())))


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
