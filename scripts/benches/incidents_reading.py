"""Reading a chain of two hundred records out of ten million."""

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import httpx
import msgspec
import psutil

from app.database import asyncpg_dsn
from app.store.partitions import PATIENT, make_days
from scripts.benches.frame import Row
from scripts.benches.ground import Api, Ground, ask, cpu_seconds, start_api
from scripts.benches.incidents_failures import CAUSES, ROOT_SERVICE, Checkout, Numbering
from scripts.benches.ingest_batches import send_batches
from scripts.benches.ingest_stored import FILL_AT, fill
from scripts.benches.loads import Load, Plan, get, percentile, send
from scripts.benches.records import BATCH
from scripts.benches.shares import below

DAYS: Final = 7
CHAINS: Final = 200
RECORDS: Final = 200
CALLED: Final = ("gateway", "payment", "pricing", "inventory", "notifications")
P99_MS: Final = 20
LONGEST_SECONDS: Final = 60.0
FILL: Final = FILL_AT.format(
    moment=f"now() - interval '1 day' * {DAYS} * (1 - n / $3::bigint::float8)"
)
DIGESTED: Final = "SELECT count(DISTINCT correlation_id) FROM incident_chains"
STORED: Final = """
    SELECT sum(reltuples)::float8 FROM pg_partition_tree('log_records')
    JOIN pg_class ON oid = relid AND relkind = 'r'
"""


def measured(ground: Ground) -> Iterator[Row]:
    """Half of the records, the chains, the other half; then the chains in random order."""
    rows, rounds = (200_000, 2) if ground.quick else (10_000_000, 10)
    with ground.database("reading") as url, ground.stack() as stack:
        api = start_api(stack, url)
        names, seconds = _filled(url, api, rows)
        size = _checked(api, names[0])
        _read(api, names)
        processes = {"API": psutil.Process(api.pid), "PostgreSQL": ground.postgres()}
        before = {name: cpu_seconds(process) for name, process in processes.items()}
        load = _read(api, [name for _ in range(rounds) for name in random.sample(names, CHAINS)])
        spent = {name: cpu_seconds(p) - before[name] for name, p in processes.items()}
        stored = ask(url, STORED)
    yield Row("reading: records stored", stored, "records", "", None)
    yield Row("reading: to fill them in", seconds, "s", "", None)
    yield Row(f"reading: body of a chain of {RECORDS}", size / 1024, "KB", "", None)
    yield Row("reading: a chain, p50", load.percentile(0.5) * 1000, "ms", "", None)
    p99 = percentile(load.latencies, 0.99) * 1000 if load.good == load.requests else float("inf")
    yield below("reading: a chain, p99", p99, "ms", P99_MS)
    for name, taken in spent.items():
        yield Row(
            f"reading: CPU of {name} for a chain, background included",
            taken / load.good * 1000,
            "ms",
            "",
            None,
        )


def _filled(url: str, api: Api, rows: int) -> tuple[list[str], float]:
    began = time.monotonic()
    asyncio.run(_make_days(url))
    asyncio.run(fill(url, rows, FILL, part=(0, 0.5)))
    numbering = Numbering()
    chains = [_long_chain(n, numbering) for n in range(CHAINS)]
    records = [record for chain in chains for record in chain]
    # As records of many requests come: those of one chain lie on pages of their own.
    random.shuffle(records)
    lines = [msgspec.json.encode(record) for record in records]
    bodies = [b"\n".join(lines[n : n + BATCH]) for n in range(0, len(lines), BATCH)]
    send_batches(api.port, bodies)
    asyncio.run(fill(url, rows, FILL, part=(0.5, 1)))
    _wait_until_digested(url)
    ask(url, "VACUUM (ANALYZE)", "CHECKPOINT")
    return [chain[0]["correlation_id"] for chain in chains], time.monotonic() - began


def _wait_until_digested(url: str) -> None:
    deadline = time.monotonic() + LONGEST_SECONDS
    while ask(url, DIGESTED) < CHAINS and time.monotonic() < deadline:
        time.sleep(0.2)


async def _make_days(url: str) -> None:
    today = datetime.now(UTC).date()
    connection = await asyncpg.connect(asyncpg_dsn(url))
    try:
        await make_days(connection, [today - timedelta(days=n) for n in range(DAYS + 1)], PATIENT)
    finally:
        await connection.close()


def _long_chain(number: int, numbering: Numbering) -> list[dict[str, Any]]:
    """197 INFO of five services, then inventory fails, and payment and gateway with it."""
    at = datetime.now(UTC) - timedelta(days=DAYS * (number + 0.5) / CHAINS)
    chain = Checkout(CAUSES[number % len(CAUSES)], at, numbering)
    told = RECORDS - 3
    records = [
        chain.record(CALLED[n % len(CALLED)], n, f"step {n} of the checkout took {n % 7} ms")
        for n in range(told)
    ]
    return records + list(chain.errors(told))


def _checked(api: Api, name: str) -> int:
    """Bytes of an answer that says what it should."""
    answer = httpx.get(f"http://127.0.0.1:{api.port}/api/chains/{name}", timeout=30)
    chain = answer.raise_for_status().json()
    found = (len(chain["records"]), chain["root"]["service"], bool(chain["incident_id"]))
    if found != (RECORDS, ROOT_SERVICE, True):
        raise RuntimeError(f"{name} has records, root and incident {found}")
    return len(answer.content)


def _read(api: Api, names: list[str]) -> Load:
    requests = [get(f"/api/chains/{name}") for name in names]
    return send(Plan(ports=(api.port,), requests=requests, connections=1))
