"""The end of silences to which no chain comes."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import httpx
import pytest

from app.database import Database
from app.incidents.life import end_silences
from tests.alerts.waiting import until
from tests.incidents.seeded import add_incident

pytestmark = pytest.mark.anyio
NOW = datetime.now(UTC)
PAST = NOW - timedelta(minutes=5)


async def end(database: Database) -> int:
    async with database.session() as session:
        return await end_silences(session, now=NOW)


async def row_of(
    connection: asyncpg.Connection, incident: UUID
) -> tuple[str, int, datetime | None]:
    row = await connection.fetchrow(
        "SELECT status, version, muted_until FROM incidents WHERE incident_id = $1", incident
    )
    assert row is not None
    return row["status"], row["version"], row["muted_until"]


async def test_only_a_silence_that_is_over_ends_and_says_so_once(
    database: Database, connection: asyncpg.Connection
) -> None:
    over = await add_incident(connection, "v1:a", status="muted", muted_until=PAST)
    later = NOW + timedelta(hours=1)
    others = [
        await add_incident(connection, "v1:b", status="muted", muted_until=later),
        await add_incident(connection, "v1:c", status="muted", muted_until_chains=5),
    ]

    ended = [await end(database), await end(database)]

    events = await connection.fetch("SELECT kind, incident_id, done_by FROM events")
    assert ended == [1, 0]
    assert await row_of(connection, over) == ("open", 2, None)
    assert [(await row_of(connection, one))[:2] for one in others] == [("muted", 1)] * 2
    assert [tuple(event) for event in events] == [("unmuted", over, "")]


async def test_one_that_somebody_holds_waits_for_the_next_time(
    database: Database, connection: asyncpg.Connection
) -> None:
    held = await add_incident(connection, "v1:a", status="muted", muted_until=PAST)
    free = await add_incident(connection, "v1:b", status="muted", muted_until=PAST)

    async with connection.transaction():
        await connection.execute("SELECT FROM incidents WHERE incident_id = $1 FOR UPDATE", held)
        first = await end(database)

    assert (first, await end(database)) == (1, 1)
    assert await row_of(connection, free) == await row_of(connection, held) == ("open", 2, None)


async def test_the_service_ends_a_silence_by_itself(
    incident: UUID, client: httpx.AsyncClient
) -> None:
    async def is_listed() -> bool:
        page = (await client.get("/api/incidents?status=open")).json()
        return [one["incident_id"] for one in page["incidents"]] == [str(incident)]

    assert await until(is_listed, seconds=20)


@pytest.fixture
async def incident(connection: asyncpg.Connection) -> UUID:
    """Before the service starts."""
    return await add_incident(connection, "v1:a", status="muted", muted_until=PAST)
