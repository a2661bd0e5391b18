"""Every statement of the overview, by name: rows in, views out."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.tables import IncidentStatus
from app.query.overview_views import Coverage, IncidentLine
from app.query.rows import view

# As many rows as chains failed in the window: of their own index, records are not read.
_FAILED: Final = """
    SELECT chain.incident_id, chain.correlation_id,
        matches.known_issue_id IS NOT NULL OR chain.findings <> '{}' AS explained
    FROM incident_chains AS chain
    LEFT JOIN matches ON matches.signature_id = chain.root_signature_id
    WHERE root_at >= :since
"""
# A chain of two roots is one chain, explained when both are.
_COVERAGE = text(f"""
    SELECT count(*) AS chains, count(*) FILTER (WHERE explained) AS explained
    FROM (
        SELECT bool_and(explained) AS explained FROM ({_FAILED}) AS failed GROUP BY correlation_id
    ) AS chains
""")  # noqa: S608 - a constant of this file
_LINES: Final = """
    SELECT incidents.*, signatures.title, explanation.known_issue_id,
        explanation.known_issue_id IS NOT NULL AS known, listed.chains AS chains_lately
    FROM ({0}) AS listed
    JOIN incidents USING (incident_id)
    LEFT JOIN signatures ON signatures.signature_id = incidents.root_signature_id
    LEFT JOIN LATERAL (
        SELECT known_issue_id FROM (
            SELECT known_issue_id, 0 AS rank FROM matches
            WHERE matches.signature_id = incidents.root_signature_id
            AND known_issue_id IS NOT NULL
            UNION ALL
            SELECT known_issue_id, 1 FROM incident_findings AS finding
            WHERE finding.incident_id = incidents.incident_id
        ) AS explanations
        ORDER BY rank, known_issue_id LIMIT 1
    ) AS explanation ON true
    ORDER BY {1}
"""
_NOISIEST = text(
    _LINES.format(
        f"SELECT incident_id, count(DISTINCT correlation_id) AS chains FROM ({_FAILED}) AS failed"  # noqa: S608
        " GROUP BY incident_id ORDER BY 2 DESC, 1 LIMIT :limit",
        "listed.chains DESC, incident_id",
    )
)
_NEWEST = text(
    _LINES.format(
        """SELECT incident_id, (
            SELECT count(DISTINCT correlation_id) FROM incident_chains AS chain
            WHERE chain.incident_id = incidents.incident_id AND root_at >= :since
        ) AS chains
        FROM incidents ORDER BY opened_at DESC, incident_id LIMIT :limit""",
        "opened_at DESC, incident_id",
    )
)
_STATUSES = text("SELECT status::text, count(*) AS incidents FROM incidents GROUP BY status")
_DEBT = text("""
    SELECT count(*) AS signatures, coalesce(sum(chains), 0)::bigint AS chains
    FROM incident_roots
    JOIN incidents USING (incident_id)
    LEFT JOIN matches ON matches.signature_id = incident_roots.root_signature_id
    WHERE matches.known_issue_id IS NULL AND chains > 0
""")
_RECEIVED = text("""
    SELECT coalesce(sum(records), 0)::bigint AS records, coalesce(sum(errors), 0)::bigint AS errors,
        count(DISTINCT service) AS services,
        (
            SELECT coalesce(sum(upper(hole) - lower(hole)), 0)::bigint
            FROM sender_sequences AS sender
            CROSS JOIN LATERAL unnest(int8multirange(range_merge(received)) - received) AS hole
            WHERE newest_at >= :since
        ) AS missing_records
    FROM service_hours WHERE hour >= :since
""")


async def coverage(session: AsyncSession, *, since: datetime) -> Coverage:
    """How many chains failed, and of how many the catalogue knows why."""
    row = (await session.execute(_COVERAGE, {"since": since})).one()
    share = row.explained / row.chains if row.chains else None
    return Coverage(chains=row.chains, explained=row.explained, share=share)


async def noisiest(session: AsyncSession, *, since: datetime, limit: int) -> list[IncidentLine]:
    """Incidents by their failing chains since then."""
    return await _lines(session, _NOISIEST, since, limit)


async def newest(session: AsyncSession, *, since: datetime, limit: int) -> list[IncidentLine]:
    """The incidents opened last; their chains since then."""
    return await _lines(session, _NEWEST, since, limit)


async def _lines(
    session: AsyncSession, statement: Any, since: datetime, limit: int
) -> list[IncidentLine]:
    rows = await session.execute(statement, {"since": since, "limit": limit})
    return [view({**row, "chains": row["chains_lately"]}, IncidentLine) for row in rows.mappings()]


async def statuses(session: AsyncSession) -> dict[str, int]:
    """How many incidents there are of each status; 0 where there is none."""
    found = {row.status: row.incidents for row in await session.execute(_STATUSES)}
    return {status.value: found.get(status.value, 0) for status in IncidentStatus}


async def debt_totals(session: AsyncSession) -> tuple[int, int]:
    """Root signatures that no known issue explains, and the chains of their incidents."""
    row = (await session.execute(_DEBT)).one()
    return row.signatures, row.chains


async def received(session: AsyncSession, *, since: datetime) -> dict[str, int]:
    """Records, errors and services since this whole hour, and what never came."""
    row = (await session.execute(_RECEIVED, {"since": since})).mappings().one()
    return dict(row)
