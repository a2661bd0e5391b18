"""Every record received is accepted, refused or shed; `/metrics` holds the sum."""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
import msgspec
import pytest
import zstandard

from app.main import create_app
from app.settings import Settings
from tests.conftest import running
from tests.flows.traffic import (
    as_far_as_it_can,
    broken_gzip,
    count,
    fates,
    in_chunks,
    line,
    lines,
    locked,
    send,
)

pytestmark = pytest.mark.anyio
BAD: Final = (b'{"message":"who?"}\n', b"7\n", b"{oops\n", b'{"service":"s"}\n', b"\n")
IDENTITIES: Final = [f"0198c0de-0000-7000-8000-{number:012}" for number in range(20)]


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    small = msgspec.structs.replace(settings, max_stream_bytes=2_400_000, max_body_bytes=65_536)
    async with running(create_app(small)) as opened:
        yield opened


def assert_adds_up(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    gained = {name: value - before.get(name, 0) for name, value in after.items()}
    assert gained["received"] == gained["accepted"] + gained.get("refused", 0) + gained["shed"]
    return gained


async def stored_of(connection: asyncpg.Connection, accepted: int) -> bool:
    """Whether as many are stored as were accepted, once a spool has given back what it took."""
    for _ in range(300):
        if await count(connection) >= accepted:
            break
        await asyncio.sleep(0.1)
    return await count(connection) == accepted


def random_line(source: random.Random) -> bytes:
    kind = source.random()
    if kind < 0.25:
        return source.choice(BAD)
    number = source.randrange(10**9)
    if kind < 0.4:
        return line(number, record_id=source.choice(IDENTITIES), correlation_id="resent")
    return line(number, level=source.choice(["debug", "info", "error"]))


def random_request(source: random.Random) -> dict[str, Any]:
    """What `send` takes: whole or broken, small or over a limit, in any encoding."""
    body = b"".join(random_line(source) for _ in range(source.choice([0, 1, 30, 300])))
    kind = source.choice(["plain", "gzip", "zstd", "chunks", "json", "broken", "cut", "large"])
    query = source.choice(["", "", "?commit=relaxed", "?shed=debug"])
    whole = {
        "plain": (body, "", ""),
        "gzip": (gzip.compress(body), "gzip", ""),
        "zstd": (zstandard.ZstdCompressor().compress(body), "zstd", ""),
        "chunks": (in_chunks(body, 1000), "", ""),
        "json": (body, "", "application/json"),
        "broken": (broken_gzip(body), "gzip", ""),
        "cut": (gzip.compress(body)[:-9], "gzip", ""),
        "large": (lines(10) * 700, "", ""),
    }
    content, encoding, content_type = whole[kind]
    described = {"content_type": content_type} if content_type else {}
    return {"content": content, "encoding": encoding, "query": query, **described}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_sent_the_sum_holds(
    client: httpx.AsyncClient, connection: asyncpg.Connection, seed: int
) -> None:
    source = random.Random(seed)  # noqa: S311 - a test that can be run again
    before = await fates(client)

    answers = []
    for _ in range(6):
        together = [send(client, **random_request(source)) for _ in range(8)]
        answers += await asyncio.gather(*together)

    gained = assert_adds_up(before, await fates(client))
    assert {answer.status_code for answer in answers} <= {202, 400, 413, 429, 503}
    assert gained["accepted"] == sum(answer.json().get("accepted", 0) for answer in answers)
    assert await stored_of(connection, gained["accepted"] - gained["resent"])


async def test_what_was_read_before_a_stream_broke_is_refused(client: httpx.AsyncClient) -> None:
    before = await fates(client)

    answer = await send(client, broken_gzip(lines(100)), encoding="gzip")

    gained = assert_adds_up(before, await fates(client))
    assert answer.status_code == 400
    assert (gained["accepted"], gained["refused"]) == (0, gained["received"])


async def test_what_was_read_before_a_limit_was_met_is_accounted_for(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    before = await fates(client)

    answer = await send(client, in_chunks(lines(8000, padding=300)))

    gained = assert_adds_up(before, await fates(client))
    assert answer.status_code == 413
    assert gained["received"] > 2000
    assert gained["accepted"] == answer.json()["accepted"] == await count(connection)
    assert gained["refused"] == gained["received"] - gained["accepted"]


async def test_without_a_database_and_a_spool_all_is_refused(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"postgresql://nobody@/none?host={tmp_path}",
        data_dir=str(tmp_path),
        spool_max_bytes=0,
        connect_timeout_seconds=1,
    )
    async with running(create_app(settings)) as client:
        before = await fates(client)

        answers = await asyncio.gather(*(send(client, lines(10)) for _ in range(5)))

        gained = assert_adds_up(before, await fates(client))
    assert [answer.status_code for answer in answers] == [503] * 5
    assert gained["refused"] == gained["received"] == 50


async def test_spooled_records_are_accepted_ones(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"postgresql://nobody@/none?host={tmp_path}",
        data_dir=str(tmp_path),
        connect_timeout_seconds=1,
    )
    async with running(create_app(settings)) as client:
        before = await fates(client)

        answer = await send(client, lines(10) + BAD[0])

        gained = assert_adds_up(before, await fates(client))
    assert answer.status_code == 202
    assert gained["accepted"] == gained["spooled"] == answer.json()["accepted"] == 10


async def test_shed_records_are_counted_as_such(
    settings: Settings, connection: asyncpg.Connection
) -> None:
    small = msgspec.structs.replace(settings, max_bytes_in_flight=1_048_576, spool_after_seconds=30)
    mixed = b"".join(line(n, level=level) for n in range(50) for level in ("debug", "error"))
    async with running(create_app(small)) as client:
        before = await fates(client)
        async with locked(settings.database_url):
            filler = json.dumps({"service": "other", "message": "x" * 700_000}).encode()
            waiting = [asyncio.create_task(send(client, filler, content_type="application/json"))]
            await as_far_as_it_can()
            waiting.append(asyncio.create_task(send(client, mixed, query="?shed=debug")))
            await as_far_as_it_can()
        answers = await asyncio.gather(*waiting)

        gained = assert_adds_up(before, await fates(client))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[1].json() == {"accepted": 50, "rejected": [], "shed": 50}
    assert (gained["shed"], gained["accepted"]) == (50, await count(connection))
