from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from app.database import Database
from app.incidents.contribution import Delta
from app.incidents.count_queries import (
    CountDifference,
    count_differences,
    forget_untold,
    recount,
)
from app.incidents.queries import extend_incidents
from tests.incidents.seeded import START, add_chain, add_counted, add_incident

pytestmark = pytest.mark.anyio


async def differences(database: Database) -> list[CountDifference]:
    async with database.session() as session:
        return await count_differences(session)


async def test_every_count_is_made_of_the_chains(
    connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_incident(connection, "v1:a")
    await add_chain(
        connection, one, "v1:a",
        root_at=START, services=["web", "pay"], environments=["prod"], releases=["1.0"],
        errors_by_service={"pay": 2, "web": 1}, findings=["slow-query"], incomplete=True,
    )  # fmt: skip
    await add_chain(
        connection, one, "v1:a",
        root_at=START + timedelta(hours=1), services=["pay"], releases=["0.9", "1.0"],
        root_service="Stock", errors_by_service={"pay": 4}, findings=["slow-query"],
    )  # fmt: skip
    before = await differences(database)

    async with database.session() as session:
        await recount(session, [one])

    stored = await connection.fetchrow("SELECT * FROM incidents")
    hours = await connection.fetch(
        "SELECT hour, service, chains, errors FROM incident_hours ORDER BY 1, 2"
    )
    finding = await connection.fetchrow("SELECT * FROM incident_findings")
    assert [found.incident_id for found in before] == [one]
    assert await differences(database) == []
    assert (stored["chains"], stored["records"], stored["incomplete"]) == (2, 6, 1)
    assert (stored["first_seen"], stored["last_seen"]) == (START, START + timedelta(hours=1))
    assert stored["services"] == ["pay", "web"]
    assert stored["releases"] == ["0.9", "1.0"]
    assert stored["environments"] == ["prod"]
    assert stored["root_services"] == ["Stock", "payment"]
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert [tuple(row) for row in hours] == [
        (noon, "pay", 1, 2),
        (noon, "web", 1, 1),
        (noon + timedelta(hours=1), "pay", 1, 4),
    ]
    assert (finding["known_issue_id"], finding["chains"]) == ("slow-query", 2)


@pytest.mark.parametrize(
    ("statement", "column"),
    [
        ("UPDATE incidents SET chains = chains + 1", "chains"),
        ("UPDATE incidents SET records = 0", "records"),
        ("UPDATE incidents SET incomplete = 7", "incomplete"),
        ("UPDATE incidents SET first_seen = last_seen", "first_seen"),
        ("UPDATE incidents SET services = '{other}'", "services"),
        ("UPDATE incidents SET root_services = '{}'", "root_services"),
        ("UPDATE incident_hours SET errors = errors + 1", "hours"),
        ("DELETE FROM incident_hours", "hours"),
        ("DELETE FROM incident_findings", "findings"),
        ("INSERT INTO incident_findings SELECT incident_id, 'x', 1, '[]' FROM incidents",
         "findings"),
    ],
)  # fmt: skip
async def test_a_wrong_count_is_found_named_and_put_right(
    connection: asyncpg.Connection, database: Database, statement: str, column: str
) -> None:
    one = await add_counted(connection, database, "v1:a", chains=2, findings=["slow-query"])
    await connection.execute(statement)

    (found,) = await differences(database)

    assert found.incident_id == one
    assert set(found.stored) == set(found.counted) == {column}
    async with database.session() as session:
        await recount(session, [one])
    assert await differences(database) == []


async def test_names_in_another_order_are_the_same_names(
    connection: asyncpg.Connection, database: Database
) -> None:
    await add_counted(connection, database, "v1:a", services=["b", "A", "a"])
    await connection.execute("UPDATE incidents SET services = '{a,A,b}'")

    assert await differences(database) == []


async def test_counting_anew_keeps_why_a_rule_held(
    connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(connection, database, "v1:a", findings=["slow-query"])
    await connection.execute('UPDATE incident_findings SET evidence = \'[{"clause": "c"}]\'')
    await add_chain(connection, one, "v1:a", findings=["slow-query"])

    async with database.session() as session:
        await recount(session, [one])

    finding: Any = await connection.fetchrow("SELECT chains, evidence FROM incident_findings")
    assert tuple(finding) == (2, '[{"clause": "c"}]')


async def test_a_set_that_is_full_keeps_who_came_first_and_is_no_difference(
    connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(connection, database, "v1:a", services=names("m", 999))
    await add_chain(connection, one, "v1:a", services=names("a", 5))
    async with database.session() as session:
        delta = Delta(chains=1, records=3)
        await extend_incidents(session, {one: delta}, {one: {"services": names("a", 5)}})

    kept = await connection.fetchval("SELECT services FROM incidents")

    assert kept == ["a-0000", *names("m", 999)]
    assert not {"services"} & {name for each in await differences(database) for name in each.stored}


async def test_what_had_no_place_gets_it_when_others_go(
    connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_incident(connection, "v1:a")
    chain = await add_chain(connection, one, "v1:a", services=names("a", 900))
    await add_chain(connection, one, "v1:a", services=names("b", 900))
    async with database.session() as session:
        await recount(session, [one])
    full = await connection.fetchval("SELECT services FROM incidents")
    await connection.execute("DELETE FROM incident_chains WHERE correlation_id = $1", chain)

    lost = {
        "incident_id": str(one), "services": names("a", 900), "root_services": [],
        "environments": [], "releases": [],
    }  # fmt: skip
    async with database.session() as session:
        await forget_untold(session, [lost])

    assert len(full) == 1000
    assert await connection.fetchval("SELECT services FROM incidents") == names("b", 900)


def names(prefix: str, number: int) -> list[str]:
    return [f"{prefix}-{n:04}" for n in range(number)]
