"""Every statement of the digest, by name. Those of people's changes: `change_queries.py`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.contribution import ChainRow, Delta
from app.incidents.tables import NAMES_KEPT, IncidentStatus, incident_chains, incidents
from app.normalise.text import json_text

# Merges and splits hold it alone; rounds of the digest hold it together.
_HOLD_OFF_MOVES = text("SELECT pg_advisory_xact_lock_shared(hashtext('prodsentinel.incidents'))")

_HOMES = text("""
    SELECT root_signature_id, incident_id FROM incident_roots
    WHERE root_signature_id = ANY(CAST(:signatures AS text[]))
""")

# Sorted: of two replicas that meet a new signature the second waits, and neither for the other.
_OPEN = text("""
    WITH opened AS (
        INSERT INTO incident_roots (root_signature_id, incident_id)
        SELECT root_signature_id, gen_random_uuid()
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row (root_signature_id text)
        WHERE NOT EXISTS (
            SELECT FROM incident_roots AS known
            WHERE known.root_signature_id = row.root_signature_id
        )
        ORDER BY 1
        ON CONFLICT DO NOTHING
        RETURNING root_signature_id, incident_id
    )
    INSERT INTO incidents (
        incident_id, root_signature_id, first_seen, last_seen, chains, records
    )
    SELECT incident_id, root_signature_id, first_seen, last_seen, 0, 0
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS row (root_signature_id text, first_seen timestamptz, last_seen timestamptz)
    JOIN opened USING (root_signature_id)
    RETURNING incident_id
""")

_BEFORE = text("""
    SELECT correlation_id, root_signature_id, incident_id, root_at, root_service, services,
        environments, releases, records, errors, errors_by_service, findings, incomplete,
        first_at, last_at
    FROM incident_chains
    WHERE correlation_id = ANY(CAST(:chains AS text[]))
""").columns(errors_by_service=incident_chains.c.errors_by_service.type)

# Who comes first stays: no set grows beyond what is kept.
_EXTEND = text("""
    UPDATE incidents AS old SET
        services = ARRAY(SELECT unnest(old.services || ARRAY(
            SELECT DISTINCT name FROM unnest(new.services) AS name WHERE name <> ALL (old.services)
            ORDER BY 1 LIMIT greatest(0, :most - cardinality(old.services))
        )) ORDER BY 1),
        root_services = ARRAY(SELECT unnest(old.root_services || ARRAY(
            SELECT DISTINCT name FROM unnest(new.root_services) AS name
            WHERE name <> ALL (old.root_services)
            ORDER BY 1 LIMIT greatest(0, :most - cardinality(old.root_services))
        )) ORDER BY 1),
        environments = ARRAY(SELECT unnest(old.environments || ARRAY(
            SELECT DISTINCT name FROM unnest(new.environments) AS name
            WHERE name <> ALL (old.environments)
            ORDER BY 1 LIMIT greatest(0, :most - cardinality(old.environments))
        )) ORDER BY 1),
        releases = ARRAY(SELECT unnest(old.releases || ARRAY(
            SELECT DISTINCT name FROM unnest(new.releases) AS name WHERE name <> ALL (old.releases)
            ORDER BY 1 LIMIT greatest(0, :most - cardinality(old.releases))
        )) ORDER BY 1),
        first_seen = least(old.first_seen, new.first_seen),
        last_seen = greatest(old.last_seen, new.last_seen),
        chains = old.chains + new.chains,
        records = old.records + new.records,
        incomplete = old.incomplete + new.incomplete
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        incident_id uuid, services text[], root_services text[], environments text[],
        releases text[], first_seen timestamptz, last_seen timestamptz, chains bigint,
        records bigint, incomplete bigint
    )
    WHERE old.incident_id = new.incident_id
""")

_ADD_HOURS = text("""
    INSERT INTO incident_hours AS old (incident_id, hour, service, chains, errors)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        incident_id uuid, hour timestamptz, service text, chains bigint, errors bigint
    )
    ON CONFLICT (incident_id, hour, service) DO UPDATE SET
        chains = old.chains + excluded.chains, errors = old.errors + excluded.errors
""")
_ADD_FINDINGS = text("""
    INSERT INTO incident_findings AS old (incident_id, known_issue_id, chains, evidence)
    SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        incident_id uuid, known_issue_id text, chains bigint, evidence jsonb
    )
    ON CONFLICT (incident_id, known_issue_id) DO UPDATE SET
        chains = old.chains + excluded.chains
""")
_DROP_EMPTY = (
    text("""
        DELETE FROM incident_hours
        WHERE incident_id = ANY(CAST(:incidents AS uuid[])) AND chains <= 0
    """),
    text("""
        DELETE FROM incident_findings
        WHERE incident_id = ANY(CAST(:incidents AS uuid[])) AND chains <= 0
    """),
    # Nobody touched it, and its only chains turned out to say something else: it never was one.
    # When people may have been told of it, they are told that it is over.
    text("""
        WITH told AS (
            UPDATE incidents SET status = 'resolved', resolved_at = now(), version = version + 1
            WHERE incident_id = ANY(CAST(:incidents AS uuid[])) AND chains = 0 AND version = 1
            AND EXISTS (
                SELECT FROM events
                WHERE events.incident_id = incidents.incident_id AND routed_at IS NOT NULL
            )
            RETURNING incident_id
        )
        INSERT INTO events (kind, incident_id, details)
        SELECT 'resolved', incident_id, jsonb_build_object(
            'from', 'open', 'to', 'resolved', 'note', 'its chains turned out to begin elsewhere'
        )
        FROM told
    """),
    text("""
        WITH gone AS (
            DELETE FROM incidents
            WHERE incident_id = ANY(CAST(:incidents AS uuid[])) AND chains = 0 AND version = 1
            AND NOT EXISTS (
                SELECT FROM events
                WHERE events.incident_id = incidents.incident_id AND done_by <> ''
            )
            RETURNING incident_id
        ), roots AS (
            DELETE FROM incident_roots USING gone WHERE incident_roots.incident_id = gone.incident_id
        ), kept AS (
            DELETE FROM incident_evidence USING gone
            WHERE incident_evidence.incident_id = gone.incident_id
        )
        DELETE FROM events USING gone
        WHERE events.incident_id = gone.incident_id AND routed_at IS NULL
    """),  # noqa: E501
)

_SAVE_ROWS = text("""
    INSERT INTO incident_chains (
        incident_id, correlation_id, root_signature_id, root_record_id, root_service, root_at,
        symptoms, services, records, errors, errors_by_service, confidence, reasons, findings,
        environments, releases, incomplete, first_at, last_at
    )
    SELECT *
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS found (
        incident_id uuid, correlation_id text, root_signature_id text, root_record_id uuid,
        root_service text, root_at timestamptz, symptoms text[], services text[], records int,
        errors int, errors_by_service jsonb, confidence root_confidence, reasons text[],
        findings text[], environments text[], releases text[], incomplete boolean,
        first_at timestamptz, last_at timestamptz
    )
    ON CONFLICT (correlation_id, root_signature_id) DO UPDATE SET
        incident_id = excluded.incident_id,
        root_record_id = excluded.root_record_id,
        root_service = excluded.root_service,
        root_at = excluded.root_at,
        symptoms = excluded.symptoms,
        services = excluded.services,
        records = excluded.records,
        errors = excluded.errors,
        errors_by_service = excluded.errors_by_service,
        confidence = excluded.confidence,
        reasons = excluded.reasons,
        findings = excluded.findings,
        environments = excluded.environments,
        releases = excluded.releases,
        incomplete = excluded.incomplete,
        first_at = excluded.first_at,
        last_at = excluded.last_at,
        digested_at = now()
""")
_DROP_ROWS = text("""
    DELETE FROM incident_chains AS old
    USING unnest(CAST(:chains AS text[]), CAST(:signatures AS text[]))
        AS gone (correlation_id, root_signature_id)
    WHERE (old.correlation_id, old.root_signature_id)
        = (gone.correlation_id, gone.root_signature_id)
""")

_OF_THIS_HOUR = text("""
    SELECT count(*) FROM incident_chains
    WHERE incident_id = :incident_id AND root_at >= date_trunc('hour', now())
""")

_COUNT_FINDINGS = text("""
    INSERT INTO signatures AS old (
        signature_id, version, exception_type, title, message, culprit, callee, caller,
        explanation, sample, first_seen, last_seen, records
    )
    SELECT signature_id, :version, '', title, title, '', '', '',
        '{"variant": "chain-rule", "parts": []}', sample, seen_at, seen_at, records
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        signature_id text, title text, sample jsonb, seen_at timestamptz, records bigint
    )
    ORDER BY signature_id
    ON CONFLICT (signature_id) DO UPDATE SET
        records = old.records + excluded.records,
        first_seen = least(old.first_seen, excluded.first_seen),
        last_seen = greatest(old.last_seen, excluded.last_seen)
""")

_TITLES = text("""
    SELECT signature_id, title, known_issue_id FROM signatures
    LEFT JOIN matches USING (signature_id)
    WHERE signature_id = ANY(CAST(:signatures AS text[]))
""")


async def hold_off_moves(session: AsyncSession) -> None:
    """Until the commit no chain is moved from one incident to another."""
    await session.execute(_HOLD_OFF_MOVES)


async def chains_before(session: AsyncSession, chains: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What earlier digests found: correlation ID -> root signature -> row."""
    found: dict[str, dict[str, Any]] = {}
    for row in await session.execute(_BEFORE, {"chains": list(chains)}):
        found.setdefault(row.correlation_id, {})[row.root_signature_id] = row
    return found


async def homes_of(session: AsyncSession, signatures: Collection[str]) -> dict[str, UUID]:
    """The incidents that chains of these root signatures go to."""
    rows = await session.execute(_HOMES, {"signatures": list(signatures)})
    return {row.root_signature_id: row.incident_id for row in rows}


async def open_incidents(session: AsyncSession, rows: Iterable[dict[str, Any]]) -> set[UUID]:
    """Open an incident for each root signature that has none; those that are new."""
    return set((await session.execute(_OPEN, {"rows": json_text(list(rows))})).scalars())


async def extend_incidents(
    session: AsyncSession, changes: Mapping[UUID, Delta], sets: Mapping[UUID, dict[str, Any]]
) -> None:
    """Add to the counts, sets and times of incidents."""
    rows = [
        {
            "incident_id": incident_id,
            "chains": delta.chains,
            "records": delta.records,
            "incomplete": delta.incomplete,
            **sets.get(incident_id, {}),
        }
        for incident_id, delta in changes.items()
    ]
    await session.execute(_EXTEND, {"rows": json_text(rows), "most": NAMES_KEPT})


async def add_hours(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    if rows:
        await session.execute(_ADD_HOURS, {"rows": json_text(rows)})


async def add_findings(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    if rows:
        await session.execute(_ADD_FINDINGS, {"rows": json_text(rows)})


async def drop_empty(session: AsyncSession, names: Collection[UUID]) -> None:
    """Remove what is left without chains of incidents that chains went away from."""
    for statement in _DROP_EMPTY:
        await session.execute(statement, {"incidents": sorted(names)})


async def save_rows(session: AsyncSession, rows: Iterable[tuple[UUID, ChainRow]]) -> None:
    """Keep what was found of these chains, in one statement."""
    values = [{"incident_id": home, **msgspec.structs.asdict(row)} for home, row in rows]
    if values:
        await session.execute(_SAVE_ROWS, {"rows": json_text(values)})


async def drop_rows(session: AsyncSession, keys: Collection[tuple[str, str]]) -> None:
    """Forget roots that turned out to be none: correlation ID and root signature."""
    if keys:
        chains, names = zip(*keys, strict=True)
        await session.execute(_DROP_ROWS, {"chains": list(chains), "signatures": list(names)})


async def chains_this_hour(session: AsyncSession, incident_id: UUID) -> int:
    return int((await session.execute(_OF_THIS_HOUR, {"incident_id": incident_id})).scalar_one())


async def count_findings(
    session: AsyncSession, rows: list[dict[str, Any]], *, version: str
) -> None:
    """Signatures that stand for chain rules, sorted: replicas lock them in the same order."""
    await session.execute(_COUNT_FINDINGS, {"rows": json_text(rows), "version": version})


async def titles_of(session: AsyncSession, names: Collection[str]) -> dict[str, Any]:
    """Title and known issue of signatures."""
    rows = await session.execute(_TITLES, {"signatures": list(names)})
    return {row.signature_id: row for row in rows}


async def count_unresolved(session: AsyncSession) -> int:
    query = select(func.count()).where(incidents.c.status != IncidentStatus.RESOLVED)
    return int((await session.execute(query)).scalar_one())
