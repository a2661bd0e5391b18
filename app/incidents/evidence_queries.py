"""Every statement about the chains that incidents keep, by name."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.normalise.text import json_text

_KEPT = text("""
    SELECT incident_id, array_agg(correlation_id) AS chains,
        max(kept_at) > now() - interval '1 hour' AS is_recent
    FROM incident_evidence
    WHERE incident_id = ANY(CAST(:incidents AS uuid[]))
    GROUP BY incident_id
""")
# Two reads that end early: a chain may be long, and what is kept of it is short.
_KEEP = text("""
    INSERT INTO incident_evidence (incident_id, correlation_id, records)
    SELECT pair.incident_id, pair.correlation_id, kept.records
    FROM jsonb_to_recordset(CAST(:pairs AS jsonb)) AS pair (incident_id uuid, correlation_id text)
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(
            to_jsonb(record) || jsonb_build_object('message', left(message, 4000))
            ORDER BY occurred_at, record_id
        ) AS records
        FROM (
            (
                SELECT * FROM log_records
                WHERE correlation_id = pair.correlation_id AND signature_id IS NOT NULL
                ORDER BY occurred_at, record_id LIMIT 50
            )
            UNION ALL
            (
                SELECT * FROM log_records
                WHERE correlation_id = pair.correlation_id AND signature_id IS NULL
                ORDER BY occurred_at, record_id LIMIT 50
            )
        ) AS record
    ) AS kept
    WHERE kept.records IS NOT NULL
    ON CONFLICT (correlation_id, incident_id) DO UPDATE SET records = excluded.records
""")
# The first three and the last three.
_DROP = text("""
    DELETE FROM incident_evidence AS old
    USING (
        SELECT incident_id, correlation_id,
            row_number() OVER (PARTITION BY incident_id ORDER BY kept_at) AS from_first,
            row_number() OVER (PARTITION BY incident_id ORDER BY kept_at DESC) AS from_last
        FROM incident_evidence
        WHERE incident_id = ANY(CAST(:incidents AS uuid[]))
    ) AS ranked
    WHERE (old.incident_id, old.correlation_id) = (ranked.incident_id, ranked.correlation_id)
    AND from_first > 3 AND from_last > 3
""")


async def evidence_kept(session: AsyncSession, names: Collection[UUID]) -> dict[UUID, Any]:
    """Of which chains a snapshot is kept, and whether one is of the last hour."""
    rows = await session.execute(_KEPT, {"incidents": list(names)})
    return {row.incident_id: row for row in rows}


async def keep_evidence(session: AsyncSession, pairs: Sequence[tuple[UUID, str]]) -> None:
    """Copy these chains as they stand now: they outlive their records."""
    if not pairs:
        return
    rows = [{"incident_id": home, "correlation_id": chain} for home, chain in sorted(set(pairs))]
    await session.execute(_KEEP, {"pairs": json_text(rows)})
    await session.execute(_DROP, {"incidents": sorted({home for home, _ in pairs})})
