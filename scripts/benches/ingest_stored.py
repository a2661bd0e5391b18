"""The same load into an empty table and into one that holds ten million records."""

import asyncio
import sys
from collections.abc import Iterator
from typing import Any, Final

import asyncpg

from app.database import asyncpg_dsn
from scripts.benches.frame import Row
from scripts.benches.ground import Ground, ask, start_api
from scripts.benches.ingest_batches import send_batches
from scripts.benches.records import BATCH, batches
from scripts.benches.shares import middle, share

CHUNK: Final = 50_000
FILLERS: Final = 2
GOAL: Final = 0.90
# In the order of time, as they come in; six of ten today, the others yesterday. Every record has
# a correlation ID of its own: the index is met all over, as by short requests. A digest of its
# number spreads like a random UUID, and is made ten times as fast.
FILL_AT: Final = """
    INSERT INTO log_records (
        correlation_id, occurred_at, record_id, received_at, service, level, message, environment,
        release, instance, span_id, sequence, signature_id, attributes
    )
    SELECT
        md5('chain' || n), moment, md5('record' || n)::uuid, moment,
        (ARRAY['gateway', 'payment', 'inventory'])[1 + n % 3],
        CASE WHEN n % 5 = 0 THEN 'ERROR' ELSE 'INFO' END::severity,
        'order ' || n || ' confirmed for customer ' || md5('user' || n)::uuid || ' in ' || n % 5000
            || ' ms',
        'bench', '2026.11.1', 'bench-1', left(md5(n::text), 16), n,
        CASE WHEN n % 5 = 0 THEN 'v1:' || md5((n % 7)::text) END,
        jsonb_build_object('order_id', 'o-' || n % 1000000, 'tenant', 'acme')
    FROM generate_series($1::bigint, $2::bigint) AS n,
    LATERAL (
        SELECT {moment} AS moment
        FROM (SELECT date_trunc('day', now(), 'UTC') AS midnight) AS day
    ) AS spread
"""
FILL: Final = FILL_AT.format(
    moment="""CASE
            WHEN n < 0.4 * $3::bigint
            THEN midnight - interval '1 day' * (1 - n / (0.4 * $3::bigint))
            ELSE midnight + (now() - midnight) * ((n - 0.4 * $3::bigint) / (0.6 * $3::bigint))
        END"""
)
# Each error's chain is known to fail, as after an ingest of the same rows.
FILL_FAILING: Final = """
    INSERT INTO failing_chains (correlation_id)
    SELECT correlation_id FROM log_records WHERE level >= 'ERROR'::severity
"""
SIZES: Final = """
    SELECT sum(pg_relation_size(relid)) AS heap, sum(pg_indexes_size(relid)) AS indexes
    FROM pg_partition_tree('log_records')
"""
SHARE_TODAY: Final = """
    SELECT (count(*) FILTER (WHERE occurred_at >= date_trunc('day', now(), 'UTC')))::float8
        / count(*)
    FROM log_records
"""
WAL: Final = "SELECT (pg_current_wal_insert_lsn() - '0/0')::float8"


def measured(ground: Ground) -> Iterator[Row]:
    """The empty side alone first, then both in turns, from a checkpoint on.

    After a checkpoint each page that is met for the first time is logged whole, and ten million
    records have many pages: so the load is long enough to hold the dear beginning and the rest.
    """
    rows, turns, count = (200_000, 2, 10) if ground.quick else (10_000_000, 30, 60)
    with (
        ground.database("empty") as empty,
        ground.database("stored") as full,
        ground.stack() as stack,
    ):
        api = start_api(stack, empty, "empty")
        first = send_batches(api.port, batches(count)).rate * BATCH
        other = start_api(stack, full, "stored")
        asyncio.run(fill(full, rows))
        ask(full, FILL_FAILING, "VACUUM (ANALYZE)", "CHECKPOINT")
        heap, indexes, today = asyncio.run(_sizes(full))
        sides: dict[str, list[float]] = {"empty": [], "stored": []}
        written: dict[str, list[float]] = {"empty": [], "stored": []}
        for _ in range(turns):
            for name, port in (("empty", api.port), ("stored", other.port)):
                before = ask(empty, WAL)
                sides[name].append(send_batches(port, batches(count)).rate * BATCH)
                written[name].append((ask(empty, WAL) - before) / count / BATCH)
    yield Row("empty table, alone", first, "records/s", "", None)
    yield Row("records stored before", rows, "records", "", None)
    yield Row("of them today", today, "x", "", None)
    yield Row("size of the table", heap / 2**20, "MB", "", None)
    yield Row("size of its indexes", indexes / 2**20, "MB", "", None)
    yield middle("NDJSON of 1,000 into the empty table", sides["empty"], "records/s")
    yield middle("NDJSON of 1,000 into the full one", sides["stored"], "records/s")
    early = slice(0, max(1, turns // 10))
    yield share(
        "share of it right after a checkpoint", sides["stored"][early], sides["empty"][early], None
    )
    yield share("share of the empty table's rate", sides["stored"], sides["empty"], GOAL)
    for name, found in written.items():
        yield Row(f"WAL for a record, {name}", sum(found) / turns, "bytes", "", None)


async def fill(
    url: str, rows: int, statement: str = FILL, *, part: tuple[float, float] = (0, 1)
) -> None:
    """So many records, made by the server itself, with progress on standard error."""
    begin, end = (int(rows * share) for share in part)
    chunks = iter(range(begin, end, CHUNK))

    async def work() -> None:
        connection = await asyncpg.connect(asyncpg_dsn(url))
        # Filled rows need not survive a crash; a commit for each chunk would wait for the disk.
        await connection.execute("SET synchronous_commit = off")
        for first in chunks:
            last = min(first + CHUNK, end) - 1
            await connection.execute(statement, first, last, rows)
            if first % (rows // 10) < CHUNK:
                print(f"{last + 1:,} of {rows:,} records filled", file=sys.stderr)
        await connection.close()

    await asyncio.gather(*(work() for _ in range(FILLERS)))


async def _sizes(url: str) -> tuple[float, float, float]:
    connection: Any = await asyncpg.connect(asyncpg_dsn(url))
    sizes = await connection.fetchrow(SIZES)
    today = await connection.fetchval(SHARE_TODAY)
    await connection.close()
    return float(sizes["heap"]), float(sizes["indexes"]), today
