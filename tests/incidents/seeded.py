"""Incidents put into the database by their chains alone; all they count is counted from those."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from app.database import Database
from app.incidents.count_queries import recount
from app.incidents.failing_count_queries import recount_failing

START = datetime(2026, 11, 20, 12, 10, 0, tzinfo=UTC)
_numbers = itertools.count(1)


async def add_signature(connection: asyncpg.Connection, name: str) -> None:
    await connection.execute(
        """INSERT INTO signatures (signature_id, version, exception_type, title, message, culprit,
               callee, caller, explanation, sample, first_seen, last_seen, records)
           VALUES ($1, 'v1', '', $2, '', '', '', '', '{}', '{"message": "m"}', $3, $3, 1)
           ON CONFLICT DO NOTHING""",
        name, f"title of {name}", START,
    )  # fmt: skip


async def add_incident(connection: asyncpg.Connection, *roots: str, **columns: Any) -> UUID:
    """An incident of these root signatures, without chains."""
    values = {
        "incident_id": uuid4(),
        "root_signature_id": roots[0],
        "first_seen": START,
        "last_seen": START,
        "chains": 0,
        "records": 0,
        **columns,
    }
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    for root in roots:
        await add_signature(connection, root)
    await connection.execute(
        f"INSERT INTO incidents ({', '.join(values)}) VALUES ({places})",  # noqa: S608
        *values.values(),
    )
    await connection.executemany(
        "INSERT INTO incident_roots (root_signature_id, incident_id) VALUES ($1, $2)",
        [(root, values["incident_id"]) for root in roots],
    )
    return UUID(str(values["incident_id"]))


async def add_chain(
    connection: asyncpg.Connection, incident_id: UUID, root: str, **columns: Any
) -> str:
    """One chain of an incident; its errors by service as a dict."""
    errors = columns.pop("errors_by_service", {"payment": 1})
    root_at = columns.get("root_at", START + timedelta(seconds=next(_numbers)))
    values = {
        "correlation_id": f"c-{next(_numbers)}",
        "root_signature_id": root,
        "incident_id": incident_id,
        "root_record_id": uuid4(),
        "root_service": "payment",
        "root_at": root_at,
        "services": ["gateway", "payment"],
        "records": 3,
        "errors": sum(errors.values()),
        "errors_by_service": json.dumps(errors),
        "first_at": root_at,
        "last_at": root_at,
        **columns,
    }
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await connection.execute(
        f"INSERT INTO incident_chains ({', '.join(values)}) VALUES ({places})",  # noqa: S608
        *values.values(),
    )
    return str(values["correlation_id"])


async def add_counted(
    connection: asyncpg.Connection,
    database: Database,
    *roots: str,
    chains: int = 1,
    columns: dict[str, Any] | None = None,
    **each: Any,
) -> UUID:
    """An incident with so many chains a root, and every count in its place."""
    incident_id = await add_incident(connection, *roots, **(columns or {}))
    for root in roots:
        for _ in range(chains):
            await add_chain(connection, incident_id, root, **each)
    async with database.session() as session:
        await recount(session, [incident_id])
        await recount_failing(session)
    return incident_id
