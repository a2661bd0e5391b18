import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.dialects import postgresql

from app.database import Database
from app.incidents.count_queries import recount
from app.query import incident_queries
from app.query.incident_handlers import read_incident
from app.query.incident_queries import IncidentFilter, list_incidents
from tests.incidents.seeded import START, add_chain, add_counted, add_incident, add_signature

pytestmark = pytest.mark.anyio
KNOWN = "raw-sql-text"


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is sent to the server meanwhile."""
    sent: list[str] = []

    def remember(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", remember)
    yield sent
    event.remove(engine, "before_cursor_execute", remember)


async def add_finding(
    connection: asyncpg.Connection, incident_id: UUID, name: str, *, chains: int
) -> None:
    evidence = json.dumps([{"clause": "first then", "quote": "slow"}])
    await connection.execute(
        "INSERT INTO incident_findings VALUES ($1, $2, $3, $4)",
        incident_id, name, chains, evidence,
    )  # fmt: skip


async def test_a_chain_rule_explains_an_incident_whose_root_nobody_knows(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(connection, database, "v1:a", chains=2)
    await add_finding(connection, one, "alembic-never-awaited", chains=1)
    await add_finding(connection, one, KNOWN, chains=2)

    incident = (await client.get(f"/api/incidents/{one}")).json()
    (listed,) = (await client.get("/api/incidents")).json()["incidents"]

    assert incident["match"]["known_issue_id"] == KNOWN
    assert (incident["match"]["tier"], incident["match"]["fix"] != "") == ("probable", True)
    assert incident["match"]["source"]["document"].endswith(".md")
    assert incident["match"]["evidence"][0]["quote"] == "slow"
    findings = [(one["match"]["known_issue_id"], one["chains"]) for one in incident["findings"]]
    assert findings == [(KNOWN, 2), ("alembic-never-awaited", 1)]
    for view in (incident, listed):
        assert (view["known"], view["known_issue_id"], view["tier"]) == (True, KNOWN, "probable")
        assert view["known_issue_title"] == incident["match"]["title"]


async def test_what_a_rule_says_of_the_root_comes_before_what_chains_show(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(connection, database, "v1:a")
    await add_finding(connection, one, "alembic-never-awaited", chains=9)
    await connection.execute(
        """INSERT INTO matches (signature_id, catalogue_hash, known_issue_id, known_issue_version,
               tier, score)
           SELECT 'v1:a', '', known_issue_id, version, 'probable', 0.5
           FROM known_issues WHERE known_issue_id = $1
           ON CONFLICT (signature_id) DO UPDATE SET tier = 'probable', score = 0.5,
               known_issue_id = excluded.known_issue_id,
               known_issue_version = excluded.known_issue_version""",
        KNOWN,
    )

    incident = (await client.get(f"/api/incidents/{one}")).json()

    assert incident["match"]["known_issue_id"] == incident["known_issue_id"] == KNOWN
    assert incident["match"]["tier"] == incident["tier"] == "probable"


async def test_an_incident_shows_its_roots_and_how_sure_the_newest_is(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_incident(connection, "v1:a", "v1:b")
    await add_signature(connection, "v1:s")
    await add_chain(connection, one, "v1:b", root_at=START, symptoms=["v1:s"])
    await add_chain(connection, one, "v1:b", root_at=START + timedelta(hours=1))
    newest = await add_chain(
        connection, one, "v1:a", root_at=START + timedelta(hours=2),
        confidence="unsure", reasons=["clocks differ"], incomplete=True, root_service="stock",
    )  # fmt: skip
    async with database.session() as session:
        await recount(session, [one])

    incident = (await client.get(f"/api/incidents/{one}")).json()

    assert [(root["title"], root["chains"]) for root in incident["roots"]] == [
        ("title of v1:b", 2), ("title of v1:a", 1),
    ]  # fmt: skip
    assert (incident["confidence"], incident["reasons"]) == ("unsure", ["clocks differ"])
    assert incident["root_services"] == ["payment", "stock"]
    assert incident["incomplete"] == 1
    assert incident["sample_chains"][0]["correlation_id"] == newest
    assert [symptom["signature_id"] for symptom in incident["symptoms"]] == ["v1:s"]
    assert incident["match"] is None


@pytest.mark.parametrize(
    ("question", "found"),
    [
        ({}, ["a", "b", "c"]),
        ({"status": "resolved"}, ["b"]),
        ({"service": "stock"}, ["a"]),
        ({"service": "sto"}, []),
        ({"environment": "prod"}, ["b", "c"]),
        ({"known": "true"}, ["c"]),
        ({"known": "false"}, ["a", "b"]),
        ({"environment": "prod", "known": "false"}, ["b"]),
    ],
)
async def test_incidents_are_filtered(
    client: httpx.AsyncClient,
    connection: asyncpg.Connection,
    database: Database,
    question: dict[str, str],
    found: list[str],
) -> None:
    await add_counted(connection, database, "v1:a", services=["stock", "web"])
    resolved = {"status": "resolved"}
    await add_counted(connection, database, "v1:b", columns=resolved, environments=["prod"])
    known = await add_counted(connection, database, "v1:c", environments=["dev", "prod"])
    await add_finding(connection, known, KNOWN, chains=1)

    answer = (await client.get("/api/incidents", params=question)).json()

    assert sorted(one["root_signature_id"][3:] for one in answer["incidents"]) == found


async def test_an_incident_is_read_with_as_many_statements_however_much_it_holds(
    connection: asyncpg.Connection, database: Database
) -> None:
    small = await add_counted(connection, database, "v1:a")
    large = await add_counted(connection, database, *(f"v1:{n}" for n in range(20)), chains=3)
    for number in range(20):
        await add_finding(connection, large, f"issue-{number}", chains=1)
        await connection.execute(
            "INSERT INTO events (kind, incident_id) VALUES ('noted', $1)", large
        )

    sent = {}
    for incident_id in (small, large):
        with statements(database) as seen:
            async with database.session() as session:
                await read_incident(session, incident_id)
        sent[incident_id] = len(seen)

    assert sent[small] == sent[large] <= 8


async def test_a_page_of_incidents_is_one_statement(
    connection: asyncpg.Connection, database: Database
) -> None:
    for number in range(30):
        await add_incident(connection, f"v1:{number}")

    with statements(database) as sent:
        async with database.session() as session:
            page = await list_incidents(session, IncidentFilter(), after=None, limit=50)

    assert len(page) == 30
    assert len(sent) == 1


async def test_among_thousands_a_page_is_read_by_its_index(
    connection: asyncpg.Connection,
) -> None:
    await fill(connection, 5_000)

    for wanted in (IncidentFilter(), IncidentFilter(known=True), IncidentFilter(service="s7")):
        plan = await plan_of(connection, wanted)
        assert "ix_incidents_last_seen" in plan
        assert "Seq Scan on incidents" not in plan


async def test_events_are_paged_newest_first(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    one = await add_incident(connection, "v1:a")
    # Two at the same moment: the page ends between them.
    await connection.executemany(
        "INSERT INTO events (kind, incident_id, happened_at, done_by) VALUES ('noted', $1, $2, $3)",
        [(one, START + timedelta(minutes=n // 2), str(n)) for n in range(7)],
    )
    path, seen, after = f"/api/incidents/{one}/events", [], None

    while True:
        page = (
            await client.get(path, params={"limit": 2, "after": after} if after else {"limit": 2})
        ).json()
        seen += page["events"]
        after = page["next"]
        if after is None:
            break

    assert len({event["event_id"] for event in seen}) == len(seen) == 7
    moments = [event["happened_at"] for event in seen]
    assert moments == sorted(moments, reverse=True)


async def test_hours_are_counted_by_service_and_empty_ones_are_there(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_incident(connection, "v1:a")
    errors = {"pay": 2, "web": 1}
    await add_chain(connection, one, "v1:a", root_at=START, errors_by_service=errors)
    await add_chain(connection, one, "v1:a", root_at=START + timedelta(hours=2))
    async with database.session() as session:
        await recount(session, [one])
    span = {"from": "2026-11-20T13:10:00+01:00", "to": "2026-11-20T15:00:00Z"}

    hours = (await client.get(f"/api/incidents/{one}/hours", params=span)).json()["hours"]

    assert [hour["hour"] for hour in hours] == [
        "2026-11-20T12:00:00Z", "2026-11-20T13:00:00Z", "2026-11-20T14:00:00Z",
    ]  # fmt: skip
    assert hours[0]["services"] == {
        "pay": {"chains": 1, "errors": 2}, "web": {"chains": 1, "errors": 1},
    }  # fmt: skip
    assert hours[1]["services"] == {}
    assert set(hours[2]["services"]) == {"payment"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("{id}/hours?from=2026-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", 400),
        ("{id}/hours?from=2026-01-01T00:00:00", 400),
        ("{id}/hours?from=soon", 400),
        ("{id}/events?after=tampered", 400),
        ("{id}/events?limit=0", 400),
        ("00000000-0000-0000-0000-000000000000/hours", 404),
        ("00000000-0000-0000-0000-000000000000/events", 404),
        ("?known=perhaps", 400),
        ("?service=%00", 400),
        ("?service=", 400),
    ],
)
async def test_a_bad_question_on_incidents_says_what_to_change(
    client: httpx.AsyncClient, connection: asyncpg.Connection, path: str, status: int
) -> None:
    one = await add_incident(connection, "v1:a")

    answer = await client.get(f"/api/incidents/{path.format(id=one)}".replace("/?", "?"))

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_debt_counts_the_chains_of_each_root_of_a_merged_incident(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(connection, database, "v1:a", "v1:b", chains=1)
    await add_chain(connection, one, "v1:b")
    await add_counted(connection, database, "v1:c", chains=4)

    debt = (await client.get("/api/documentation-debt")).json()

    assert [(row["signature_id"], row["chains"]) for row in debt] == [
        ("v1:c", 4), ("v1:b", 2), ("v1:a", 1),
    ]  # fmt: skip


async def fill(connection: asyncpg.Connection, number: int) -> None:
    """So many incidents, half of them resolved, each of a signature of its own."""
    await connection.execute(
        """INSERT INTO signatures SELECT 'v1:' || n, 'v1', '', 't', '', '', '', '', '{}',
               '{"message": "m"}', now(), now(), 1 FROM generate_series(1, $1::int) AS n""",
        number,
    )
    await connection.execute(
        """INSERT INTO incidents (root_signature_id, status, first_seen, last_seen, chains, records,
               services, environments)
           SELECT 'v1:' || n, CASE WHEN n % 2 = 0 THEN 'resolved' ELSE 'open' END::incident_status,
               now(), now() - make_interval(mins => n), 1, 1, ARRAY['s' || n % 40], '{prod}'
           FROM generate_series(1, $1::int) AS n""",
        number,
    )
    await connection.execute(
        """INSERT INTO incident_findings
           SELECT incident_id, 'raw-sql-text', 1, '[]' FROM incidents WHERE status = 'open'"""
    )
    await connection.execute("ANALYZE")


async def plan_of(connection: asyncpg.Connection, wanted: IncidentFilter) -> str:
    query = incident_queries.incident_page(wanted, after=None, limit=51)
    compiled = query.compile(
        dialect=postgresql.dialect(),  # type: ignore[no-untyped-call]
        compile_kwargs={"literal_binds": True},
    )
    rows = await connection.fetch(f"EXPLAIN (ANALYZE) {compiled}")
    return "\n".join(row[0] for row in rows)


async def test_a_list_shows_twenty_names_and_how_many_there_are(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    names = [f"s-{n:02}" for n in range(30)]
    one = await add_counted(connection, database, "v1:a", services=names, releases=names[:2])

    (listed,) = (await client.get("/api/incidents?service=s-29")).json()["incidents"]
    whole = (await client.get(f"/api/incidents/{one}")).json()

    assert (listed["services"], whole["services"]) == (names[:20], names)
    for view in (listed, whole):
        assert (view["services_total"], view["releases_total"]) == (30, 2)
        assert (view["releases"], view["root_services_total"]) == (names[:2], 1)
