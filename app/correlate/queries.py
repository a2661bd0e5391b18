"""Every statement of the correlate room, by name."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.correlate.chain import Link

# Taken marks are gone with the transaction that digests them: a crash gives them back.
# A chain that never falls silent is digested all the same after ten quiet times.
_TAKE_SETTLED = text("""
    WITH settled AS (
        SELECT correlation_id
        FROM chain_marks
        GROUP BY correlation_id
        HAVING max(marked_at) <= now() - make_interval(secs => :quiet)
            OR min(marked_at) <= now() - make_interval(secs => :quiet * 10)
        ORDER BY min(marked_at)
        LIMIT :limit
    ), taken AS (
        SELECT correlation_id, mark_id
        FROM chain_marks JOIN settled USING (correlation_id)
        FOR UPDATE OF chain_marks SKIP LOCKED
    )
    DELETE FROM chain_marks USING taken
    WHERE chain_marks.correlation_id = taken.correlation_id
        AND chain_marks.mark_id = taken.mark_id
    RETURNING chain_marks.correlation_id
""")

# Two replicas may hold marks of one chain: the later one must read after the earlier committed.
_LOCK_CHAINS = text("""
    SELECT pg_advisory_xact_lock(hashtextextended(correlation_id, 1))
    FROM (SELECT unnest(CAST(:chains AS text[])) AS correlation_id ORDER BY 1) AS sorted
""")

_LINKS = text("""
    SELECT link.*
    FROM unnest(CAST(:chains AS text[])) AS wanted (chain_id)
    CROSS JOIN LATERAL (
        SELECT correlation_id, occurred_at, record_id, service, level::text AS level,
            environment, release, instance, sequence, span_id, parent_span_id, signature_id
        FROM log_records
        WHERE correlation_id = wanted.chain_id
        ORDER BY occurred_at, record_id
        LIMIT :most
    ) AS link
""")

_WAITING = text("SELECT count(*) FROM (SELECT FROM chain_marks LIMIT 100000) AS marks")


async def take_settled_chains(
    session: AsyncSession, *, quiet_seconds: float, limit: int
) -> list[str]:
    """Failing chains to digest now, sorted; this transaction owns them until it ends."""
    rows = await session.execute(_TAKE_SETTLED, {"quiet": quiet_seconds, "limit": limit})
    chains = sorted(set(rows.scalars()))
    await session.execute(_LOCK_CHAINS, {"chains": chains})
    return chains


async def links_of(
    session: AsyncSession, chains: Sequence[str], *, most: int
) -> dict[str, list[Link]]:
    """The first `most` records of each chain."""
    found: dict[str, list[Link]] = {chain: [] for chain in chains}
    rows = await session.execute(_LINKS, {"chains": list(chains), "most": most})
    for row in rows.mappings():
        found[row["correlation_id"]].append(
            msgspec.convert({k: v for k, v in row.items() if k != "correlation_id"}, Link)
        )
    return found


async def marks_waiting(session: AsyncSession) -> int:
    """How many marks wait for the digest, counted up to 100,000."""
    return int((await session.execute(_WAITING)).scalar_one())
