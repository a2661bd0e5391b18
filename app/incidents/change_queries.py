"""Every statement that changes an incident or counts it anew, by name."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.lifecycle import Standing
from app.incidents.tables import EventKind, incident_roots, incidents
from app.normalise.text import json_text

# One after the other: two merges that share an incident would each wait for the other's roots.
# Rounds of the digest hold the same lock together: chains move between them, not beneath them.
_TAKE_TURN = text("SELECT pg_advisory_xact_lock(hashtext('prodsentinel.incidents'))")

# Sorted: two merges locking incidents in opposite order would deadlock.
_LOCK = text("""
    SELECT * FROM incidents WHERE incident_id = ANY(CAST(:ids AS uuid[]))
    ORDER BY incident_id FOR UPDATE
""")

# One that somebody holds has its turn the next time: a chain or a person changes it now.
_EXPIRED_SILENCES = text("""
    SELECT * FROM incidents WHERE status = 'muted' AND muted_until <= :now
    ORDER BY incident_id LIMIT :limit FOR UPDATE SKIP LOCKED
""")

_EVENT = text("""
    INSERT INTO events (kind, incident_id, done_by, details)
    VALUES (CAST(:kind AS event_kind), :incident_id, :done_by, CAST(:details AS jsonb))
    RETURNING event_id, happened_at
""")

# Notes change nothing, so they are no reason for a version to be stale.
_NEWEST_CHANGE = text("""
    SELECT kind, done_by, happened_at, details FROM events
    WHERE incident_id = :incident_id AND kind <> 'noted'
    ORDER BY happened_at DESC, event_id DESC LIMIT 1
""")

_BUSIEST_HOUR = text("""
    SELECT coalesce(max(chains), 0) FROM (
        SELECT count(*) AS chains FROM incident_chains
        WHERE incident_id = :incident_id AND root_at >= :since
        GROUP BY date_trunc('hour', root_at, 'UTC')
    ) AS hours
""")

_MOVE_ROOTS = text("""
    UPDATE incident_roots SET incident_id = :target
    WHERE incident_id = ANY(CAST(:sources AS uuid[]))
    AND (CAST(:roots AS text[]) IS NULL OR root_signature_id = ANY(CAST(:roots AS text[])))
""")
_MOVE_CHAINS = text("""
    UPDATE incident_chains SET incident_id = :target
    WHERE incident_id = ANY(CAST(:sources AS uuid[]))
    AND (CAST(:roots AS text[]) IS NULL OR root_signature_id = ANY(CAST(:roots AS text[])))
""")
# A chain with several roots may have a root, and so evidence, in both incidents.
_COPY_EVIDENCE = text("""
    INSERT INTO incident_evidence (correlation_id, incident_id, kept_at, records)
    SELECT DISTINCT ON (correlation_id) correlation_id, CAST(:target AS uuid), kept_at, records
    FROM incident_evidence AS kept
    WHERE incident_id = ANY(CAST(:sources AS uuid[])) AND (CAST(:all AS boolean) OR EXISTS (
        SELECT FROM incident_chains AS chain
        WHERE chain.correlation_id = kept.correlation_id AND chain.incident_id = :target
    ))
    ORDER BY correlation_id, kept_at
    ON CONFLICT DO NOTHING
""")
_DROP_EVIDENCE = text("""
    DELETE FROM incident_evidence AS kept
    WHERE incident_id = ANY(CAST(:sources AS uuid[])) AND (CAST(:all AS boolean) OR (
        EXISTS (
            SELECT FROM incident_chains AS chain
            WHERE chain.correlation_id = kept.correlation_id AND chain.incident_id = :target
        ) AND NOT EXISTS (
            SELECT FROM incident_chains AS chain
            WHERE chain.correlation_id = kept.correlation_id
            AND chain.incident_id = kept.incident_id
        )
    ))
""")

# The history stays where it was; what was said of the whole is true of the part that leaves.
_SPLIT_OFF = text("""
    INSERT INTO incidents (
        root_signature_id, status, first_seen, last_seen, chains, records, resolved_at,
        resolved_in_release, muted_until, muted_until_chains, muted_above_hourly
    )
    SELECT :root, status, first_seen, last_seen, chains, records, resolved_at,
        resolved_in_release, muted_until, muted_until_chains, muted_above_hourly
    FROM incidents WHERE incident_id = :source
    RETURNING incident_id
""")
_NAME_BY_OLDEST_ROOT = text("""
    UPDATE incidents SET root_signature_id = (
        SELECT root_signature_id FROM incident_roots AS root
        WHERE root.incident_id = incidents.incident_id
        ORDER BY (
            SELECT min(root_at) FROM incident_chains AS chain
            WHERE chain.incident_id = root.incident_id
            AND chain.root_signature_id = root.root_signature_id
        ), root_signature_id
        LIMIT 1
    )
    WHERE incident_id = ANY(CAST(:ids AS uuid[])) AND NOT EXISTS (
        SELECT FROM incident_roots AS root
        WHERE root.incident_id = incidents.incident_id
        AND root.root_signature_id = incidents.root_signature_id
    )
""")


async def lock_incidents(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, Any]:
    """The rows of these incidents, nobody else's to change until the transaction ends."""
    rows = await session.execute(_LOCK, {"ids": sorted(ids)})
    return {row.incident_id: row for row in rows}


async def lock_expired_silences(
    session: AsyncSession, *, now: datetime, limit: int
) -> dict[UUID, Any]:
    """The rows of incidents that were muted until now at most, those that nobody else holds."""
    rows = await session.execute(_EXPIRED_SILENCES, {"now": now, "limit": limit})
    return {row.incident_id: row for row in rows}


def standing_of(row: Any) -> Standing:
    """What decides what may follow, out of a row of `incidents`."""
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it begins so
    return msgspec.convert({n: values[n] for n in Standing.__struct_fields__}, Standing)


async def wait_for_turn(session: AsyncSession) -> None:
    """No other merge, split or recount until the transaction ends. Before any row is locked."""
    await session.execute(_TAKE_TURN)


async def save_change(session: AsyncSession, incident_id: UUID, changes: Mapping[str, Any]) -> int:
    """Set these columns; the new version."""
    statement = (
        update(incidents)
        .where(incidents.c.incident_id == incident_id)
        .values(**changes, version=incidents.c.version + 1)
        .returning(incidents.c.version)
    )
    return int((await session.execute(statement)).scalar_one())


async def save_event(
    session: AsyncSession,
    kind: EventKind,
    incident_id: UUID | None,
    *,
    details: Mapping[str, Any],
    done_by: str = "",
) -> UUID:
    """History, and word for whoever wants to be told. Nobody: the service itself did it."""
    values = {
        "kind": kind,
        "incident_id": incident_id,
        "done_by": done_by,
        "details": json_text(details),
    }
    return UUID(str((await session.execute(_EVENT, values)).one().event_id))


async def newest_change(session: AsyncSession, incident_id: UUID) -> dict[str, Any] | None:
    """The newest event that is no note, as JSON values."""
    found = await session.execute(_NEWEST_CHANGE, {"incident_id": incident_id})
    row = found.mappings().one_or_none()
    return msgspec.to_builtins(dict(row)) if row else None


async def busiest_hour(session: AsyncSession, incident_id: UUID, *, since: datetime) -> int:
    """The most chains that came in one hour."""
    values = {"incident_id": incident_id, "since": since}
    return int((await session.execute(_BUSIEST_HOUR, values)).scalar_one())


async def roots_of(session: AsyncSession, incident_id: UUID) -> set[str]:
    """The signatures whose chains go to this incident."""
    query = select(incident_roots.c.root_signature_id).where(
        incident_roots.c.incident_id == incident_id
    )
    return set((await session.execute(query)).scalars())


async def move(
    session: AsyncSession,
    sources: Sequence[UUID],
    target: UUID,
    *,
    roots: Sequence[str] | None = None,
) -> None:
    """Roots, chains and evidence go over to the target: all of them, or those of some roots."""
    values = {"sources": list(sources), "target": target}
    await session.execute(_MOVE_ROOTS, {**values, "roots": roots})
    await session.execute(_MOVE_CHAINS, {**values, "roots": roots})
    for statement in (_COPY_EVIDENCE, _DROP_EVIDENCE):
        await session.execute(statement, {**values, "all": roots is None})


async def split_off(session: AsyncSession, source: UUID, *, root: str) -> UUID:
    """A new incident that stands where the source stands; not counted yet."""
    found = await session.execute(_SPLIT_OFF, {"source": source, "root": root})
    return UUID(str(found.scalar_one()))


async def name_by_oldest_root(session: AsyncSession, ids: Sequence[UUID]) -> None:
    """An incident whose opening root is gone is named by the oldest of those left."""
    await session.execute(_NAME_BY_OLDEST_ROOT, {"ids": list(ids)})
