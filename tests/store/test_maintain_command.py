"""`prodsentinel maintain` as a process of its own."""

import asyncio
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from app.store import queries
from app.store.partitions import PATIENT, make_days, partition_name
from scripts.stack import ROOT

pytestmark = pytest.mark.anyio
_UNFINISHED = (
    "SELECT EXISTS (SELECT FROM pg_index WHERE NOT indisvalid AND indexrelid = to_regclass($1))"
)
_NOBODY_BUILDS = """
    SELECT NOT EXISTS (
        SELECT FROM pg_stat_progress_create_index WHERE datname = current_database()
    )
"""
_WORDY = """
    INSERT INTO log_records (
        correlation_id, occurred_at, record_id, received_at, service, level, message
    )
    SELECT 'c' || n, $1, gen_random_uuid(), now(), 's', 'INFO',
        (SELECT string_agg(md5((n * 1000 + i)::text), ' ') FROM generate_series(1, 300) AS i)
    FROM generate_series(1, 1500) AS n
"""


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "app", "maintain", *arguments]


def environment(database_url: str) -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": database_url}


def maintain(database_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        check=False, capture_output=True, text=True, timeout=120, cwd=ROOT,
        env=environment(database_url),
    )  # fmt: skip


async def test_it_says_what_it_did(database_url: str, connection: asyncpg.Connection) -> None:
    today = datetime.now(UTC).date()
    old = partition_name(today - timedelta(days=99))
    await make_days(connection, [today - timedelta(days=99)], PATIENT)

    foreseen = await asyncio.to_thread(maintain, database_url, "--dry-run")
    done = await asyncio.to_thread(maintain, database_url, "--json")
    again = await asyncio.to_thread(maintain, database_url)

    report = json.loads(done.stdout)
    assert [d.returncode for d in (foreseen, done, again)] == [0, 0, 0], done.stderr
    assert f"would be dropped  {old}" in foreseen.stdout
    assert [one["name"] for one in report["dropped"]] == [old]
    assert partition_name(today) in report["made"]
    assert "made " not in again.stdout
    assert "bytes before" in again.stdout


async def test_another_process_at_work_is_said(
    database_url: str, connection: asyncpg.Connection
) -> None:
    await connection.execute(queries.TAKE_MAINTENANCE_LOCK)

    done = await asyncio.to_thread(maintain, database_url)

    assert done.returncode == 3
    assert "another process" in done.stdout


def test_a_database_that_cannot_be_used_is_one_line() -> None:
    done = maintain("postgresql://nobody@127.0.0.1:1/none")
    unnamed = maintain("")

    assert (done.returncode, unnamed.returncode) == (2, 2)
    assert done.stderr.startswith("prodsentinel: PostgreSQL cannot be")
    assert "DATABASE_URL is not set" in unnamed.stderr


async def test_killed_while_it_builds_an_index_the_next_run_repairs(
    database_url: str, connection: asyncpg.Connection
) -> None:
    day = datetime.now(UTC).date() - timedelta(days=5)
    name = partition_name(day)
    await make_days(connection, [day], PATIENT)
    await connection.execute(_WORDY, datetime(day.year, day.month, day.day, 12, tzinfo=UTC))

    killed = await asyncio.create_subprocess_exec(
        *command(), cwd=ROOT, env=environment(database_url),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await wait_until(connection, _UNFINISHED, f"{name}_search")
    finally:
        killed.kill()
        await killed.wait()
    await wait_until(connection, _NOBODY_BUILDS)
    left = await invalid_indexes(connection)
    done = await asyncio.to_thread(maintain, database_url, "--json")

    report = json.loads(done.stdout)
    assert left == [f"{name}_search"]
    assert done.returncode == 0
    assert f"{name}_search" in report["indexed"]
    assert await invalid_indexes(connection) == []
    assert await connection.fetchval("SELECT count(*) FROM log_records") == 1_500


async def wait_until(connection: asyncpg.Connection, question: str, *values: str) -> None:
    for _ in range(3_000):
        if await connection.fetchval(question, *values):
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(question)


async def invalid_indexes(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE NOT indisvalid"
    )
    return [row["name"] for row in rows]
