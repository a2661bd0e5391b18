"""The command against a real service process, with faults that are really there."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from click.testing import CliRunner
from sqlalchemy.engine import make_url

from app.canary.command import canary
from app.database import asyncpg_dsn
from app.embedded import EmbeddedServer
from scripts.stack import ROOT, Stack, free_ports

pytestmark = pytest.mark.anyio
NOT_RESENT = 1
"""A chain of three records that come in one array and once: 1 is no multiple of three."""
SHORT = ("--rate", "10", "--for", "3", "--wait", "6")
COPY = """
    INSERT INTO log_records
    SELECT (jsonb_populate_record(record, $2::jsonb)).* FROM log_records AS record
    WHERE correlation_id = $1 ORDER BY occurred_at LIMIT 1
"""


@pytest.fixture(scope="module")
async def database_url(server: EmbeddedServer, migrated: str) -> AsyncIterator[str]:
    admin = await asyncpg.connect(asyncpg_dsn(server.url))
    await admin.execute(f"CREATE DATABASE canary TEMPLATE {make_url(migrated).database}")
    yield server.url.replace("/postgres?", "/canary?")
    await admin.execute("DROP DATABASE canary WITH (FORCE)")
    await admin.close()


@pytest.fixture(scope="module")
def api(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with Stack(tmp_path_factory.mktemp("logs")) as stack:
        yield stack.start_api(database_url, free_ports(1)[0])


class Done(msgspec.Struct, frozen=True):
    code: int
    output: str
    errors: str

    @property
    def report(self) -> dict[str, Any]:
        return dict(json.loads(self.output))

    @property
    def records(self) -> dict[str, int]:
        """Outcome -> records, of the outcomes that came."""
        return {name: count for name, count in self.report["records"].items() if count}


async def start(url: str, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app", "canary", "--url", url, *options,
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


async def end(process: asyncio.subprocess.Process) -> Done:
    try:
        async with asyncio.timeout(90):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    return Done(process.returncode or 0, output.decode(), errors.decode())


async def stored_chain(connection: asyncpg.Connection, number: int, *, records: int) -> str:
    """The correlation ID of the newest run's chain of that number, once it is stored."""
    query = """
        SELECT correlation_id FROM log_records WHERE correlation_id LIKE 'canary-%-' || $1::text
            AND received_at > $2 GROUP BY 1 HAVING count(*) = $3
    """
    began = await connection.fetchval("SELECT now() - interval '2 seconds'")
    async with asyncio.timeout(30):
        while True:
            if found := await connection.fetchval(query, str(number), began, records):
                return str(found)
            await asyncio.sleep(0.02)


@pytest.fixture(autouse=True)
async def no_older_runs(connection: asyncpg.Connection) -> None:
    await connection.execute("DELETE FROM log_records")


async def test_all_is_well_with_a_service_that_is_well(
    api: str, connection: asyncpg.Connection
) -> None:
    done = await end(await start(api, "--rate", "60", "--for", "1", "--json"))

    assert done.code == 0, done.output + done.errors
    assert done.records == {"readable": 210}
    assert done.report["chains"] == 60
    assert done.report["acknowledged_ms"]["p50"] > 0
    assert await connection.fetchval("SELECT count(*) FROM log_records") == 210
    assert await connection.fetchval("SELECT sum(cardinality(annotations)) FROM log_records") == 0


async def test_it_opens_no_incident_and_owes_no_document(
    api: str, connection: asyncpg.Connection
) -> None:
    await end(await start(api, "--rate", "20", "--for", "1"))

    async with httpx.AsyncClient(base_url=api) as client:
        assert (await client.get("/api/incidents")).json()["incidents"] == []
        assert (await client.get("/api/documentation-debt")).json() == []
    assert await connection.fetchval("SELECT count(*) FROM failing_chains") == 0


async def test_people_get_a_table_and_pipes_no_progress_bar(api: str) -> None:
    done = await end(await start(api, "--rate", "5", "--for", "1"))

    assert "readable" in done.output
    assert "p50 / p99" in done.output
    assert done.errors == ""


async def test_records_deleted_behind_its_back_are_missing(
    api: str, connection: asyncpg.Connection
) -> None:
    running = await start(api, *SHORT, "--json")
    chain = await stored_chain(connection, NOT_RESENT, records=3)
    await asyncio.sleep(0.5)  # by then they were read back
    await connection.execute("DELETE FROM log_records WHERE correlation_id = $1", chain)

    done = await end(running)

    assert done.code == 1, done.output + done.errors
    assert done.records["missing"] == 3
    assert done.report["faults"] == [{"correlation_id": chain, "outcomes": {"missing": 3}}]


async def test_rows_under_another_id_or_another_time_are_doubled(
    api: str, connection: asyncpg.Connection
) -> None:
    running = await start(api, *SHORT, "--json")
    chain = await stored_chain(connection, NOT_RESENT, records=3)
    await connection.execute(COPY, chain, '{"record_id": "00000000-0000-4000-8000-000000000000"}')
    await connection.execute(COPY, chain, '{"occurred_at": "2020-01-01T00:00:00Z"}')

    done = await end(running)

    assert done.code == 1, done.output + done.errors
    assert done.records["doubled"] == 2
    assert set(done.records) == {"readable", "doubled"}
    assert [fault["correlation_id"] for fault in done.report["faults"]] == [chain]


async def test_a_record_with_other_words_than_it_was_sent_with_is_altered(
    api: str, connection: asyncpg.Connection
) -> None:
    running = await start(api, *SHORT, "--json")
    chain = await stored_chain(connection, NOT_RESENT, records=3)
    await connection.execute(
        "UPDATE log_records SET message = 'other' WHERE correlation_id = $1 AND service = $2",
        chain,
        "canary-b",
    )

    done = await end(running)

    assert done.code == 1, done.output + done.errors
    assert done.records["altered"] == 1


async def test_what_can_be_read_only_after_a_while_is_late_and_no_fault(
    api: str, connection: asyncpg.Connection
) -> None:
    running = await start(api, *SHORT, "--late-after", "1", "--json")
    await stored_chain(connection, NOT_RESENT, records=3)
    async with connection.transaction():
        # Readers of chains need this table, writers of INFO records do not.
        await connection.execute("LOCK TABLE incident_chains IN ACCESS EXCLUSIVE MODE")
        await asyncio.sleep(2.5)

    done = await end(running)

    assert done.code == 0, done.output + done.errors
    assert done.records["late"] > 0
    assert set(done.records) == {"readable", "late"}


async def test_a_service_killed_for_good_leaves_what_it_took_unread_and_not_missing(
    database_url: str, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    with Stack(tmp_path) as stack:
        url = stack.start_api(database_url, free_ports(1)[0])
        running = await start(url, "--rate", "10", "--for", "3", "--wait", "2", "--json")
        await stored_chain(connection, 10, records=4)
        kill(stack)

        done = await end(running)

    assert done.code == 2, done.output + done.errors
    assert done.records["unread"] > 0
    assert done.records["unanswered"] > 0
    assert "missing" not in done.records
    assert done.report["chains"] == 30


async def test_a_service_killed_and_started_again_still_has_all_it_took(
    database_url: str, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    with Stack(tmp_path) as stack:
        (port,) = free_ports(1)
        url = stack.start_api(database_url, port)
        running = await start(url, "--rate", "10", "--for", "4", "--wait", "30", "--json")
        await stored_chain(connection, 10, records=4)
        kill(stack)
        stack.start_api(database_url, port)

        done = await end(running)

    assert done.code == 0, done.output + done.errors
    assert done.records["readable"] > 0
    assert set(done.records) <= {"readable", "late", "refused", "unanswered"}


def kill(stack: Stack) -> None:
    process = stack._processes[-1]
    os.kill(process.popen.pid, signal.SIGKILL)
    process.popen.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_ctrl_c_gives_the_report_so_far(
    api: str, connection: asyncpg.Connection, number: signal.Signals
) -> None:
    running = await start(api, "--rate", "10", "--for", "600", "--json")
    await stored_chain(connection, 10, records=4)
    running.send_signal(number)

    done = await end(running)

    assert done.code == 0, done.output + done.errors
    assert done.report["interrupted"]
    assert done.report["unjudged_chains"] == 0
    assert done.records["readable"] > 20


async def test_where_nobody_listens_is_one_line() -> None:
    done = await end(await start(f"http://127.0.0.1:{free_ports(1)[0]}"))

    assert done.code == 2
    assert "cannot be reached" in done.errors
    assert len(done.errors.splitlines()) == 1


@pytest.mark.parametrize(
    "url", ["logs.example:8000", "http://[", "http://me:hunter2@127.0.0.1:99999999"]
)
async def test_an_address_that_is_none_is_one_line_without_its_password(url: str) -> None:
    done = await end(await start(url))

    assert done.code == 2
    assert len(done.errors.splitlines()) == 1, done.errors
    assert "hunter2" not in done.errors


async def test_what_is_no_number_is_no_rate() -> None:
    done = CliRunner().invoke(canary, ["--rate", "nan"])

    assert done.exit_code == 2
    assert "it should be a number" in done.output


async def test_what_is_no_prodsentinel_is_said_so(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with Stack(tmp_path) as stack:
        stack.start("other", "http.server", str(port), "--bind", "127.0.0.1")
        for _ in range(100):
            done = await end(await start(f"http://127.0.0.1:{port}"))
            if "cannot be reached" not in done.errors:
                break

    assert done.code == 2
    assert "is no ProdSentinel" in done.errors
