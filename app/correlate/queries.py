"""Every statement of the correlate room, by name."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.correlate.link import Link
from app.normalise.record import Severity
from app.normalise.text import json_text

SHORT: Final = 200
"""Records of a chain that hundreds of others may be read beside."""
ROWS_AT_ONCE: Final = 1_000
MOST_SETTLED: Final = 4
"""Marks looked at for each chain that is wanted: a busy chain has many."""

# A chain that never falls silent is digested all the same after ten quiet times. A mark of the
# future is a time at which to look again. The lock ends with the transaction: a replica that
# takes the same marks goes past the chains of this one. Materialized: else the lock would be
# taken for marks that the limit leaves out.
_CLAIM = text("""
    WITH settled AS MATERIALIZED (
        SELECT correlation_id, marked_at
        FROM chain_marks AS mark
        WHERE marked_at <= now() - make_interval(secs => :quiet)
        AND (
            marked_at <= now() - make_interval(secs => :quiet * 10)
            OR NOT EXISTS (
                SELECT FROM chain_marks AS newer
                WHERE newer.correlation_id = mark.correlation_id
                AND newer.marked_at > now() - make_interval(secs => :quiet)
                AND newer.marked_at <= now()
            )
        )
        ORDER BY marked_at
        LIMIT :marks
    ), chains AS MATERIALIZED (
        SELECT correlation_id, min(marked_at) AS marked_at FROM settled
        GROUP BY correlation_id ORDER BY 2 LIMIT :chains
    )
    SELECT correlation_id, extract(epoch FROM now() - marked_at)::float AS waited FROM chains
    WHERE pg_try_advisory_xact_lock(hashtextextended(correlation_id, 6))
    ORDER BY marked_at
""")
_CLAIM_ONE = text("SELECT pg_try_advisory_xact_lock(hashtextextended(:chain, 6))")
_IS_MARKED = text("""
    SELECT EXISTS (
        SELECT FROM chain_marks WHERE correlation_id = :chain AND marked_at <= now()
    )
""")

# Gone with the transaction that digests them: a crash gives them back. A mark that comes after
# this statement stays, and has the chain digested again; so does one of the future, because what
# it waits for may come in another chain.
_TAKE_MARKS = text("""
    DELETE FROM chain_marks WHERE correlation_id = ANY(:chains) AND marked_at <= now()
""")

_MARK_LATER = text("""
    INSERT INTO chain_marks (correlation_id, marked_at)
    SELECT * FROM jsonb_to_recordset(CAST(:marks AS jsonb))
        AS later (correlation_id text, marked_at timestamptz)
    WHERE NOT EXISTS (
        SELECT FROM chain_marks AS mark
        WHERE mark.correlation_id = later.correlation_id AND mark.marked_at = later.marked_at
    )
""")

# Sorted, as those who store errors do: late records of these chains are then marked, too.
_KNOW_FAILING = text("""
    INSERT INTO failing_chains (correlation_id)
    SELECT chain FROM unnest(CAST(:chains AS text[])) AS chain ORDER BY 1
    ON CONFLICT DO NOTHING
""")

_PLAIN = tuple(
    name
    for name in Link.__struct_fields__
    if name not in {"level", "message", "exception_type", "exception_message", "attributes"}
)
_COLUMNS = ", ".join(("correlation_id", *_PLAIN))
_LINKS = """
    SELECT link.*
    FROM unnest(CAST(:chains AS text[])) AS wanted (chain_id)
    CROSS JOIN LATERAL (
        SELECT {columns}, level::text, left(message, 2000) AS message,
            left(exception ->> 'type', 500) AS exception_type,
            left(exception ->> 'message', 2000) AS exception_message,
            CASE WHEN attributes <> '{{}}' AND pg_column_size(attributes) < 8000
                THEN attributes::text END AS attributes
        FROM log_records
        WHERE correlation_id = wanted.chain_id {condition}
        ORDER BY occurred_at {direction}, record_id
        LIMIT :most
    ) AS link
"""
_FIRST = text(_LINKS.format(columns=_COLUMNS, condition="", direction=""))
_LAST = text(_LINKS.format(columns=_COLUMNS, condition="", direction="DESC"))
_ERRORS = text(
    _LINKS.format(columns=_COLUMNS, condition="AND signature_id IS NOT NULL", direction="")
)

_WAITING = text("""
    SELECT count(*) FROM (SELECT FROM chain_marks WHERE marked_at <= now() LIMIT 100000) AS marks
""")


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """Chains to digest now, the longest waiting first."""

    names: list[str]
    waited: float = 0.0
    """Seconds since the first of them was marked."""


async def claim_settled(session: AsyncSession, *, quiet_seconds: float, limit: int) -> Settled:
    """Chains that are settled, and no other replica's until the commit."""
    parameters = {"quiet": quiet_seconds, "chains": limit, "marks": limit * MOST_SETTLED}
    rows = (await session.execute(_CLAIM, parameters)).all()
    return Settled(
        names=[row.correlation_id for row in rows], waited=rows[0].waited if rows else 0.0
    )


async def claim_chain(session: AsyncSession, chain: str) -> bool:
    """Whether this chain waits for the digest, settled or not, and no other replica has it."""
    if not await is_marked(session, chain):
        return False
    return bool((await session.execute(_CLAIM_ONE, {"chain": chain})).scalar_one())


async def is_marked(session: AsyncSession, chain: str) -> bool:
    """Whether this chain waits for the digest."""
    return bool((await session.execute(_IS_MARKED, {"chain": chain})).scalar_one())


async def take_marks(session: AsyncSession, chains: Sequence[str]) -> None:
    """These chains are digested by this transaction."""
    await session.execute(_TAKE_MARKS, {"chains": list(chains)})


async def mark_later(session: AsyncSession, times: Iterable[tuple[str, datetime]]) -> None:
    """Have these chains digested again at these times."""
    marks = [{"correlation_id": chain, "marked_at": at} for chain, at in times]
    if marks:
        await session.execute(_MARK_LATER, {"marks": json_text(marks)})


async def know_failing(session: AsyncSession, chains: Collection[str]) -> None:
    """These chains fail though they hold no error: their late records may change what they mean."""
    await session.execute(_KNOW_FAILING, {"chains": list(chains)})


class Records(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of a chain."""

    links: list[Link]
    capped: bool
    """True when it holds more."""


async def records_of(
    session: AsyncSession, chains: Sequence[str], *, most: int
) -> dict[str, Records]:
    """The first `most` records of each chain; of a longer one, also its last and its errors.

    One long chain at a time: the others that hold more than 200 records are left out.
    """
    short = min(SHORT, most)
    found = await _read_links(session, _FIRST, chains, short + 1)
    long = [chain for chain, links in found.items() if len(links) > short]
    records = {
        chain: Records(links=links, capped=False)
        for chain, links in found.items()
        if chain not in set(long)
    }
    if long:
        records[long[0]] = await _long_chain(session, long[0], most=most)
    return records


async def _long_chain(session: AsyncSession, chain: str, *, most: int) -> Records:
    links = (await _read_links(session, _FIRST, [chain], most + 1))[chain]
    if len(links) <= most:
        return Records(links=links, capped=False)
    known = {(link.record_id, link.occurred_at): link for link in links[:most]}
    for statement in (_ERRORS, _LAST):
        more = await _read_links(session, statement, [chain], most)
        known |= {(link.record_id, link.occurred_at): link for link in more[chain]}
    return Records(links=list(known.values()), capped=True)


async def _read_links(
    session: AsyncSession, statement: Any, chains: Sequence[str], most: int
) -> dict[str, list[Link]]:
    found: dict[str, list[Link]] = {chain: [] for chain in chains}
    rows = await session.execute(statement, {"chains": list(chains), "most": most})
    for number, (chain, *values, level, message, type_, said, attributes) in enumerate(rows, 1):
        link = Link(
            **dict(zip(_PLAIN, values, strict=True)),
            level=Severity(level),
            message=message,
            exception_type=type_ or "",
            exception_message=said or "",
            attributes=msgspec.json.decode(attributes) if attributes else {},
        )
        found[chain].append(link)
        if number % ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
    return found


async def marks_waiting(session: AsyncSession) -> int:
    """How many marks wait for the digest, counted up to 100,000."""
    return int((await session.execute(_WAITING)).scalar_one())
