"""The live tail over real sockets: two replicas, listeners that leave, and one that stalls."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.faults.rig import Api, until
from tests.query.live_client import events_of, take

pytestmark = pytest.mark.anyio


@pytest.fixture
async def replicas(database_url: str, tmp_path: Path) -> AsyncIterator[tuple[Api, Api]]:
    async with (
        Api(database_url, tmp_path / "one") as one,
        Api(database_url, tmp_path / "two") as two,
    ):
        yield one, two


async def send(api: Api, *messages: str, **fields: str) -> None:
    records = [{"service": "payment", "message": message, **fields} for message in messages]
    async with httpx.AsyncClient(timeout=20) as client:
        answer = await client.post(f"{api.url}/ingest/logs", json=records)
    assert answer.json()["accepted"] == len(messages)


async def metric(api: Api, name: str) -> float:
    async with httpx.AsyncClient(timeout=20) as client:
        text = (await client.get(f"{api.url}/metrics")).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


async def until_listeners(api: Api, count: int) -> None:
    async def there_are() -> bool:
        return await metric(api, "prodsentinel_live_listeners") == count

    await until(there_are)


async def test_what_one_replica_stored_reaches_the_listener_of_another(
    replicas: tuple[Api, Api],
) -> None:
    one, two = replicas
    async with httpx.AsyncClient(timeout=20) as client:
        url = f"{two.url}/api/logs/live"
        async with client.stream("GET", url, params={"q": "service:payment"}) as response:
            await send(one, "first", "second")
            found = await take(response, 2)
            kind = response.headers["content-type"]

    assert kind.startswith("text/event-stream")
    assert sorted(event.data["message"] for event in found) == ["first", "second"]


async def test_a_listener_that_comes_back_to_another_replica_misses_nothing(
    replicas: tuple[Api, Api],
) -> None:
    one, two = replicas
    async with httpx.AsyncClient(timeout=20) as client:
        async with client.stream("GET", f"{one.url}/api/logs/live") as response:
            await send(one, *(f"a{n}" for n in range(4)))
            first = await take(response, 2)
        await send(two, "between")
        headers = {"Last-Event-ID": first[-1].last_id}
        async with client.stream("GET", f"{two.url}/api/logs/live", headers=headers) as response:
            await send(one, "after")
            rest = await take(response, 4)

    heard = [event.data["message"] for event in (*first, *rest)]
    assert sorted(heard) == ["a0", "a1", "a2", "a3", "after", "between"]


async def test_listeners_that_leave_in_any_way_leave_nothing_behind(
    replicas: tuple[Api, Api],
) -> None:
    api, _ = replicas
    for _ in range(10):
        await _leave_at_once(api)
    url = f"{api.url}/api/logs/live"
    async with httpx.AsyncClient(timeout=20) as client, client.stream("GET", url) as response:
        await until_listeners(api, 1)
        await send(api, "one")
        await take(response, 1)

    await until_listeners(api, 0)
    assert await metric(api, "prodsentinel_live_listeners") == 0


async def _leave_at_once(api: Api) -> None:
    """A request, and its connection cut without a word."""
    address = urlsplit(api.url)
    _, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(b"GET /api/logs/live HTTP/1.1\r\nHost: test\r\n\r\n")
    await writer.drain()
    writer.transport.abort()


async def test_a_listener_that_stalls_is_told_what_it_missed_and_hinders_no_other(
    replicas: tuple[Api, Api],
) -> None:
    api, _ = replicas
    address = urlsplit(api.url)
    # A small window: what the kernel holds for a reader that does not read is soon full.
    stalled = socket.socket()
    stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    stalled.connect((address.hostname, address.port))
    stalled.sendall(b"GET /api/logs/live HTTP/1.1\r\nHost: test\r\n\r\n")
    try:
        await until_listeners(api, 1)
        url = f"{api.url}/api/logs/live"
        async with (
            httpx.AsyncClient(timeout=20) as client,
            client.stream("GET", url) as response,
        ):
            events = events_of(response)
            # More than the kernel and the queue hold together.
            for round_ in range(26):
                await send(api, *(f"{round_}-{n} {'x' * 60_000}" for n in range(25)))
                for _ in range(25):
                    await anext(events)
        stalled.settimeout(20)
        said = await asyncio.to_thread(_read_until, stalled, b"event: skipped")
    finally:
        stalled.close()

    assert b"event: skipped" in said
    await until_listeners(api, 0)


def _read_until(connection: socket.socket, wanted: bytes) -> bytes:
    tail = b""
    while wanted not in tail:
        tail = tail[-1000:] + connection.recv(1 << 20)
        # It has caught up without a word.
        assert b": heartbeat" not in tail
    return tail


@pytest.mark.parametrize(
    ("query", "status"), [("q=a+OR", 400), ("after=x", 400), ("q=%00", 400), ("q=servce:a", 400)]
)
async def test_what_cannot_be_listened_to_is_refused(
    client: httpx.AsyncClient, query: str, status: int
) -> None:
    answer = await client.get(f"/api/logs/live?{query}")

    assert answer.status_code == status
    assert answer.json()["detail"]
