"""Two API processes on one database: started together, fed the same records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest

from app.database import asyncpg_dsn
from app.embedded import EmbeddedServer
from tests.faults.ledger import Ledger, hold_the_law, load
from tests.faults.rig import Api, until_digested

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bare_url(server: EmbeddedServer) -> AsyncIterator[str]:
    """A database that no migration has seen."""
    admin = await asyncpg.connect(asyncpg_dsn(server.url))
    await admin.execute("CREATE DATABASE bare")
    yield server.url.replace("/postgres?", "/bare?")
    await admin.execute("DROP DATABASE bare WITH (FORCE)")
    await admin.close()


async def chains_of_incidents(connection: asyncpg.Connection) -> dict[str, int]:
    """Failing chains that incidents count, and their records, by the incidents' own account."""
    row = await connection.fetchrow(
        "SELECT coalesce(sum(chains), 0)::int AS chains, coalesce(sum(records), 0)::int AS records,"
        " count(*)::int AS incidents, count(DISTINCT root_signature_id)::int AS roots"
        " FROM incidents"
    )
    return dict(row)


async def send_everywhere(ledger: Ledger, replicas: list[Api]) -> None:
    """The same records to all at once, in opposite order, with errors of shared signatures."""
    batches = [ledger.make(20) for _ in range(10)]
    async with AsyncExitStack() as clients:
        opened = [
            await clients.enter_async_context(httpx.AsyncClient(base_url=api.url, timeout=20))
            for api in replicas
        ]
        await asyncio.gather(*(
            ledger.send(client, batch if client is opened[0] else batch[::-1])
            for batch in batches for client in opened
        ))  # fmt: skip


async def test_two_replicas_started_together_store_and_digest_everything_once(
    bare_url: str, tmp_path: Path
) -> None:
    ledger = Ledger()
    replicas = [Api(bare_url, tmp_path / name) for name in ("one", "two")]
    connection = await asyncpg.connect(asyncpg_dsn(bare_url))
    try:
        await asyncio.gather(*(api.start("--migrate") for api in replicas))
        await send_everywhere(ledger, replicas)
        books = await hold_the_law(ledger, replicas[1].url, bare_url)
        await until_digested(connection)
        counted = await chains_of_incidents(connection)
    finally:
        await connection.close()
        for api in replicas:
            await api.__aexit__()

    assert counted["incidents"] == counted["roots"]
    assert counted["chains"] == len(books.failing_chains)
    assert counted["records"] == sum(
        1 for record in ledger.records.values() if record["correlation_id"] in books.failing_chains
    )


async def test_a_replica_started_and_killed_while_another_works(
    api: Api, shared_url: str, tmp_path: Path
) -> None:
    ledger = Ledger()
    second = Api(shared_url, tmp_path / "second")
    try:
        async with load(ledger, api.url):
            await second.start("--migrate")
            async with load(ledger, second.url):
                await asyncio.sleep(0.7)
                await second.kill()
                await asyncio.sleep(0.3)
            await ledger.until_taken(100)
    finally:
        await second.__aexit__()

    assert ledger.answers[202] > 100
    await hold_the_law(ledger, api.url, shared_url)
