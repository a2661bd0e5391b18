"""Every statement of the catalogue's pages, by name. Read-only."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.queries import QUARANTINE_LEAST_CHAINS, QUARANTINE_SHARE
from app.catalogue.tables import known_issues
from app.query import queries
from app.query.catalogue_views import (
    Entry,
    EntryFilter,
    EntryLine,
    EntryOrder,
    EntryState,
    EntryTotals,
    EntryVersion,
    ExplainedError,
    ImportedEntry,
    Judged,
)
from app.query.rows import view

DAYS: Final = 30
LINES: Final = 25
"""Most signatures and verdicts that a page shows of an entry."""
INCIDENTS: Final = 200
"""Of the incidents that it explains so many are counted by day, the last seen first."""
MOST_IMPORTED: Final = 1_000

# The root decides; a chain rule explains what its root does not.
_EXPLAINED: Final = """
    SELECT known_issue_id, sum(chains)::bigint AS chains, max(last_seen) AS last_seen FROM (
        SELECT matches.known_issue_id, incidents.chains, incidents.last_seen
        FROM incidents JOIN matches ON matches.signature_id = incidents.root_signature_id
        WHERE matches.known_issue_id IS NOT NULL
        UNION ALL
        SELECT finding.known_issue_id, finding.chains, incidents.last_seen
        FROM incident_findings AS finding
        JOIN incidents USING (incident_id)
        LEFT JOIN matches ON matches.signature_id = incidents.root_signature_id
        WHERE matches.known_issue_id IS DISTINCT FROM finding.known_issue_id
    ) AS explained GROUP BY known_issue_id
"""
_FARING: Final = f"""
    WITH newest AS (
        SELECT DISTINCT ON (known_issue_id) known_issue_id, version, title, severity, tags,
            document, first_line, collection, imported_at, retired_at
        FROM known_issues ORDER BY known_issue_id, version DESC
    ), told AS (
        SELECT newest.*, coalesce(hit.signatures, 0) AS signatures,
            coalesce(explained.chains, 0) AS chains,
            greatest(hit.last_seen, explained.last_seen) AS last_seen,
            coalesce(judged.confirmed, 0) AS confirmed, coalesce(judged.rejected, 0) AS rejected,
            judged.confirmed::float / nullif(judged.confirmed + judged.rejected, 0) AS precision,
            coalesce(healthy_chains >= :least AND hits > healthy_chains * :share, false)
                AS quarantined
        FROM newest
        LEFT JOIN (
            SELECT known_issue_id, count(*) AS signatures, max(last_seen) AS last_seen
            FROM matches JOIN signatures USING (signature_id)
            WHERE known_issue_id IS NOT NULL GROUP BY known_issue_id
        ) AS hit USING (known_issue_id)
        LEFT JOIN ({_EXPLAINED}) AS explained USING (known_issue_id)
        LEFT JOIN (
            SELECT known_issue_id, count(*) FILTER (WHERE verdict = 'confirmed') AS confirmed,
                count(*) FILTER (WHERE verdict = 'rejected') AS rejected
            FROM match_verdicts GROUP BY known_issue_id
        ) AS judged USING (known_issue_id)
        LEFT JOIN entry_health USING (known_issue_id, version)
    )
"""  # noqa: S608 - constants of this file
_STATES: Final = {
    EntryState.CURRENT: "retired_at IS NULL",
    EntryState.SEEN: "retired_at IS NULL AND last_seen IS NOT NULL",
    EntryState.UNSEEN: "retired_at IS NULL AND last_seen IS NULL",
    EntryState.QUARANTINED: "retired_at IS NULL AND quarantined",
    EntryState.RETIRED: "retired_at IS NOT NULL",
}
_ORDERS: Final = {
    EntryOrder.CHAINS: "chains DESC, signatures DESC",
    EntryOrder.LAST_SEEN: "last_seen DESC NULLS LAST",
    EntryOrder.PRECISION: "precision NULLS LAST, confirmed + rejected DESC",
    EntryOrder.TITLE: "lower(title)",
    EntryOrder.IMPORTED: "imported_at DESC",
}
_LIMITS: Final = {"least": QUARANTINE_LEAST_CHAINS, "share": QUARANTINE_SHARE}
_TOTALS = text(f"""{_FARING}
    SELECT count(*) FILTER (WHERE retired_at IS NULL) AS current,
        count(*) FILTER (WHERE retired_at IS NULL AND last_seen IS NOT NULL) AS seen,
        count(*) FILTER (WHERE retired_at IS NULL AND quarantined) AS quarantined,
        count(*) FILTER (WHERE retired_at IS NOT NULL) AS retired
    FROM told
""")  # noqa: S608 - a constant of this file
_DOCUMENTS = text("SELECT DISTINCT document FROM known_issues WHERE retired_at IS NULL ORDER BY 1")
_SIGNATURES = text("""
    SELECT signature_id, title, tier, score, signatures.records, signatures.last_seen,
        incident_id, verdict
    FROM matches
    JOIN signatures USING (signature_id)
    LEFT JOIN incident_roots ON root_signature_id = signature_id
    LEFT JOIN match_verdicts AS said USING (signature_id, known_issue_id)
    WHERE known_issue_id = :name
    ORDER BY signatures.last_seen DESC, signature_id LIMIT :limit
""")
_JUDGED = text("""
    SELECT signature_id, coalesce(title, '') AS title, verdict, decided_by, note, decided_at
    FROM match_verdicts LEFT JOIN signatures USING (signature_id)
    WHERE known_issue_id = :name ORDER BY decided_at DESC, signature_id LIMIT :limit
""")
# By incident: joined as a whole, the hours of all incidents would be read for those of a few.
_BY_DAY = text("""
    WITH explained AS (
        SELECT incident_id FROM incidents WHERE incident_id IN (
            SELECT incident_id FROM matches
            JOIN incidents ON root_signature_id = signature_id WHERE known_issue_id = :name
            UNION
            SELECT incident_id FROM incident_findings WHERE known_issue_id = :name
        ) ORDER BY last_seen DESC, incident_id LIMIT :most
    ), counted AS (
        SELECT day, sum(errors)::bigint AS errors
        FROM explained
        CROSS JOIN LATERAL (
            SELECT date_trunc('day', hour, 'UTC') AS day, sum(errors) AS errors
            FROM incident_hours AS counted
            WHERE counted.incident_id = explained.incident_id
            AND hour >= date_trunc('day', CAST(:now AS timestamptz), 'UTC')
                - make_interval(days => :days - 1)
            GROUP BY 1
        ) AS of_incident
        GROUP BY 1
    )
    SELECT coalesce(errors, 0) AS errors
    FROM generate_series(0, :days - 1) AS back
    LEFT JOIN counted ON day = date_trunc('day', CAST(:now AS timestamptz), 'UTC')
        - make_interval(days => back)
    ORDER BY back DESC
""")


async def list_entries(
    session: AsyncSession, wanted: EntryFilter, *, limit: int, skip: int = 0
) -> list[EntryLine]:
    """The newest version of each entry that the filter lets through."""
    where, values = _condition(wanted)
    query = text(
        f"{_FARING} SELECT * FROM told WHERE {where} "  # noqa: S608 - parts of this file
        f"ORDER BY {_ORDERS[wanted.order]}, known_issue_id LIMIT :limit OFFSET :skip"
    )
    rows = await session.execute(query, {**_LIMITS, **values, "limit": limit, "skip": skip})
    return [view(row, EntryLine) for row in rows.mappings()]


def _condition(wanted: EntryFilter) -> tuple[str, dict[str, Any]]:
    parts, values = [_STATES[wanted.state]], dict[str, Any]()
    if wanted.document:
        parts.append("document = :document")
        values["document"] = wanted.document
    for n, word in enumerate(wanted.words.lower().split()[:10]):
        parts.append(
            "strpos(lower(concat_ws(' ', known_issue_id, title, document, "
            f"array_to_string(tags, ' '))), :word{n}) > 0"
        )
        values[f"word{n}"] = word
    return " AND ".join(parts), values


async def totals(session: AsyncSession) -> EntryTotals:
    row = (await session.execute(_TOTALS, _LIMITS)).mappings().one()
    return EntryTotals(**row)


async def documents(session: AsyncSession) -> list[str]:
    """Of the entries that are not retired, by name."""
    return list((await session.execute(_DOCUMENTS)).scalars())


async def find_entry(session: AsyncSession, known_issue_id: str, *, now: datetime) -> Entry | None:
    """An entry, retired or not, with all that its page shows."""
    if "\0" in known_issue_id:
        return None
    shown = await queries.known_issue(session, known_issue_id)
    if shown is None:
        return None
    named: dict[str, Any] = {"name": known_issue_id, "limit": LINES}
    explained = await session.execute(_SIGNATURES, named)
    judged = await session.execute(_JUDGED, named)
    days = await session.execute(
        _BY_DAY, {"name": known_issue_id, "now": now, "days": DAYS, "most": INCIDENTS}
    )
    return Entry(
        shown=shown,
        versions=tuple(await _versions(session, known_issue_id)),
        explained=tuple(view(row, ExplainedError) for row in explained.mappings()),
        judged=tuple(view(row, Judged) for row in judged.mappings()),
        errors_by_day=tuple(days.scalars()),
    )


async def _versions(session: AsyncSession, known_issue_id: str) -> list[EntryVersion]:
    columns = [known_issues.c[name] for name in EntryVersion.__struct_fields__]
    query = (
        select(*columns)
        .where(known_issues.c.known_issue_id == known_issue_id)
        .order_by(known_issues.c.version.desc())
        .limit(LINES)
    )
    return [view(row, EntryVersion) for row in (await session.execute(query)).mappings()]


async def entries_imported(session: AsyncSession, at: datetime) -> list[ImportedEntry]:
    """What one import stored or retired, by id."""
    columns = [known_issues.c[name] for name in ImportedEntry.__struct_fields__]
    query = (
        select(*columns)
        .where((known_issues.c.imported_at == at) | (known_issues.c.retired_at == at))
        .order_by(known_issues.c.known_issue_id)
        .limit(MOST_IMPORTED)
    )
    return [view(row, ImportedEntry) for row in (await session.execute(query)).mappings()]
