"""Senders whose connection ends in the middle of a body, and senders that take their time."""

import asyncio
import json
import socket
import time
from typing import Any, Final
from uuid import UUID

import httpx
import pytest

from tests.faults.ledger import Ledger, Raw, hold_the_law, read_books
from tests.faults.raw_http import connected, head, read_answer
from tests.faults.rig import Api

pytestmark = pytest.mark.anyio

JSON: Final = "Content-Type: application/json"
NDJSON: Final = "Content-Type: application/x-ndjson"


def lines_of(records: list[Raw]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def half(body: bytes) -> bytes:
    """Ends inside a line."""
    return body[: len(body) // 2 + 7]


def announced(records: list[Raw]) -> bytes:
    body = json.dumps(records).encode()
    return head(f"Content-Length: {len(body)}", JSON) + half(body)


def chunked(records: list[Raw]) -> bytes:
    body = lines_of(records)
    return head("Transfer-Encoding: chunked", NDJSON) + f"{len(body):x}\r\n".encode() + half(body)


def half_a_line(records: list[Raw]) -> bytes:
    body = lines_of(records)
    return head(f"Content-Length: {len(body)}", NDJSON) + half(body)


def cut_off(url: str, request: bytes, *, reset: bool) -> None:
    """Send and leave: with FIN, or with RST as a crashed sender does."""
    with connected(url) as opened:
        opened.sendall(request)
        time.sleep(0.1)
        if reset:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


async def quick_answers(ledger: Ledger, url: str, *, times: int) -> float:
    """Single records one after another; the slowest answer in seconds."""
    slowest = 0.0
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        for _ in range(times):
            started = time.perf_counter()
            answer = await ledger.send(client, ledger.make(1))
            slowest = max(slowest, time.perf_counter() - started)
            assert answer is not None
            assert answer.status_code == 202
            await asyncio.sleep(0.05)
    return slowest


@pytest.mark.parametrize("reset", [False, True], ids=["fin", "rst"])
@pytest.mark.parametrize("cut", [announced, chunked, half_a_line])
async def test_a_body_cut_in_the_middle_stores_nothing_and_hinders_nobody(
    api: Api, shared_url: str, cut: Any, *, reset: bool
) -> None:
    ledger, never_acknowledged = Ledger(), Ledger()
    request = cut(never_acknowledged.make(40))
    before = (await read_books(shared_url)).stored

    cuts = [asyncio.to_thread(cut_off, api.url, request, reset=reset) for _ in range(5)]
    await asyncio.gather(quick_answers(ledger, api.url, times=8), *cuts)
    after = (await read_books(shared_url)).stored

    assert not never_acknowledged.records.keys() & after.keys()
    assert ledger.records.keys() == after.keys() - before.keys()
    assert set(after.values()) == {1}


def trickle(url: str, request: bytes, *, seconds: float) -> Any:
    """Byte by byte, the whole over so many seconds."""
    with connected(url, seconds=seconds + 15) as opened:
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(len(request)):
            opened.sendall(request[number : number + 1])
            time.sleep(seconds / len(request))
        return read_answer(opened)


async def test_a_slow_sender_is_heard_and_holds_up_nobody(api: Api, shared_url: str) -> None:
    ledger, slow = Ledger(), Ledger()
    body = json.dumps(slow.make(1)[0]).encode()
    request = head(f"Content-Length: {len(body)}", JSON) + body

    slowly = [asyncio.to_thread(trickle, api.url, request, seconds=3) for _ in range(4)]
    answers, slowest = await asyncio.gather(
        asyncio.gather(*slowly), quick_answers(ledger, api.url, times=20)
    )

    assert [answer.status for answer in answers] == [202] * 4
    assert slowest < 2
    stored = (await read_books(shared_url)).stored
    assert {name: stored[name] for name in slow.records} == {
        UUID(record["record_id"]): 1 for record in slow.records.values()
    }
    slow.records |= ledger.records
    slow.fates |= ledger.fates
    await hold_the_law(slow, api.url, shared_url)
