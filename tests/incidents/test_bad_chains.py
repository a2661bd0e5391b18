"""Chains that no well-behaved sender makes, from the request to what readers get."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest

from app.database import Database
from app.incidents.count_queries import count_differences
from app.incidents.digest import follow_senders
from app.incidents.failing_count_queries import failing_differences
from app.main import create_app
from app.settings import Settings
from tests.conftest import running

pytestmark = pytest.mark.anyio
Raw = dict[str, Any]


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """The app, which reads a hundred records of a chain at most."""
    async with running(create_app(msgspec.structs.replace(settings, max_chain_records=100))) as c:
        yield c


@pytest.fixture(autouse=True)
async def counts_hold(database: Database) -> AsyncIterator[None]:
    yield
    async with database.session() as session:
        assert await count_differences(session) == []
        assert await failing_differences(session) == []


async def post(client: httpx.AsyncClient, *records: Raw) -> None:
    whole = [{"service": "payment", "message": "fine", **record} for record in records]
    answer = await client.post("/ingest/logs", json=whole)
    assert answer.status_code == 202, answer.text
    assert answer.json()["rejected"] == []


def failing(chain: str, message: str = "kettle exploded", **fields: Any) -> Raw:
    return {"correlation_id": chain, "level": "error", "message": message, **fields}


async def chain_of(client: httpx.AsyncClient, name: str) -> Any:
    answer = await client.get(f"/api/chains/{name}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def settled(client: httpx.AsyncClient, connection: asyncpg.Connection, name: str) -> Any:
    """The chain once no record of it waits for the digest."""
    waiting = "SELECT count(*) FROM chain_marks WHERE correlation_id = $1 AND marked_at <= now()"
    async with asyncio.timeout(30):
        while await connection.fetchval(waiting, name):  # noqa: ASYNC110 - it asks the database
            await asyncio.sleep(0.05)
    return await chain_of(client, name)


async def incidents(client: httpx.AsyncClient) -> list[Any]:
    answer = await client.get("/api/incidents", params={"limit": 100})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["incidents"])


async def kinds(connection: asyncpg.Connection, kind: str) -> int:
    query = "SELECT count(*) FROM events WHERE kind = CAST($1 AS event_kind)"
    return int(await connection.fetchval(query, kind))


async def test_a_chain_longer_than_is_read_says_so_and_still_has_its_root(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    start = datetime.now(UTC) - timedelta(minutes=50)
    times = [(start + timedelta(milliseconds=500 * n)).isoformat() for n in range(5_000)]
    quiet: list[Raw] = [{"correlation_id": "c", "timestamp": at} for at in times]
    quiet[2_500] = failing("c", timestamp=times[2_500], service="stove")
    for part in range(0, 5_000, 1_000):
        await post(client, *quiet[part : part + 1_000])

    chain = await settled(client, connection, "c")

    (incident,) = await incidents(client)
    assert chain["capped"]
    assert chain["evidence_incomplete"]
    assert chain["incident_id"] == incident["incident_id"]
    assert [root["service"] for root in chain["roots"]] == ["stove"]
    assert chain["roots"][0]["confidence"] != "certain"
    assert len(chain["records"]) <= 300


async def test_each_failing_run_of_a_chain_used_for_a_week_counts(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    words = ("kettle", "broth", "oven", "waiter", "plate", "spoon", "knife")
    today = datetime.now(UTC).replace(hour=0, minute=0) - timedelta(days=1)
    for day, word in enumerate(words):
        at = today - timedelta(days=6 - day)
        later = at + timedelta(seconds=1)
        await post(
            client,
            {"correlation_id": "nightly", "timestamp": at.isoformat()},
            failing("nightly", f"the {word} is gone", timestamp=later.isoformat()),
        )
        chain = await settled(client, connection, "nightly")
        assert len(chain["roots"]) == day + 1

    found = await incidents(client)

    assert len(found) == len({root["incident_id"] for root in chain["roots"]}) == 7
    assert {one["chains"] for one in found} == {1}
    assert len(chain["records"]) == 14
    assert await kinds(connection, "opened") == 7


async def test_spans_that_call_each_other_in_a_circle_are_read(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    spans = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "d"), ("e", "a")]
    await post(
        client,
        *(failing("c", f"{own} broke down", service=f"service-{own}", span_id=own * 16,
                  parent_span_id=parent * 16) for own, parent in spans),
    )  # fmt: skip

    chain = await settled(client, connection, "c")

    assert len(chain["records"]) == len(chain["errors"]) == 5
    assert chain["roots"]
    assert all(root["incident_id"] for root in chain["roots"])
    assert {call["service"] for call in chain["calls"]} == {f"service-{own}" for own, _ in spans}


async def test_two_services_with_one_name_are_told_apart_by_their_instances(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    await post(
        client,
        *({"correlation_id": "c", "instance": one, "sequence": n, "service": "worker"}
          for one in ("left", "right") for n in (1, 2, 4)),
        *({"correlation_id": "d", "instance": "left", "sequence": n, "service": "worker"}
          for n in (3, 5)),
        failing("c", instance="right", sequence=5, service="worker"),
    )  # fmt: skip

    gaps: list[Any] = []
    for _ in range(200):
        # Numbers are followed in the background.
        chain = await settled(client, connection, "c")
        gaps = [gap for gap in chain["gaps"] if gap["kind"] == "missing_records"]
        if gaps:
            break
        await asyncio.sleep(0.05)

    assert [(gap["instance"], gap["first_sequence"]) for gap in gaps] == [("right", 3)]
    assert len(await incidents(client)) == 1


async def test_records_an_hour_late_move_the_root_and_the_counts_with_it(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    now = datetime.now(UTC)
    for name in ("c", "d"):
        await post(client, failing(name, "502 from stove", timestamp=now.isoformat()))
        await settled(client, connection, name)
    early = (now - timedelta(seconds=1)).isoformat()
    await post(client, failing("c", "gas is out", service="stove", timestamp=early))

    chain = await settled(client, connection, "c")

    left, joined = sorted(await incidents(client), key=lambda one: one["title"])
    assert (left["title"], left["chains"], left["records"]) == ("<num> from stove", 1, 1)
    assert (joined["title"], joined["chains"], joined["records"]) == ("gas is out", 1, 2)
    assert chain["incident_id"] == joined["incident_id"]


async def test_a_thousand_services_with_one_error_are_one_incident(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    names = [f"service-{n:04}" for n in range(1_000)]
    await post(client, *(failing(f"chain-{name}", service=name) for name in names))
    for name in (names[0], names[-1]):
        await settled(client, connection, f"chain-{name}")
    async with asyncio.timeout(30):
        while await connection.fetchval("SELECT count(*) FROM chain_marks"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    (incident,) = await incidents(client)

    whole = (await client.get(f"/api/incidents/{incident['incident_id']}")).json()
    assert (whole["chains"], await kinds(connection, "opened")) == (1_000, 1)
    assert sorted(whole["services"]) == names


async def test_a_missing_number_is_told_and_a_late_record_closes_the_gap(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    numbered = {"correlation_id": "c", "instance": "one"}
    await post(client, *({**numbered, "sequence": n} for n in (1, 2, 5)))
    await post(client, failing("c", instance="one", sequence=6))
    await follow_senders(database, grace_seconds=0)
    await follow_senders(database, grace_seconds=0)
    open_ = await settled(client, connection, "c")
    told = await kinds(connection, "gap")
    await post(client, *({**numbered, "sequence": n} for n in (3, 4)))
    await follow_senders(database, grace_seconds=0)

    closed = await settled(client, connection, "c")

    (gap,) = [one for one in open_["gaps"] if one["kind"] == "missing_records"]
    assert (gap["first_sequence"], gap["last_sequence"], gap["records"]) == (3, 4, 2)
    assert open_["evidence_incomplete"]
    assert told == await kinds(connection, "gap") == 1
    assert [one for one in closed["gaps"] if one["kind"] == "missing_records"] == []
    (incident,) = await incidents(client)
    assert incident["records"] == 6


@pytest.mark.parametrize(
    ("numbers", "missing"),
    [
        ([5, 6, 7, 1, 2, 3], [[4, 4]]),
        ([9, 8, 7, 5], [[6, 6]]),
        ([2**63 - 1, 2**63 - 2], []),
        ([0, 2**63 - 2], [[1, 2**63 - 3]]),
    ],
    ids=["restarts", "runs backwards", "huge", "jumps"],
)
async def test_numbers_that_are_hard_to_follow_are_followed(
    client: httpx.AsyncClient,
    connection: asyncpg.Connection,
    database: Database,
    numbers: list[int],
    missing: list[list[int]],
) -> None:
    for number in numbers:
        await post(client, failing("c", instance="one", sequence=number))
    await follow_senders(database, grace_seconds=0)
    await follow_senders(database, grace_seconds=0)

    chain = await settled(client, connection, "c")

    gaps = [gap for gap in chain["gaps"] if gap["kind"] == "missing_records"]
    assert [[gap["first_sequence"], gap["last_sequence"]] for gap in gaps] == missing
    assert len(chain["records"]) == len(numbers)
    assert (await incidents(client))[0]["chains"] == 1


async def test_random_numbers_leave_a_bounded_number_of_holes(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    numbers = [(n * 0x9E3779B97F4A7C15) % 2**63 for n in range(1, 5_001)]
    for part in range(0, 5_000, 1_000):
        await post(
            client,
            *(failing("c", instance="one", sequence=n) for n in numbers[part : part + 1_000]),
        )
    await follow_senders(database, grace_seconds=0)

    chain = await settled(client, connection, "c")

    kept = "SELECT count(*) FROM sender_sequences, unnest(received)"
    assert await connection.fetchval(kept) <= 1_000
    assert 0 < len(chain["gaps"]) <= 200
    details = await connection.fetchval("SELECT details FROM events WHERE kind = 'gap'")
    assert details is None or len(msgspec.json.decode(details)["ranges"]) <= 20
