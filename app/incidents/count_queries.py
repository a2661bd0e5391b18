"""What incidents count, made anew from `incident_chains`: after chains moved, and as a check."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.change_queries import lock_incidents, wait_for_turn
from app.incidents.tables import NAMES_KEPT
from app.normalise.text import json_text

_OF_THESE = "incident_id = ANY(CAST(:ids AS uuid[]))"

# Of more names than are kept any will do, if there are as many as are kept.
_KEPT = """
        CASE
            WHEN cardinality(names.{name}) <= {most} THEN names.{name}
            WHEN cardinality(incidents.{name}) = {most}
                AND incidents.{name} COLLATE "C" <@ names.{name} COLLATE "C"
            THEN ARRAY(SELECT unnest(incidents.{name}) COLLATE "C" ORDER BY 1)
            ELSE coalesce(names.{name}[1:{most}], ARRAY[]::text[])
        END"""
_NAMES = ("services", "environments", "releases", "root_services")

# An incident without chains counts nothing and keeps its times.
_COUNTED = """
    SELECT incidents.incident_id,
        coalesce(sums.chains, 0) AS chains,
        coalesce(sums.records, 0) AS records,
        coalesce(sums.incomplete, 0) AS incomplete,
        coalesce(sums.first_seen, incidents.first_seen) AS first_seen,
        coalesce(sums.last_seen, incidents.last_seen) AS last_seen,
        {services} AS services,
        {environments} AS environments,
        {releases} AS releases,
        {root_services} AS root_services
    FROM incidents
    LEFT JOIN (
        SELECT incident_id, count(*) AS chains, sum(records)::bigint AS records,
            count(*) FILTER (WHERE incomplete) AS incomplete,
            min(root_at) AS first_seen, max(root_at) AS last_seen
        FROM incident_chains WHERE {which} GROUP BY incident_id
    ) AS sums USING (incident_id)
    LEFT JOIN (
        SELECT incident_id,
            array_agg(name ORDER BY name) FILTER (WHERE kind = 'service') AS services,
            array_agg(name ORDER BY name) FILTER (WHERE kind = 'environment') AS environments,
            array_agg(name ORDER BY name) FILTER (WHERE kind = 'release') AS releases,
            array_agg(name ORDER BY name) FILTER (WHERE kind = 'root') AS root_services
        FROM (
            SELECT DISTINCT incident_id, kind, name COLLATE "C" AS name
            FROM incident_chains
            CROSS JOIN LATERAL (
                SELECT 'service' AS kind, unnest(services) AS name
                UNION ALL SELECT 'environment', unnest(environments)
                UNION ALL SELECT 'release', unnest(releases)
                UNION ALL SELECT 'root', root_service
            ) AS said
            WHERE {which}
        ) AS distinct_names
        GROUP BY incident_id
    ) AS names USING (incident_id)
    WHERE incidents.{which}
""".format(which="{which}", **{name: _KEPT.format(name=name, most=NAMES_KEPT) for name in _NAMES})  # noqa: S608 - columns named in this file
_COUNTED_HOURS = """
    SELECT incident_id, date_trunc('hour', root_at, 'UTC') AS hour, service,
        count(*) AS chains, sum(errors_of_it::bigint)::bigint AS errors
    FROM incident_chains
    CROSS JOIN LATERAL jsonb_each_text(errors_by_service) AS said (service, errors_of_it)
    WHERE {which}
    GROUP BY 1, 2, 3
"""
_COUNTED_FINDINGS = """
    SELECT incident_id, known_issue_id, count(*) AS chains
    FROM incident_chains
    CROSS JOIN LATERAL (SELECT DISTINCT unnest(findings)) AS said (known_issue_id)
    WHERE {which}
    GROUP BY 1, 2
"""

# `muted_until_chains` means so many further chains: it moves along with their number.
_RECOUNT = """
    UPDATE incidents SET
        chains = counted.chains,
        records = counted.records,
        incomplete = counted.incomplete,
        first_seen = counted.first_seen,
        last_seen = counted.last_seen,
        services = counted.services,
        environments = counted.environments,
        releases = counted.releases,
        root_services = counted.root_services,
        muted_until_chains = muted_until_chains + counted.chains - incidents.chains
    FROM ({counted}) AS counted
    WHERE counted.incident_id = incidents.incident_id
"""
# A full set is filled up anew: it may have had no place for others that are told.
# What is asked for each name ends at the first chain that tells it; times come from the index.
_STILL_TOLD = """
    {column} = CASE WHEN cardinality(old.{column}) >= {most} AND old.{column} && lost.{column}
    THEN ARRAY(
        SELECT DISTINCT name FROM incident_chains AS chain
        CROSS JOIN LATERAL unnest({all_told}) AS name
        WHERE chain.incident_id = old.incident_id
        ORDER BY 1 LIMIT {most}
    ) ELSE ARRAY(
        SELECT name FROM unnest(old.{column}) AS name
        WHERE name <> ALL (lost.{column}) OR EXISTS (
            SELECT FROM incident_chains AS chain
            WHERE chain.incident_id = old.incident_id AND name = {told}
        )
        ORDER BY 1
    ) END"""
_FORGET_UNTOLD = text(
    "UPDATE incidents AS old SET"  # noqa: S608 - columns named in this file
    + ",".join(
        _STILL_TOLD.format(column=column, told=f"ANY ({told})", all_told=told, most=NAMES_KEPT)
        for column, told in {
            "services": "chain.services",
            "root_services": "ARRAY[chain.root_service]",
            "environments": "chain.environments",
            "releases": "chain.releases",
        }.items()
    )
    + """,
    first_seen = coalesce((
        SELECT min(root_at) FROM incident_chains AS chain
        WHERE chain.incident_id = old.incident_id
    ), old.first_seen),
    last_seen = coalesce((
        SELECT max(root_at) FROM incident_chains AS chain
        WHERE chain.incident_id = old.incident_id
    ), old.last_seen)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS lost (
        incident_id uuid, services text[], root_services text[], environments text[],
        releases text[]
    )
    WHERE old.incident_id = lost.incident_id
"""
)

_FORGET_HOURS = text("DELETE FROM incident_hours WHERE incident_id = ANY(CAST(:ids AS uuid[]))")
_RECOUNT_HOURS = text(
    "INSERT INTO incident_hours (incident_id, hour, service, chains, errors) "
    + _COUNTED_HOURS.format(which=_OF_THESE)
)
# Chains do not keep why a rule held: what one of these incidents was told serves the others.
_RECOUNT_FINDINGS = """
    INSERT INTO incident_findings (incident_id, known_issue_id, chains, evidence)
    SELECT counted.incident_id, known_issue_id, counted.chains, coalesce(evidence, '[]')
    FROM ({counted}) AS counted
    LEFT JOIN (
        SELECT DISTINCT ON (known_issue_id) known_issue_id, evidence FROM incident_findings
        WHERE {which}
        ORDER BY known_issue_id, chains DESC
    ) AS told USING (known_issue_id)
    ON CONFLICT (incident_id, known_issue_id) DO UPDATE SET chains = excluded.chains
"""
_FORGET_FINDINGS = """
    DELETE FROM incident_findings AS told
    WHERE {which} AND NOT EXISTS (
        SELECT FROM ({counted}) AS counted
        WHERE counted.incident_id = told.incident_id
        AND counted.known_issue_id = told.known_issue_id
    )
"""

_RECOUNTS = (
    text(_RECOUNT.format(counted=_COUNTED.format(which=_OF_THESE))),
    _FORGET_HOURS,
    _RECOUNT_HOURS,
    *(
        text(part.format(counted=_COUNTED_FINDINGS.format(which=_OF_THESE), which=_OF_THESE))
        for part in (_RECOUNT_FINDINGS, _FORGET_FINDINGS)
    ),
)

_DOCUMENT = """
    SELECT sums.incident_id, to_jsonb(sums) - 'incident_id'
        || jsonb_build_object('hours', coalesce(hours.told, '{{}}'))
        || jsonb_build_object('findings', coalesce(findings.told, '{{}}')) AS said
    FROM ({sums}) AS sums
    LEFT JOIN (
        SELECT incident_id, jsonb_object_agg(
            to_char(hour AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24') || ' ' || service,
            jsonb_build_array(chains, errors)
        ) AS told
        FROM ({hours}) AS each GROUP BY incident_id
    ) AS hours USING (incident_id)
    LEFT JOIN (
        SELECT incident_id, jsonb_object_agg(known_issue_id, chains) AS told
        FROM ({findings}) AS each GROUP BY incident_id
    ) AS findings USING (incident_id)
"""
_SORTED = 'ARRAY(SELECT unnest({name}) COLLATE "C" ORDER BY 1) AS {name}'
_STORED = (
    "SELECT incident_id, chains, records, incomplete, first_seen, last_seen, {} FROM incidents"
)
_DIFFERENCES = """
    SELECT incident_id, stored.said AS stored, counted.said AS counted
    FROM ({stored}) AS stored JOIN ({counted}) AS counted USING (incident_id)
    WHERE stored.said <> counted.said
    ORDER BY incident_id
"""
_COUNT_DIFFERENCES = text(
    _DIFFERENCES.format(
        stored=_DOCUMENT.format(
            sums=_STORED.format(", ".join(_SORTED.format(name=name) for name in _NAMES)),
            hours="SELECT * FROM incident_hours",
            findings="SELECT * FROM incident_findings",
        ),
        counted=_DOCUMENT.format(
            sums=_COUNTED.format(which="incident_id IS NOT NULL"),
            hours=_COUNTED_HOURS.format(which="true"),
            findings=_COUNTED_FINDINGS.format(which="true"),
        ),
    )
)


class CountDifference(msgspec.Struct, frozen=True, kw_only=True):
    """What an incident says of itself that its chains do not say: only what differs, by column.

    `hours` by `date hour service`: chains and errors; `findings` by known issue: chains.
    """

    incident_id: UUID
    stored: dict[str, Any]
    counted: dict[str, Any]


async def recount(session: AsyncSession, incident_ids: Collection[UUID]) -> None:
    """Make every count of these incidents anew, hours and findings too."""
    await wait_for_turn(session)
    await lock_incidents(session, incident_ids)
    for statement in _RECOUNTS:
        await session.execute(statement, {"ids": list(incident_ids)})


async def forget_untold(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Take from incidents what no chain of theirs tells any more, among these names and times."""
    if rows:
        await session.execute(_FORGET_UNTOLD, {"rows": json_text(rows)})


async def count_differences(session: AsyncSession) -> list[CountDifference]:
    """The incidents whose stored counts differ from their chains, as of one moment."""
    return [
        CountDifference(
            incident_id=row.incident_id,
            stored={n: v for n, v in row.stored.items() if v != row.counted.get(n)},
            counted={n: v for n, v in row.counted.items() if v != row.stored.get(n)},
        )
        for row in await session.execute(_COUNT_DIFFERENCES)
    ]
