"""Every statement of the correlate room, by name."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.correlate.chain import Link

# One replica digests at a time: two would only wait for each other's incidents.
_TAKE_TURN = text("SELECT pg_try_advisory_xact_lock(hashtext('prodsentinel.digest'))")

# A chain that never falls silent is digested all the same after ten quiet times.
_SETTLED = text("""
    SELECT correlation_id
    FROM chain_marks AS mark
    WHERE marked_at <= now() - make_interval(secs => :quiet)
    AND (
        marked_at <= now() - make_interval(secs => :quiet * 10)
        OR NOT EXISTS (
            SELECT FROM chain_marks AS newer
            WHERE newer.correlation_id = mark.correlation_id
            AND newer.marked_at > now() - make_interval(secs => :quiet)
        )
    )
    ORDER BY marked_at
    LIMIT :limit
""")

# Gone with the transaction that digests them: a crash gives them back. A mark that comes after
# this statement stays, and has the chain digested again.
_TAKE_MARKS = text("DELETE FROM chain_marks WHERE correlation_id = ANY(:chains)")

_NAMES = Link.__struct_fields__[:11]
_COLUMNS = ", ".join(("correlation_id", *_NAMES))
_LINKS = """
    SELECT link.*
    FROM unnest(CAST(:chains AS text[])) AS wanted (chain_id)
    CROSS JOIN LATERAL (
        SELECT {columns}
        FROM log_records
        WHERE correlation_id = wanted.chain_id {condition}
        ORDER BY occurred_at, record_id
        LIMIT :most
    ) AS link
"""
_FIRST_LINKS = text(_LINKS.format(columns=_COLUMNS, condition=""))
_FIRST_ERRORS = text(_LINKS.format(columns=_COLUMNS, condition="AND signature_id IS NOT NULL"))

_WAITING = text("SELECT count(*) FROM (SELECT FROM chain_marks LIMIT 100000) AS marks")


async def settled_chains(session: AsyncSession, *, quiet_seconds: float, limit: int) -> list[str]:
    """Failing chains to digest now, the longest waiting first; none while another replica does."""
    if not (await session.execute(_TAKE_TURN)).scalar_one():
        return []
    rows = await session.execute(_SETTLED, {"quiet": quiet_seconds, "limit": limit})
    return list(dict.fromkeys(rows.scalars()))


async def take_marks(session: AsyncSession, chains: Sequence[str]) -> None:
    """These chains are digested by this transaction."""
    await session.execute(_TAKE_MARKS, {"chains": list(chains)})


async def links_of(
    session: AsyncSession, chains: Sequence[str], *, most: int
) -> dict[str, list[Link]]:
    """The first `most` records of each chain; of a longer one, also its first `most` errors."""
    found: dict[str, dict[Any, Link]] = {chain: {} for chain in chains}
    await _read_links(session, _FIRST_LINKS, chains, most, found)
    if longer := [chain for chain, links in found.items() if len(links) >= most]:
        await _read_links(session, _FIRST_ERRORS, longer, most, found)
    return {chain: list(links.values()) for chain, links in found.items()}


async def _read_links(
    session: AsyncSession,
    statement: Any,
    chains: Sequence[str],
    most: int,
    found: dict[str, dict[Any, Link]],
) -> None:
    rows = await session.execute(statement, {"chains": list(chains), "most": most})
    for chain, *values in rows:
        link = Link(**dict(zip(_NAMES, values, strict=True)))
        found[chain][link.record_id, link.occurred_at] = link


async def marks_waiting(session: AsyncSession) -> int:
    """How many marks wait for the digest, counted up to 100,000."""
    return int((await session.execute(_WAITING)).scalar_one())
