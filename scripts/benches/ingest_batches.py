"""NDJSON batches of 1,000, a transaction each or better, against bare COPY of the same rows."""

import asyncio
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import asyncpg

from app.database import asyncpg_dsn
from app.normalise.context import Context
from app.receive.body import records_of_lines
from app.store.batch import annotated_row
from app.store.ingest import prepare
from app.store.queries import RECORD_COLUMNS
from scripts.benches.frame import Row
from scripts.benches.ground import CpuMeter, Ground, start_api
from scripts.benches.loads import Load, Plan, send
from scripts.benches.records import BATCH, batch_request, batches, gzip_request
from scripts.benches.shares import middle, share

CONNECTIONS = 4


def measured(ground: Ground) -> Iterator[Row]:
    """Bare COPY, ours and ours with gzip, in turns."""
    turns, count = (2, 10) if ground.quick else (5, 60)
    copied, stored, zipped, latency = [], [], [], []
    with ground.database("batches") as url, ground.stack() as stack:
        api = start_api(stack, url)
        meter = CpuMeter(ground, api)
        send_batches(api.port, batches(4))
        for _ in range(turns):
            bodies = batches(count)
            copied.append(count * BATCH / asyncio.run(bare_copy(url, bodies)))
            with meter.reading():
                load = send_batches(api.port, bodies)
            meter.add(records=load.good * BATCH, sender=load.cpu)
            stored.append(load.rate * BATCH)
            latency.append(load.percentile(0.5) * 1000)
            packed = [gzip_request(body) for body in batches(count)]
            zipped.append(_send((api.port,), packed).rate * BATCH)
    yield middle("bare asyncpg COPY, one connection", copied, "records/s")
    yield middle("NDJSON of 1,000, durable", stored, "records/s")
    yield share("share of bare COPY", stored, copied, 0.80)
    yield middle("NDJSON of 1,000 in gzip, durable", zipped, "records/s")
    yield share("gzip share of plain", zipped, stored, 0.90)
    yield middle("batch of 1,000, p50", latency, "ms")
    yield from meter.rows("batches")


def send_batches(port: int, bodies: list[bytes]) -> Load:
    return _send((port,), [batch_request(body) for body in bodies])


def _send(ports: tuple[int, ...], requests: list[bytes]) -> Load:
    return send(Plan(ports=ports, requests=requests, connections=CONNECTIONS))


async def bare_copy(url: str, bodies: list[bytes]) -> float:
    """Seconds to COPY the same rows, already made, in a transaction for each batch."""
    context = Context(received_at=datetime.now(UTC))
    made = [
        [annotated_row(signed) for signed in prepare(records_of_lines(body), context)[0]]
        for body in bodies
    ]
    tables = [_fresh(table) for table in made]
    connection = await asyncpg.connect(asyncpg_dsn(url))
    started = asyncio.get_running_loop().time()
    for table in tables:
        await connection.copy_records_to_table("log_records", records=table, columns=RECORD_COLUMNS)
    seconds = asyncio.get_running_loop().time() - started
    await connection.close()
    return seconds


def _fresh(table: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The same rows under other record IDs: the service stores the originals."""
    place = RECORD_COLUMNS.index("record_id")
    return [(*row[:place], uuid.uuid4(), *row[place + 1 :]) for row in table]
