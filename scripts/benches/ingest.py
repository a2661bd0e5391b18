"""How fast records are stored durably, as shares of what the parts alone can do.

Server, database and sender share the machine. Every share is taken within one run, its two
sides in turns, because machines are shared and noisy.
"""

import asyncio
import gzip
import random
import statistics
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from app.database import asyncpg_dsn
from app.normalise.context import Context
from app.receive.body import records_of_lines
from app.store.batch import annotated_row
from app.store.ingest import prepare
from app.store.queries import RECORD_COLUMNS
from scripts.benches.frame import Options, Row
from scripts.benches.sender import Load, request, send
from scripts.stack import Stack, database, free_ports, wait_until_ready

NDJSON = "application/x-ndjson"
BATCH = 1000
CONNECTIONS = 64
MESSAGES = (
    "order {n} confirmed for customer {u} in {ms} ms",
    "stock of SKU-{n} is now {ms}, reserved for order {u}",
    "published event {u} to topic orders partition 3 offset {n}",
)
ERRORS = (
    "charge of order {n} declined by the issuer after {ms} ms",
    "ConnectionError: payment provider did not answer request {u} within {ms} ms",
)


def rows(options: Options) -> Iterator[Row]:
    """Batches against bare COPY, then single records against a bare handler."""
    turns, batches, singles = (2, 10, 1_000) if options.quick else (5, 60, 6_000)
    with tempfile.TemporaryDirectory(prefix="prodsentinel-bench-") as directory:
        data = Path(directory)
        with database(data) as url, Stack(data / "logs") as stack:
            port, bare_port = free_ports(2)
            stack.start_api(url, port, PRODSENTINEL_LOG_LEVEL="warning")
            _start_bare(stack, bare_port)
            yield from _batches(url, port, turns=turns, batches=batches)
            yield from _singles(port, bare_port, turns=turns, count=singles)


def _start_bare(stack: Stack, port: int) -> None:
    process = stack.start(
        "bare", "uvicorn", "scripts.benches.bare:app", "--port", str(port), "--no-access-log",
    )  # fmt: skip
    # It has one route only: any answer says that it is there.
    wait_until_ready(process, f"http://127.0.0.1:{port}/nothing", status=404)


def _batches(url: str, port: int, *, turns: int, batches: int) -> Iterator[Row]:
    copied, stored, zipped, latency = [], [], [], []
    for _ in range(turns):
        bodies = [_ndjson(BATCH) for _ in range(batches)]
        copied.append(batches * BATCH / asyncio.run(_bare_copy(url, bodies)))
        plain = [request("/ingest/logs", body, NDJSON) for body in bodies]
        load = _send(port, plain, connections=4)
        stored.append(load.rate * BATCH)
        latency.append(load.percentile(0.5))
        packed = [
            request(
                "/ingest/logs", gzip.compress(_ndjson(BATCH), 6), NDJSON, Content_Encoding="gzip"
            )
            for _ in range(batches)
        ]
        zipped.append(_send(port, packed, connections=4).rate * BATCH)
    yield Row("bare asyncpg COPY, one connection", statistics.median(copied), "records/s", "", None)
    yield Row("NDJSON of 1,000, durable", statistics.median(stored), "records/s", "", None)
    yield _share("share of bare COPY", stored, copied, 0.80)
    yield _share("gzip share of plain", zipped, stored, 0.90)
    yield Row("batch of 1,000, p50", statistics.median(latency) * 1000, "ms", "", None)


def _singles(port: int, bare_port: int, *, turns: int, count: int) -> Iterator[Row]:
    for level, goal in (("INFO", 0.80), ("ERROR", 0.70)):
        ours, bare, p50, p99 = [], [], [], []
        for _ in range(turns):
            bodies = [msgspec.json.encode(_record(level)) for _ in range(count)]
            requests = [request("/ingest/logs", body, "application/json") for body in bodies]
            bare.append(_send(bare_port, requests, connections=CONNECTIONS).rate)
            load = _send(port, requests, connections=CONNECTIONS)
            ours.append(load.rate)
            p50.append(load.percentile(0.5) * 1000)
            p99.append(load.percentile(0.99) * 1000)
        yield Row(f"single {level}, 64 connections", statistics.median(ours), "1/s", "", None)
        yield _share(f"single {level}, share of a bare handler", ours, bare, goal)
        yield Row(f"single {level}, p50 at full load", statistics.median(p50), "ms", "", None)
        yield Row(f"single {level}, p99 at full load", statistics.median(p99), "ms", "", None)


def _packed(body: bytes) -> bytes:
    return request("/ingest/logs", gzip.compress(body, 6), NDJSON, Content_Encoding="gzip")


def _send(port: int, requests: list[bytes], *, connections: int) -> Load:
    load = asyncio.run(send(port, requests, connections=connections))
    if load.failed:
        print(f"ingest: {load.failed} of {load.requests} requests failed", file=sys.stderr)
    return load


def _share(name: str, ours: list[float], theirs: list[float], goal: float) -> Row:
    share = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return Row(name, share, "x", f">= {goal}", share >= goal)


async def _bare_copy(url: str, bodies: list[bytes]) -> float:
    """Seconds to COPY the same rows, already made, in a transaction for each batch."""
    context = Context(received_at=datetime.now(UTC))
    made = [
        [annotated_row(signed) for signed in prepare(records_of_lines(body), context)[0]]
        for body in bodies
    ]
    connection = await asyncpg.connect(asyncpg_dsn(url))
    started = asyncio.get_running_loop().time()
    for table in made:
        await connection.copy_records_to_table(
            "log_records", records=_fresh(table), columns=RECORD_COLUMNS
        )
    seconds = asyncio.get_running_loop().time() - started
    await connection.close()
    return seconds


def _fresh(table: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same rows under other record IDs: the service stores the originals."""
    place = RECORD_COLUMNS.index("record_id")
    return [(*row[:place], uuid.uuid4(), *row[place + 1 :]) for row in table]


def _ndjson(count: int) -> bytes:
    levels = ["ERROR" if n % 5 == 0 else "INFO" for n in range(count)]
    return b"\n".join(msgspec.json.encode(_record(level)) for level in levels)


def _record(level: str) -> dict[str, Any]:
    """About 430 bytes, as a service in the middle of a request sends them."""
    choose: Callable[[Any], Any] = random.choice
    shapes = ERRORS if level == "ERROR" else MESSAGES
    return {
        "service": choose(("gateway", "payment", "inventory")),
        "level": level,
        "message": choose(shapes).format(
            n=random.randrange(10**6),
            u=uuid.uuid4(),
            ms=random.randrange(5000),
        ),
        "timestamp": datetime.now(UTC).isoformat(),
        "correlation_id": uuid.uuid4().hex,
        "record_id": str(uuid.uuid4()),
        "environment": "bench",
        "release": "2026.11.1",
        "instance": "bench-1",
        "span_id": uuid.uuid4().hex[:16],
        "sequence": random.randrange(10**6),
        "attributes": {"order_id": f"o-{random.randrange(10**6)}", "tenant": "acme"},
    }
