"""From the outbox of events to receivers on real sockets."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
import structlog

from app.alerts.addresses import Reach
from app.alerts.deliver import Courier
from app.alerts.outbox_queries import collapse
from app.alerts.pace import MOST_ATTEMPTS
from app.database import Database
from tests.alerts.outbox import (
    SECRET,
    add_event,
    add_target,
    courier,
    deliveries,
    pass_a_minute,
    route,
)
from tests.alerts.receiver import Got, hesitates, receiving, says

pytestmark = pytest.mark.anyio


async def serve_until_done(courier: Courier, connection: asyncpg.Connection) -> None:
    """All that waits, whatever pauses would lie between."""
    for _ in range(100):
        await connection.execute("UPDATE alert_deliveries SET due_at = now() WHERE attempts > 0")
        names = await courier.waiting_targets(besides=set(), limit=10)
        if not names:
            return
        for name in names:
            await courier.serve(name)


README = (Path(__file__).resolve().parent.parent.parent / "README.md").read_text()


def is_signed(got: Got, *, secret: str = SECRET) -> bool:
    """What the README tells receivers to do, run as it stands there."""
    (code,) = re.findall(r"```python\n(.*?is_ours.*?)```", README, re.DOTALL)
    found: dict[str, Any] = {}
    exec(code, found)  # noqa: S102 - our own README
    return bool(found["is_ours"](got.headers, got.body, secret))


async def test_an_event_becomes_a_signed_message(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving() as receiver:
        await add_target(connection, receiver.url)
        incident_id = await add_event(
            connection, known=False, services=["order", "payment"], root_service="payment",
            environments=["production"],
        )  # fmt: skip
        await route(database)
        await courier(database).serve("team")

    (got,) = receiver.got
    (row,) = await deliveries(connection)
    assert is_signed(got)
    assert not is_signed(got, secret="whsec_" + "A" * 32)
    assert not is_signed(msgspec.structs.replace(got, body=got.body + b" "))
    assert got.headers["idempotency-key"] == got.json["id"] == str(row["delivery_id"])
    assert got.json["version"] == 1
    assert got.json["type"] == "incident.opened"
    assert got.json["data"]["link"] == f"https://sentinel.test/api/incidents/{incident_id}"
    assert got.json["data"]["root_service"] == "payment"
    assert (row["state"], row["status"], row["attempts"]) == ("delivered", 200, 1)


async def test_a_failed_message_comes_again_under_its_key_with_the_same_body(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving(says(500, "broken"), says(200)) as receiver:
        await add_target(connection, receiver.url)
        await add_event(connection)
        await route(database)
        await courier(database).serve("team")

    first, second = receiver.got
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert is_signed(first)
    assert is_signed(second)
    assert [row["state"] for row in await deliveries(connection)] == ["delivered"]


async def test_retry_after_is_waited_for(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving(says(503, Retry_After="3600")) as receiver:
        await add_target(connection, receiver.url)
        await add_event(connection)
        await route(database)
        await courier(database).serve("team")

    assert len(receiver.got) == 1
    wait = await connection.fetchval("SELECT due_at - now() FROM alert_deliveries")
    assert 3500 < wait.total_seconds() <= 3600


async def test_a_thousand_events_of_an_incident_are_one_message(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving() as receiver:
        await add_target(connection, receiver.url)
        incident_id = uuid4()
        for _ in range(1000):
            await add_event(connection, incident_id=incident_id)
        routed = await route(database)
        await serve_until_done(courier(database), connection)

    assert routed == 1000
    assert len(receiver.got) == 1


async def test_the_end_is_told_only_where_the_beginning_was(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving() as told, receiving() as other:
        await add_target(connection, told.url, name="told")
        await add_target(connection, other.url, name="other", services=["nothing"])
        incident_id = await add_event(connection, services=["payment"])
        await route(database)
        await serve_until_done(courier(database), connection)
        await add_event(connection, "resolved", incident_id, note="rolled back")
        await route(database)
        await serve_until_done(courier(database), connection)

    assert [got.json["data"]["kind"] for got in told.got] == ["opened", "resolved"]
    assert told.got[1].json["data"]["note"] == "rolled back"
    assert other.got == []


async def test_a_storm_is_a_few_messages_and_a_summary_of_the_rest(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving() as receiver:
        await add_target(connection, receiver.url, per_minute=5)
        for _ in range(700):
            await add_event(connection)
        await route(database)
        sending = courier(database)
        await serve_until_done(sending, connection)
        in_first_minute = len(receiver.got)
        for _ in range(40):
            await add_event(connection)
        await route(database)
        await serve_until_done(sending, connection)
        still = len(receiver.got)
        await pass_a_minute(connection)
        await serve_until_done(sending, connection)

    data = [got.json["data"] for got in receiver.got]
    assert [one["kind"] for one in data] == (["opened"] * 4 + ["summary"]) * 2
    assert in_first_minute == still == 5
    assert [one["counts"] for one in data if one["counts"]] == [{"opened": 696}, {"opened": 36}]
    assert data[4]["link"] == "https://sentinel.test/api/incidents"
    assert await connection.fetchval(
        "SELECT count(*) FROM alert_deliveries WHERE state = 'collapsed'"
    ) == 732  # fmt: skip


async def test_a_summary_that_failed_counts_on_in_the_next(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving(says(500), says(200)) as receiver:
        await add_target(connection, receiver.url, per_minute=1)
        for _ in range(30):
            await add_event(connection)
        await route(database)
        await courier(database).serve("team")
        for _ in range(12):
            await add_event(connection)
        await route(database)
        await pass_a_minute(connection)
        await connection.execute("UPDATE alert_deliveries SET due_at = now()")
        await courier(database).serve("team")

    assert [got.json["data"]["counts"] for got in receiver.got] == [{"opened": 30}, {"opened": 42}]


async def test_a_storm_without_end_is_collapsed_in_parts(
    database: Database, connection: asyncpg.Connection
) -> None:
    await add_target(connection, "http://127.0.0.1:9/")
    for _ in range(30):
        await add_event(connection)
    await route(database)
    async with database.session() as session:
        counts = await collapse(session, "team", keep=3, into=uuid4(), most=10)

    states = [row["state"] for row in await deliveries(connection)]
    assert counts == {"opened": 10}
    assert states == ["waiting"] * 3 + ["collapsed"] * 10 + ["waiting"] * 17


async def test_two_workers_send_each_message_once(
    database: Database, connection: asyncpg.Connection
) -> None:
    async def work() -> None:
        one = courier(database)
        while await one.waiting_targets(besides=set(), limit=10):
            await one.serve("team")

    async with receiving(hesitates) as receiver:
        await add_target(connection, receiver.url)
        for _ in range(60):
            await add_event(connection)
        await asyncio.gather(route(database), route(database))
        await route(database)
        await asyncio.gather(*(work() for _ in range(4)))

    keys = [got.headers["webhook-id"] for got in receiver.got]
    assert len(keys) == len(set(keys)) == 60
    assert receiver.most_at_once > 1


async def test_a_message_that_never_arrives_is_given_up_and_a_person_may_try_it_again(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving(says(500)) as receiver:
        await add_target(connection, receiver.url)
        await add_event(connection)
        await route(database)
        await serve_until_done(courier(database), connection)

    (row,) = await deliveries(connection)
    assert len(receiver.got) == row["attempts"] == MOST_ATTEMPTS
    assert (row["state"], row["error"]) == ("dead", "HTTP 500")


async def test_one_whose_senders_all_died_is_given_up_too(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving() as receiver:
        await add_target(connection, receiver.url)
        await add_event(connection)
        await route(database)
        await connection.execute("UPDATE alert_deliveries SET attempts = $1", MOST_ATTEMPTS)
        await courier(database).serve("team")

    assert receiver.got == []
    assert [row["state"] for row in await deliveries(connection)] == ["dead"]


async def test_who_is_gone_is_disabled_and_nothing_more_is_sent(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving(says(410, "archived")) as receiver:
        await add_target(connection, receiver.url)
        await add_event(connection)
        await add_event(connection)
        await route(database)
        await serve_until_done(courier(database), connection)

    row = await connection.fetchrow("SELECT enabled, disabled_reason FROM alert_targets")
    assert row is not None
    assert tuple(row) == (False, "HTTP 410: archived")
    assert len(receiver.got) == 1
    assert [one["state"] for one in await deliveries(connection)] == ["dead", "waiting"]


async def test_messages_wait_for_the_end_of_quiet_hours_and_urgent_ones_do_not(
    database: Database, connection: asyncpg.Connection
) -> None:
    # But for one hour, twelve hours from now: whenever this runs, it is quiet.
    now = await connection.fetchval("SELECT now() AT TIME ZONE 'UTC'")
    ends = f"{now.replace(hour=(now.hour + 12) % 24):%H:%M}"
    begins = f"{now.replace(hour=(now.hour + 13) % 24):%H:%M}"
    quiet = {"begins": begins, "ends": ends, "zone": "UTC"}
    async with receiving() as receiver:
        await add_target(connection, receiver.url, quiet=json.dumps(quiet), urgent=["regressed"])
        await add_event(connection)
        await add_event(connection, "regressed")
        await route(database)
        await courier(database).serve("team")
        waiting = await connection.fetchrow(
            "SELECT kind, due_at - now() AS wait, attempts FROM alert_deliveries "
            "WHERE state = 'waiting'"
        )
        await connection.execute("UPDATE alert_targets SET quiet = NULL")
        await serve_until_done(courier(database), connection)
        await connection.execute("UPDATE alert_deliveries SET due_at = now()")
        await serve_until_done(courier(database), connection)

    assert waiting is not None
    assert (waiting["kind"], waiting["attempts"]) == ("opened", 0)
    assert 10 * 3600 < waiting["wait"].total_seconds() < 13 * 3600
    assert [got.json["data"]["kind"] for got in receiver.got] == ["regressed", "opened"]


async def test_what_happened_before_a_target_was_made_is_none_of_its(
    database: Database, connection: asyncpg.Connection
) -> None:
    await add_event(connection)
    await add_target(connection, "http://127.0.0.1:9/")

    routed = await route(database)

    assert routed == 1
    assert await deliveries(connection) == []


async def test_an_event_that_nobody_can_read_stops_none_behind_it(
    database: Database, connection: asyncpg.Connection
) -> None:
    await add_target(connection, "http://127.0.0.1:9/")
    await add_event(connection, services="not a list", ranges={"no": 1})
    await add_event(connection)

    await route(database)

    assert [row["kind"] for row in await deliveries(connection)] == ["opened", "opened"]


@pytest.mark.parametrize("kind", ["generic", "slack"])
async def test_neither_secret_nor_url_stands_in_logs_or_rows(
    database: Database, connection: asyncpg.Connection, kind: str
) -> None:
    said: list[Any] = []

    def keep(_: Any, __: str, event: Any) -> str:
        said.append(repr(event))
        raise structlog.DropEvent

    async with receiving(says(500)) as receiver:
        await add_target(connection, receiver.url, kind=kind)
        await add_event(connection)
        await route(database)
        structlog.configure(processors=[keep], cache_logger_on_first_use=False)
        try:
            await serve_until_done(courier(database), connection)
            await add_event(connection)
            await route(database)
            await serve_until_done(courier(database, reach=Reach()), connection)
        finally:
            structlog.reset_defaults()

    kept = repr(await deliveries(connection)) + "".join(said)
    assert any("alert_not_delivered" in one for one in said)
    assert "private address" in kept
    assert SECRET not in kept
    assert "very-secret-path" not in kept
    assert all(UUID(got.headers["webhook-id"]) for got in receiver.got)
