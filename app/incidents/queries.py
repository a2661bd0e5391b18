"""Every statement of the incident room, by name."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.tables import IncidentStatus, incidents
from app.normalise.text import json_text

_OPEN = text("""
    INSERT INTO incidents (
        root_signature_id, services, environments, releases, first_seen, last_seen, chains, records
    )
    VALUES (:root_signature_id, '{}', '{}', '{}', :first_seen, :last_seen, 0, 0)
    ON CONFLICT (root_signature_id) WHERE status <> 'resolved'
        DO UPDATE SET chains = incidents.chains
    RETURNING incident_id, (xmax = 0) AS is_new
""")

_EXTEND = text("""
    UPDATE incidents SET
        services = ARRAY(SELECT DISTINCT unnest(services || CAST(:services AS text[])) ORDER BY 1),
        environments = ARRAY(
            SELECT DISTINCT unnest(environments || CAST(:environments AS text[])) ORDER BY 1
        ),
        releases = ARRAY(SELECT DISTINCT unnest(releases || CAST(:releases AS text[])) ORDER BY 1),
        first_seen = least(first_seen, :first_seen),
        last_seen = greatest(last_seen, :last_seen),
        chains = chains + :chains,
        records = records + :records
    WHERE incident_id = :incident_id
""")

_DIGESTED_BEFORE = text("""
    SELECT correlation_id, incident_id, root_signature_id, records, first_at, last_at
    FROM incident_chains
    WHERE correlation_id = ANY(CAST(:chains AS text[]))
""")

_SAVE_DIGESTED = text("""
    INSERT INTO incident_chains (
        correlation_id, incident_id, root_record_id, root_signature_id, root_service, symptoms,
        services, records, errors, first_at, last_at
    )
    SELECT *
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS found (
        correlation_id text, incident_id uuid, root_record_id uuid, root_signature_id text,
        root_service text, symptoms text[], services text[], records int, errors int,
        first_at timestamptz, last_at timestamptz
    )
    ON CONFLICT (correlation_id) DO UPDATE SET
        incident_id = excluded.incident_id,
        root_record_id = excluded.root_record_id,
        root_signature_id = excluded.root_signature_id,
        root_service = excluded.root_service,
        symptoms = excluded.symptoms,
        services = excluded.services,
        records = excluded.records,
        errors = excluded.errors,
        first_at = excluded.first_at,
        last_at = excluded.last_at,
        digested_at = now()
""")

_SUBTRACT = text("""
    UPDATE incidents SET chains = chains - 1, records = records - :records
    WHERE incident_id = :incident_id
""")


async def digested_before(session: AsyncSession, chains: Sequence[str]) -> dict[str, Any]:
    """What earlier digests found of these chains, by correlation ID."""
    rows = await session.execute(_DIGESTED_BEFORE, {"chains": list(chains)})
    return {row.correlation_id: row for row in rows}


async def extend_open_incident(
    session: AsyncSession, signature_id: str, contribution: dict[str, Any]
) -> tuple[UUID, bool]:
    """Open an incident for a root signature or extend the one that is open; whether it is new."""
    times = {name: contribution[name] for name in ("first_seen", "last_seen")}
    row = (await session.execute(_OPEN, {"root_signature_id": signature_id, **times})).one()
    await extend_incident(session, row.incident_id, contribution)
    return row.incident_id, row.is_new


async def extend_incident(
    session: AsyncSession, incident_id: UUID, contribution: dict[str, Any]
) -> None:
    await session.execute(_EXTEND, {"incident_id": incident_id, **contribution})


async def leave_incident(session: AsyncSession, incident_id: UUID, *, records: int) -> None:
    """Take a chain out of an incident; an untouched incident without chains never was one."""
    await session.execute(_SUBTRACT, {"incident_id": incident_id, "records": records})
    await session.execute(
        delete(incidents).where(
            incidents.c.incident_id == incident_id,
            incidents.c.chains == 0,
            incidents.c.status == IncidentStatus.OPEN,
        )
    )


async def save_digested(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Keep what was found of these chains, in one statement."""
    await session.execute(_SAVE_DIGESTED, {"rows": json_text(rows)})


async def count_unresolved(session: AsyncSession) -> int:
    query = select(func.count()).where(incidents.c.status != IncidentStatus.RESOLVED)
    return int((await session.execute(query)).scalar_one())
