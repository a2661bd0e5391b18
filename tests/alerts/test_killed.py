"""A worker that is killed between sending and recording: the message comes again, as itself."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from app.database import Database
from tests.alerts.outbox import add_event, add_target, courier, deliveries, route
from tests.alerts.receiver import Receiver, hangs, receiving, says
from tests.alerts.waiting import until

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = """
import asyncio, sys
from app.alerts.addresses import Reach
from app.alerts.deliver import Courier, Sender
from app.database import Database
from app.settings import Settings

async def main(url):
    database = Database(url, Settings(database_url=url))
    await Courier(database, Sender(Reach(inner=True)), public_url="").serve("team")

asyncio.run(main(sys.argv[1]))
"""


async def test_a_message_whose_sender_was_killed_comes_again_under_its_key(
    database: Database, database_url: str, connection: asyncpg.Connection
) -> None:
    async with receiving(hangs, says(200)) as receiver:
        await add_target(connection, receiver.url)
        await add_event(connection)
        await route(database)
        worker = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-c", WORKER, database_url],
            cwd=ROOT, env=os.environ, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await until(receiver.has_got, seconds=20)
        finally:
            worker.kill()
            await asyncio.to_thread(worker.wait)
        while_leased = await courier(database).serve("team")
        await connection.execute("UPDATE alert_deliveries SET due_at = now()")
        after = await courier(database).serve("team")

    first, second = receiver.got
    (row,) = await deliveries(connection)
    assert (while_leased, after) == (0, 1)
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.body == second.body
    assert (row["state"], row["attempts"]) == ("delivered", 2)


async def fails_after_the_next(
    receiver: Receiver, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    async def next_was_answered() -> bool:
        return len(receiver.got) > 1 and receiver.at_once == 1

    await until(next_was_answered, seconds=20)
    await says(500, "too late")(receiver, reader, writer)


async def test_a_worker_that_comes_back_late_records_nothing_over_another(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with receiving(fails_after_the_next, says(200)) as receiver:
        await add_target(connection, receiver.url)
        await add_event(connection)
        await route(database)
        late = asyncio.create_task(courier(database).serve("team"))
        await until(receiver.has_got, seconds=20)
        await connection.execute("UPDATE alert_deliveries SET due_at = now()")
        await courier(database).serve("team")
        late_ones = await late

    (row,) = await deliveries(connection)
    assert late_ones == 1
    assert (row["state"], row["error"]) == ("delivered", "")
