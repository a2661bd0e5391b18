"""kill -9 of the API at each step of its digest, and two of them on one database: counts hold."""

import asyncio
import random
import re
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
import pytest

from app.database import Database, asyncpg_dsn
from app.incidents.count_queries import count_differences
from app.settings import Settings
from tests.faults.proxy import Proxy
from tests.faults.rig import Api, held, until, until_digested, until_waiting

pytestmark = pytest.mark.anyio

Raw = dict[str, Any]
KINDS: Final = ("ValueError", "KeyError", "TimeoutError", "OSError", "TypeError", "EOFError")
STEPS: Final = {
    "before it claims chains": ("sequence_marks", "ACCESS EXCLUSIVE", "WITH oldest"),
    "after it took the marks": ("incident_roots", "EXCLUSIVE", "WITH opened"),
    "between counts and chains": ("incident_chains", "EXCLUSIVE", "INSERT INTO incident_chains"),
    "before it tells of them": ("events", "EXCLUSIVE", "INSERT INTO events"),
    "at its last statement": ("incident_evidence", "EXCLUSIVE", "INSERT INTO incident_evidence"),
}
"""What is locked, how, and the statement that then waits."""


def failing_chains(count: int) -> list[Raw]:
    """Three records each: one goes well, one fails, and its caller reports that."""
    made: list[Raw] = []
    for number in range(count):
        name, kind = f"digested-{uuid4()}", KINDS[number % len(KINDS)]
        broken = {"level": "error", "exception": {"type": kind, "message": f"no {kind}"}}
        made += [
            {"correlation_id": name, "service": "gateway", "message": "in"},
            {"correlation_id": name, "service": "stock", "message": f"no {kind}", **broken},
            {"correlation_id": name, "service": "gateway", "level": "error",
             "message": "502 from stock"},
        ]  # fmt: skip
    return [{"record_id": str(uuid4()), **record} for record in made]


async def send(url: str, records: list[Raw]) -> None:
    """In requests of a hundred chains, each until it is acknowledged."""
    async with httpx.AsyncClient(base_url=url, timeout=20) as client:
        for start in range(0, len(records), 300):
            body = records[start : start + 300]
            assert (await client.post("/ingest/logs", json=body)).status_code == 202


async def chains_counted(url: str) -> int:
    """Once all is digested and every count was found true: how many chains incidents count."""
    connection = await asyncpg.connect(asyncpg_dsn(url))
    database = Database(url, Settings(database_url=url))
    try:
        await until_digested(connection)
        async with database.session() as session:
            assert await count_differences(session) == []
        counted = int(await connection.fetchval("SELECT sum(chains) FROM incidents"))
        assert await connection.fetchval("SELECT count(*) FROM incident_chains") == counted
        opened = await connection.fetch(
            """SELECT incident_id, count(*) FILTER (WHERE kind = 'opened') FROM incidents
               LEFT JOIN events USING (incident_id) GROUP BY incident_id"""
        )
        assert {row[1] for row in opened} == {1}
        assert len(opened) <= len(KINDS)
        wrong = "SELECT * FROM incident_hours WHERE chains <= 0 OR errors <= 0"
        assert await connection.fetch(wrong) == []
        return counted
    finally:
        await database.close()
        await connection.close()


@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_a_step_of_the_digest(api: Api, shared_url: str, step: str) -> None:
    table, mode, statement = STEPS[step]
    # With incidents that are there already, and without.
    await send(api.url, failing_chains(4))
    assert await chains_counted(shared_url) == 4
    async with held(shared_url, f"LOCK TABLE {table} IN {mode} MODE") as watch:
        await send(api.url, failing_chains(20))
        await until_waiting(watch, statement)
        await api.kill()

    await api.start()

    assert await chains_counted(shared_url) == 24


async def test_killed_after_the_commit_of_a_round(api: Api, proxy: Proxy, shared_url: str) -> None:
    # The proxy knows a write by its text, which a connection sends once.
    await api.kill()
    await api.start()
    lock = "LOCK TABLE events IN EXCLUSIVE MODE"
    async with held(shared_url, lock) as watch:
        await send(api.url, failing_chains(20))
        await until_waiting(watch, "INSERT INTO events")
        proxy.withholding_commits = True
    await asyncio.wait_for(proxy.withheld.wait(), 20)
    await api.kill()
    proxy.withholding_commits = False

    await api.start()

    assert await chains_counted(shared_url) == 20


async def test_killed_at_any_moment_while_a_thousand_chains_are_digested(
    api: Api, shared_url: str
) -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    for _ in range(4):
        await send(api.url, failing_chains(250))
        await asyncio.sleep(chance.random() * 0.4)
        await api.kill()
        await api.start()

    assert await chains_counted(shared_url) == 1000


async def digested_by(api: Api) -> float:
    async with httpx.AsyncClient(base_url=api.url, timeout=10) as client:
        text = (await client.get("/metrics")).text
    found = re.search(r"^prodsentinel_chains_digested_total (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


async def test_two_replicas_share_the_digest_and_neither_waits_for_the_other_forever(
    api: Api, shared_url: str, tmp_path: Path
) -> None:
    eager = {"PRODSENTINEL_DIGEST_INTERVAL_SECONDS": "0.05"}
    replicas = [Api(shared_url, tmp_path / name, **eager) for name in ("one", "two")]
    await api.kill()
    sent = 0
    try:
        await asyncio.gather(*(one.start() for one in replicas))

        async def both_worked() -> bool:
            nonlocal sent
            await asyncio.gather(*(send(one.url, failing_chains(100)) for one in replicas))
            sent += 200
            return all([await digested_by(one) > 0 for one in replicas]) and sent >= 2_000

        await until(both_worked, seconds=60)
        assert await chains_counted(shared_url) == sent
        told = [await digested_by(one) for one in replicas]
        logs = "".join(one.log for one in replicas)
    finally:
        for one in replicas:
            await one.__aexit__()

    assert sum(told) >= sent
    assert "eadlock" not in logs
    assert "digest_goes_one_by_one" not in logs
    assert "digest_round_failed" not in logs
