"""Requests of every kind, and what the service says became of their records."""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import httpx

from app.database import asyncpg_dsn

NDJSON: Final = "application/x-ndjson"
_FATE: Final = re.compile(
    r"^prodsentinel_records_(\w+)_total(?:\{.*?\})? ([0-9.e+]+)$", re.MULTILINE
)


def line(number: int, **fields: Any) -> bytes:
    record = {
        "service": "s",
        "message": f"m{number}",
        "correlation_id": f"c{number % 50}",
        **fields,
    }
    return json.dumps(record).encode() + b"\n"


def lines(count: int, *, padding: int = 0, **fields: Any) -> bytes:
    filler = {"filler": "x" * padding} if padding else {}
    return b"".join(line(number, **filler, **fields) for number in range(count))


async def in_chunks(body: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    """httpx sends what it is given this way without a length."""
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(0)


async def send(
    client: httpx.AsyncClient,
    content: bytes | AsyncIterator[bytes],
    *,
    encoding: str = "",
    content_type: str = NDJSON,
    query: str = "",
) -> httpx.Response:
    headers = {"content-type": content_type}
    if encoding:
        headers["content-encoding"] = encoding
    return await client.post(f"/ingest/logs{query}", content=content, headers=headers)


def broken_gzip(body: bytes) -> bytes:
    """Readable at first."""
    return gzip.compress(body) + b"junk"


async def as_far_as_it_can() -> None:
    """Until what was started waits for the database, however slow this machine is."""
    await asyncio.sleep(0.1)
    for _ in range(500):
        await asyncio.sleep(0)


async def fates(client: httpx.AsyncClient) -> dict[str, int]:
    """The record counters, each summed over its labels."""
    found: dict[str, int] = {}
    for fate, value in _FATE.findall((await client.get("/metrics")).text):
        found[fate] = found.get(fate, 0) + int(float(value))
    return found


async def count(connection: asyncpg.Connection) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM log_records"))


@asynccontextmanager
async def locked(database_url: str) -> AsyncIterator[None]:
    """Nothing can be stored meanwhile: what is sent stays in flight."""
    holder = await asyncpg.connect(asyncpg_dsn(database_url))
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE log_records IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await holder.close()
