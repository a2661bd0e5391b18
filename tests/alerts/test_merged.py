"""What targets hear of incidents that became parts of others."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from app.alerts.watch_queries import prune
from app.database import Database
from tests.alerts.outbox import add_event, add_target, deliveries, route
from tests.incidents.seeded import add_incident

pytestmark = pytest.mark.anyio


async def add_parts(connection: asyncpg.Connection) -> tuple[UUID, UUID]:
    """An incident, and one that was merged into another that was merged into it."""
    whole = await add_incident(connection, "v1:whole")
    middle = await add_incident(connection, "v1:middle", status="resolved", merged_into=whole)
    part = await add_incident(connection, "v1:part", status="resolved", merged_into=middle)
    return whole, part


async def test_the_end_of_the_whole_is_told_to_whoever_was_told_of_a_part(
    database: Database, connection: asyncpg.Connection
) -> None:
    await add_target(connection, "http://127.0.0.1:9/", name="of-part", services=["part"])
    await add_target(connection, "http://127.0.0.1:9/", name="of-neither", services=["neither"])
    whole, part = await add_parts(connection)
    await add_event(connection, "opened", part, root_service="part")
    await add_event(connection, "opened", whole, root_service="whole")
    await route(database)

    await add_event(connection, "resolved", whole)
    await route(database)

    told = [
        (row["target"], row["kind"], row["incident_id"]) for row in await deliveries(connection)
    ]
    assert told == [("of-part", "opened", part), ("of-part", "resolved", whole)]


async def test_the_beginning_of_the_whole_is_told_though_that_of_a_part_was(
    database: Database, connection: asyncpg.Connection
) -> None:
    await add_target(connection, "http://127.0.0.1:9/")
    whole, part = await add_parts(connection)
    await add_event(connection, "opened", part)
    await route(database)

    await add_event(connection, "opened", whole)
    await route(database)

    assert [row["incident_id"] for row in await deliveries(connection)] == [part, whole]


async def test_old_messages_of_a_part_are_kept_while_the_whole_is_open(
    database: Database, connection: asyncpg.Connection
) -> None:
    await add_target(connection, "http://127.0.0.1:9/")
    _, part = await add_parts(connection)
    for incident in (part, uuid4()):
        await add_event(connection, "opened", incident)
    await route(database)
    await connection.execute(
        "UPDATE alert_deliveries SET state = 'delivered', ended_at = now() - interval '31 days'"
    )

    async with database.session() as session:
        await prune(session)
    while_open = await deliveries(connection)
    await connection.execute("UPDATE incidents SET status = 'resolved'")
    async with database.session() as session:
        await prune(session)

    assert [row["incident_id"] for row in while_open] == [part]
    assert await deliveries(connection) == []
