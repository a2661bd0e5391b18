"""Known issues above their thresholds, losses of the canary, and what is forgotten."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text

from app.alerts.deliver import Sender
from app.alerts.watch_queries import (
    DAYS_KEPT,
    PRUNE,
    check_thresholds,
    note_canary_loss,
    prune,
    read_standing,
)
from app.alerts.worker import Alerts
from app.database import Database
from app.settings import Settings
from tests.alerts.outbox import LOOPBACK, add_event, add_target, deliveries, route
from tests.alerts.receiver import hangs, receiving
from tests.alerts.waiting import until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def known(connection: asyncpg.Connection) -> UUID:
    """An incident of the signature `sig`, which is the known issue `raw-sql`."""
    incident_id = uuid4()
    await connection.execute(
        """
        INSERT INTO known_issues (known_issue_id, version, title, symptoms, causes, fix, lesson,
            caution, origin, document, heading_path, first_line, last_line, content_hash)
        VALUES ('raw-sql', 1, 'Raw SQL', '', '', 'Use text()', '', '', '', 'a.md', '{}', 1, 2, '')
        """
    )
    await connection.execute(
        "INSERT INTO matches (signature_id, catalogue_hash, known_issue_id, known_issue_version) "
        "VALUES ('sig', '', 'raw-sql', 1)"
    )
    await connection.execute("INSERT INTO incident_roots VALUES ('sig', $1)", incident_id)
    await connection.execute("INSERT INTO alert_thresholds VALUES ('raw-sql', 3)")
    return incident_id


async def add_chain(
    connection: asyncpg.Connection,
    incident_id: UUID,
    *,
    ago: timedelta = timedelta(),
    root: str = "sig",
    findings: tuple[str, ...] = (),
) -> None:
    await connection.execute(
        """
        INSERT INTO incident_chains (correlation_id, incident_id, root_record_id,
            root_signature_id, root_service, records, errors, root_at, first_at, last_at, findings)
        SELECT $1, $2, $3, $4, 'payment', 1, 1, at, at, at, $6 FROM (SELECT now() - $5::interval)
            AS t (at)
        """,
        str(uuid4()), incident_id, uuid4(), root, ago, list(findings),
    )  # fmt: skip


async def check(database: Database) -> int:
    async with database.session() as session:
        return await check_thresholds(session)


async def test_a_breach_is_told_once_and_again_after_it_fell_below(
    database: Database, connection: asyncpg.Connection, known: UUID
) -> None:
    told = [await check(database)]
    for _ in range(3):
        await add_chain(connection, known)
    told += [await check(database) for _ in range(3)]
    await connection.execute("UPDATE incident_chains SET root_at = now() - interval '61 minutes'")
    told += [await check(database)]
    for _ in range(4):
        await add_chain(connection, known)
    told += [await check(database)]

    details = await connection.fetchval(
        "SELECT details FROM events WHERE kind = 'issue_rate' ORDER BY happened_at DESC LIMIT 1"
    )
    assert told == [0, 1, 0, 0, 0, 1]
    assert json.loads(details) == {
        "known": True, "known_issue_id": "raw-sql", "chains": 4, "threshold": 3
    }  # fmt: skip


async def test_chains_of_other_roots_and_of_earlier_hours_do_not_count(
    database: Database, connection: asyncpg.Connection, known: UUID
) -> None:
    for _ in range(2):
        await add_chain(connection, known)
    await add_chain(connection, known, ago=timedelta(minutes=61))
    await add_chain(connection, known, root="another")

    assert await check(database) == 0


async def test_a_chain_that_a_chain_rule_explains_counts_too(
    database: Database, connection: asyncpg.Connection, known: UUID
) -> None:
    for _ in range(2):
        await add_chain(connection, known)
    other = uuid4()
    await connection.execute("INSERT INTO incident_findings VALUES ($1, 'raw-sql', 1, '[]')", other)
    await add_chain(connection, other, root="another", findings=("raw-sql",))

    assert await check(database) == 1


async def test_a_breach_becomes_a_message_with_the_fix(
    database: Database, connection: asyncpg.Connection, known: UUID
) -> None:
    await add_target(connection, "http://127.0.0.1:9/")
    for _ in range(3):
        await add_chain(connection, known)
    await check(database)
    await route(database)

    (row,) = await deliveries(connection)
    data = json.loads(row["payload"])["data"]
    assert data["rate"] == {"chains": 3, "threshold": 3}
    assert data["known_issue"]["fix"] == "Use text()"


async def test_a_loss_of_the_canary_is_told_once_in_ten_minutes(
    database: Database, connection: asyncpg.Connection
) -> None:
    async def lose() -> bool:
        async with database.session() as session:
            return await note_canary_loss(session, {"outcomes": {"missing": 2}})

    told = [await lose(), await lose()]
    await connection.execute("UPDATE events SET happened_at = now() - interval '11 minutes'")
    told.append(await lose())

    assert told == [True, False, True]


async def test_old_messages_are_forgotten_but_not_while_their_incident_is_open(
    database: Database, connection: asyncpg.Connection
) -> None:
    await add_target(connection, "http://127.0.0.1:9/")
    for status in ("open", "resolved"):
        incident_id = await add_event(connection)
        await connection.execute(
            "INSERT INTO incidents (incident_id, root_signature_id, status, first_seen, last_seen,"
            " chains, records) VALUES ($1, 'sig', $2, now(), now(), 1, 1)",
            incident_id, status,
        )  # fmt: skip
    for _ in range(2):
        await add_event(connection, "gap")
    await route(database)
    await connection.execute(
        "UPDATE alert_deliveries SET state = 'delivered', ended_at = now() - interval '31 days'"
    )
    await connection.execute(
        "UPDATE alert_deliveries SET ended_at = now() WHERE delivery_id = (SELECT delivery_id "
        "FROM alert_deliveries WHERE kind = 'gap' LIMIT 1)"
    )
    async with database.session() as session:
        await prune(session)

    assert [row["kind"] for row in await deliveries(connection)] == ["opened", "gap"]


async def test_what_is_old_is_found_by_an_index(database: Database) -> None:
    async with database.session() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        explain = text(f"EXPLAIN {PRUNE}").bindparams(days=DAYS_KEPT)
        plan = "\n".join((await session.execute(explain)).scalars())

    assert "Index Scan using ix_alert_deliveries_ended" in plan


async def test_the_oldest_that_waits_is_told_in_seconds(
    database: Database, connection: asyncpg.Connection
) -> None:
    async def oldest() -> float:
        async with database.session() as session:
            return (await read_standing(session)).oldest_seconds

    nothing = await oldest()
    await add_target(connection, "http://127.0.0.1:9/")
    await add_event(connection)
    unrouted = await oldest()
    await route(database)
    await connection.execute("UPDATE alert_deliveries SET created_at = now() - interval '1 hour'")
    waiting = await oldest()
    await connection.execute("UPDATE alert_targets SET enabled = false")

    assert nothing == await oldest() == 0
    assert 0 < unrouted < 3600 <= waiting


async def test_what_the_canary_lost_is_told_by_the_worker(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    alerts = Alerts(database, Sender(LOOPBACK), settings)
    async with receiving() as receiver:
        await add_target(connection, receiver.url)
        running = asyncio.create_task(alerts.run())
        alerts.canary_lost({"missing": 3})
        await until(receiver.has_got, seconds=20)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert receiver.got[0].json["type"] == "canary.loss"
    assert receiver.got[0].json["data"]["canary"] == {"missing": 3}


async def test_a_receiver_that_hangs_keeps_no_other_waiting(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    alerts = Alerts(database, Sender(LOOPBACK), settings)
    async with receiving(hangs) as slow, receiving() as quick:
        await add_target(connection, slow.url, name="a-slow")
        await add_target(connection, quick.url, name="quick")
        running = asyncio.create_task(alerts.run())
        await add_event(connection)
        await until(slow.has_got, seconds=20)
        await add_event(connection)

        async def has_both() -> bool:
            return len(quick.got) == 2

        await until(has_both, seconds=8)
        still_hangs = not await slow.is_left()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    assert still_hangs
