import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from app.correlate.sequence_queries import fold_sequences
from app.database import Database
from app.query.cursors import InvalidCursor
from app.query.list_queries import ChainFilter, SignatureFilter, chain_page, signature_page
from app.query.places import read_texts, read_timed, write_place
from app.settings import Settings
from app.store.counting import Counting
from tests.incidents.seeded import START, add_chain, add_counted, add_incident, add_signature

pytestmark = pytest.mark.anyio
_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@given(st.datetimes(timezones=st.just(UTC)), _texts, _texts)
def test_a_place_is_read_as_it_was_written(at: datetime, one: str, other: str) -> None:
    assert read_timed(write_place(at, one, other), texts=2) == (at, (one, other))
    assert read_texts(write_place(one), texts=1) == (one,)


@given(st.text())
def test_a_cursor_that_was_made_up_is_refused_or_read(cursor: str) -> None:
    try:
        at, names = read_timed(cursor, texts=1)
    except InvalidCursor:
        return

    assert at.tzinfo is not None
    assert len(names) == 1


@pytest.mark.parametrize("parts", [("a",), ("2026-01-01T00:00:00", "a"), ("x\0", "a")])
def test_a_place_of_another_list_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(InvalidCursor):
        read_timed(write_place(*parts), texts=1)


async def explain(connection: asyncpg.Connection, signature: str, known_issue_id: str) -> None:
    """Once the service itself has looked at it: else it would do so later."""
    async with asyncio.timeout(20):
        changed = "UPDATE 0"
        while changed == "UPDATE 0":
            await asyncio.sleep(0.05)
            changed = await connection.execute(
                """UPDATE matches SET known_issue_id = issue.known_issue_id,
                       known_issue_version = issue.version, tier = 'exact', score = 1
                   FROM known_issues AS issue
                   WHERE signature_id = $1 AND issue.known_issue_id = $2""",
                signature, known_issue_id,
            )  # fmt: skip


async def pages(client: httpx.AsyncClient, path: str, of: str, **query: Any) -> list[list[Any]]:
    found, after = [], None
    for _ in range(50):
        page = await client.get(path, params={**query, **({"after": after} if after else {})})
        body = page.raise_for_status().json()
        found.append(body[of])
        after = body["next"]
        if after is None:
            return found
    raise AssertionError("the pages do not end")


async def test_chains_are_listed_page_by_page_newest_root_first(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    home = await add_incident(connection, "v1:a")
    same = START + timedelta(hours=3)
    times = [START + timedelta(minutes=n) for n in range(3)] + [same] * 3
    names = [await add_chain(connection, home, "v1:a", root_at=at) for at in times]

    found = await pages(client, "/api/chains", "chains", limit=2)

    assert [len(page) for page in found] == [2, 2, 2]
    listed = [chain["correlation_id"] for chain in itertools.chain(*found)]
    assert sorted(listed) == sorted(names)
    assert listed[3:] == names[2::-1]
    assert found[0][0]["title"] == "title of v1:a"


async def test_chains_are_filtered_by_what_is_asked_for(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    home = await add_incident(connection, "v1:a")
    await add_incident(connection, "v1:b")
    await explain(connection, "v1:b", "raw-sql-text")
    plain = await add_chain(
        connection, home, "v1:a", services=["payment"], root_service="payment", root_at=START
    )
    known = await add_chain(
        connection, home, "v1:b", services=["gateway", "inventory"], root_service="inventory",
        environments=["prod"], root_at=START + timedelta(hours=5),
    )  # fmt: skip
    found = await add_chain(
        connection, home, "v1:a", findings=["alembic-never-awaited"], root_service="x",
        services=["x"], root_at=START + timedelta(hours=6),
    )  # fmt: skip
    later = (START + timedelta(hours=1)).isoformat()
    end = (START + timedelta(hours=6)).isoformat()

    async def listed(**query: Any) -> list[str]:
        answer = await client.get("/api/chains", params=query)
        return [chain["correlation_id"] for chain in answer.raise_for_status().json()["chains"]]

    assert await listed(known="true") == [found, known]
    assert await listed(known="false") == [plain]
    assert await listed(service="gateway") == [known]
    assert await listed(environment="prod") == [known]
    assert await listed(root_service="payment") == [plain]
    assert await listed(**{"from": later, "to": end}) == [known]
    assert await listed(service="nobody") == []


@pytest.mark.parametrize(
    "query",
    [
        "failing=false", "after=AAAA", "after=WyJhIl0", "limit=0", "limit=1000000000",
        "known=maybe",
        "service=", "service=%00", "from=2026-01-01T00:00:00", "from=x",
        "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to=0001-01-01T00:00:00%2B14:00",
    ],
)  # fmt: skip
async def test_what_no_list_of_chains_can_mean_is_refused_with_a_reason(
    client: httpx.AsyncClient, query: str
) -> None:
    answer = await client.get(f"/api/chains?{query}")

    assert answer.status_code == 400
    assert answer.json()["detail"]


async def test_signatures_tell_their_known_issue_services_and_incident(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    home = await add_counted(connection, database, "v1:a")
    await add_signature(connection, "v1:b")
    await explain(connection, "v1:a", "raw-sql-text")
    await connection.execute(
        "INSERT INTO signature_services VALUES ('v1:a', 'payment', 1, now(), now()),"
        " ('v1:a', 'gateway', 5, now(), now())"
    )

    found = await pages(client, "/api/signatures", "signatures", limit=1)

    assert [page[0]["signature_id"] for page in found] == ["v1:b", "v1:a"]
    (one,) = found[1]
    assert (one["known"], one["known_issue_id"], one["tier"]) == (True, "raw-sql-text", "exact")
    assert one["known_issue_title"]
    assert one["services"] == ["gateway", "payment"]
    assert (one["incident_id"], one["incident_status"]) == (str(home), "open")
    for query, names in (
        ({"known": "true"}, ["v1:a"]),
        ({"known": "false"}, ["v1:b"]),
        ({"service": "payment"}, ["v1:a"]),
    ):  # fmt: skip
        answer = (await client.get("/api/signatures", params=query)).json()
        assert [s["signature_id"] for s in answer["signatures"]] == names


async def records(client: httpx.AsyncClient, *records: dict[str, Any]) -> None:
    answer = await client.post("/ingest/logs", json=list(records))
    assert answer.json()["accepted"] == len(records)


@pytest.fixture
async def counting(database: Database, settings: Settings) -> Counting:
    """It counts what comes from here on."""
    counting = Counting(database, settings)
    await counting.count()
    return counting


async def test_services_are_counted_as_records_come(
    client: httpx.AsyncClient, database: Database, counting: Counting
) -> None:
    sent = {"service": "payment", "message": "paid", "release": "1.0", "environment": "prod"}
    await records(
        client,
        {**sent, "instance": "a", "sequence": 1},
        {**sent, "instance": "a", "sequence": 4},
        {**sent, "instance": "b", "release": "1.1", "level": "error"},
        {"service": "gateway", "message": "GET /"},
    )
    await counting.count()
    await _folded(database)

    found = await pages(client, "/api/services", "services", limit=1)

    assert [page[0]["service"] for page in found] == ["gateway", "payment"]
    payment = found[1][0]
    assert (payment["records"], payment["errors"]) == (3, 1)
    assert payment["error_share"] == pytest.approx(1 / 3)
    assert payment["environments"] == ["prod"]
    releases = {part["name"]: part["records"] for part in payment["releases"]}
    assert releases == {"1.0": 2, "1.1": 1}
    assert payment["instance_count"] == 2
    assert (payment["missing_records"], payment["senders_with_gaps"]) == (2, 1)


async def _folded(database: Database) -> None:
    async with database.session() as session:
        await fold_sequences(session)


async def test_an_answer_that_did_not_change_is_not_sent_again(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    await connection.execute(
        "INSERT INTO service_hours VALUES ('a', date_trunc('hour', now()), '', '', '', 1, 0, now())"
    )
    first = await client.get("/api/overview")
    tag = {"If-None-Match": first.headers["ETag"]}

    again = await client.get("/api/overview", headers=tag)
    await connection.execute("UPDATE service_hours SET records = 2")
    changed = await client.get("/api/overview", headers=tag)

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200
    assert changed.json()["ingest"]["records"] == 2


async def test_senders_with_missing_numbers_are_listed(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    for service, instance, received in (
        ("a", "1", "{[1,3],[7,9],[12,12]}"), ("a", "2", "{[1,9]}"), ("b", "1", "{[1,1],[3,3]}")
    ):  # fmt: skip
        await connection.execute(
            "INSERT INTO sender_sequences (service, instance, received, newest_at)"
            " VALUES ($1, $2, $3::text::int8multirange, now())",
            service, instance, received,
        )  # fmt: skip

    found = await pages(client, "/api/gaps", "senders", limit=1)

    (first,), (second,) = found
    assert (first["service"], first["instance"], first["missing_records"]) == ("a", "1", 5)
    assert first["ranges"] == [[10, 11], [4, 6]]
    assert (second["service"], second["missing_records"]) == ("b", 1)
    only = (await client.get("/api/gaps?service=b")).json()["senders"]
    assert [sender["service"] for sender in only] == ["b"]


async def test_the_overview_tells_what_is_explained_and_what_hurts(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    now = datetime.now(UTC)
    known, quiet = [
        await add_incident(connection, root, chains=2, opened_at=now - timedelta(hours=age))
        for root, age in (("v1:a", 2), ("v1:b", 1))
    ]
    await explain(connection, "v1:a", "raw-sql-text")
    for _ in range(3):
        await add_chain(connection, known, "v1:a", root_at=now)
    await add_chain(connection, quiet, "v1:b", root_at=now)
    await add_chain(connection, quiet, "v1:b", root_at=now - timedelta(days=3))

    told = (await client.get("/api/overview")).json()

    assert told["coverage"] == {"chains": 4, "explained": 3, "share": 0.75}
    assert [one["incident_id"] for one in told["noisiest"]] == [str(known), str(quiet)]
    assert [one["chains"] for one in told["noisiest"]] == [3, 1]
    assert [one["incident_id"] for one in told["newest"]] == [str(quiet), str(known)]
    assert told["debt"]["signatures"] == 1
    assert told["debt"]["worst"][0]["signature_id"] == "v1:b"
    assert told["incidents"]["open"] == 2
    assert told["ingest"]["status"] == "ok"
    assert told["digest"]["status"] == "ok"
    week = (await client.get("/api/overview?hours=168")).json()
    assert week["coverage"]["chains"] == 5


async def test_a_page_of_chains_or_signatures_reads_no_more_than_its_index(
    connection: asyncpg.Connection,
) -> None:
    await connection.execute(
        """INSERT INTO signatures (signature_id, version, exception_type, title, message, culprit,
               callee, caller, explanation, sample, first_seen, last_seen, records)
           SELECT 'v1:' || n, 'v1', '', '', '', '', '', '', '{}', '{}',
               $1::timestamptz - make_interval(mins => n), now(), 1
           FROM generate_series(1, 3000) AS n""",
        START,
    )
    home = await add_incident(connection, "v1:1")
    await connection.execute(
        """INSERT INTO incident_chains (correlation_id, root_signature_id, incident_id,
               root_record_id, root_service, root_at, records, errors, first_at, last_at)
           SELECT 'c' || n, 'v1:1', $1, gen_random_uuid(), 'a',
               $2::timestamptz - make_interval(mins => n), 1, 1, now(), now()
           FROM generate_series(1, 3000) AS n""",
        home, START,
    )  # fmt: skip
    await connection.execute("ANALYZE signatures, incident_chains")
    at = (START, ("c-1", "v1:a"))
    for page, index in (
        (chain_page(ChainFilter(root_service="a"), after=at, limit=50),
         "ix_incident_chains_root_at"),
        (signature_page(SignatureFilter(), after=(START, ("v1:a",)), limit=50),
         "ix_signatures_first_seen"),
    ):  # fmt: skip
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        compiled = page.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {compiled}"))

        assert f"Index Scan Backward using {index}" in plan
        assert "Sort  (" not in plan.split("SubPlan")[0]
