"""Every statement of the incident room, by name."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.tables import IncidentStatus, incident_chains, incidents

_EXTEND_OPEN = text("""
    INSERT INTO incidents AS incident (
        root_signature_id, services, environments, releases, first_seen, last_seen, chains, records
    )
    VALUES (
        :root_signature_id, :services, :environments, :releases, :first_seen, :last_seen,
        :chains, :records
    )
    ON CONFLICT (root_signature_id) WHERE status <> 'resolved' DO UPDATE SET
        services = ARRAY(SELECT DISTINCT unnest(incident.services || excluded.services)),
        environments = ARRAY(
            SELECT DISTINCT unnest(incident.environments || excluded.environments)
        ),
        releases = ARRAY(SELECT DISTINCT unnest(incident.releases || excluded.releases)),
        first_seen = least(incident.first_seen, excluded.first_seen),
        last_seen = greatest(incident.last_seen, excluded.last_seen),
        chains = incident.chains + excluded.chains,
        records = incident.records + excluded.records
    RETURNING incident_id, (xmax = 0) AS is_new
""")

_ADJUST = text("""
    UPDATE incidents SET
        services = ARRAY(SELECT DISTINCT unnest(services || CAST(:services AS text[]))),
        last_seen = greatest(last_seen, :last_seen),
        chains = chains + :chains,
        records = records + :records
    WHERE incident_id = :incident_id
""")

_SUBTRACT = text("""
    UPDATE incidents SET chains = chains - 1, records = records - :records
    WHERE incident_id = :incident_id
""")


async def digested_before(session: AsyncSession, chains: Sequence[str]) -> dict[str, Any]:
    """What earlier digests found of these chains, by correlation ID."""
    rows = await session.execute(
        select(incident_chains).where(incident_chains.c.correlation_id.in_(chains))
    )
    return {row.correlation_id: row for row in rows}


async def extend_open_incident(session: AsyncSession, values: dict[str, Any]) -> tuple[UUID, bool]:
    """Open an incident for a root signature or extend the one that is open; whether it is new."""
    row = (await session.execute(_EXTEND_OPEN, values)).one()
    return row.incident_id, row.is_new


async def adjust_incident(session: AsyncSession, values: dict[str, Any]) -> None:
    await session.execute(_ADJUST, values)


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
    statement = insert(incident_chains)
    columns = {name: statement.excluded[name] for name in rows[0] if name != "correlation_id"}
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["correlation_id"], set_=columns | {"digested_at": func.now()}
        ),
        rows,
    )


async def count_unresolved(session: AsyncSession) -> int:
    query = select(func.count()).where(incidents.c.status != IncidentStatus.RESOLVED)
    return int((await session.execute(query)).scalar_one())


async def recount(session: AsyncSession) -> dict[UUID, tuple[int, int]]:
    """Chains and records of each incident, counted anew from its chains."""
    table = incident_chains.c
    query = select(table.incident_id, func.count(), func.sum(table.records)).group_by(
        table.incident_id
    )
    return {row[0]: (row[1], row[2]) for row in await session.execute(query)}
