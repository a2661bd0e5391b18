"""A body announced and never sent, and one announced larger than any may be."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest

from app.settings import environment_names
from tests.faults.ledger import Ledger
from tests.faults.raw_http import Answer, connected, head, read_answer
from tests.faults.rig import Api

pytestmark = pytest.mark.anyio

TIMEOUT: Final = "PRODSENTINEL_BODY_TIMEOUT_SECONDS"
SECONDS: Final = 2
JSON: Final = "Content-Type: application/json"


@pytest.fixture(scope="module")
async def impatient(
    shared_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Api]:
    assert TIMEOUT in environment_names().values()
    home = tmp_path_factory.mktemp("impatient")
    async with Api(shared_url, home, **{TIMEOUT: str(SECONDS)}) as started:
        yield started


def start_and_wait(url: str, request: bytes) -> tuple[Answer, float]:
    """Send this much, then nothing; the answer, and how long it took."""
    started = time.perf_counter()
    with connected(url, seconds=SECONDS + 15) as opened:
        opened.sendall(request)
        return read_answer(opened), time.perf_counter() - started


UNFINISHED: Final = {
    "nothing of it": head("Content-Length: 500", JSON),
    "half of it": head("Content-Length: 500", JSON) + b'{"service":"s",',
    "too long a length": head("Content-Length: 500", JSON) + b'{"service":"s","message":"m"}',
    "a chunk that stops": head("Transfer-Encoding: chunked", JSON) + b'ff\r\n{"service"',
    "chunks without an end": head("Transfer-Encoding: chunked", JSON) + b"2\r\n{}\r\n",
    "half a line": head("Content-Length: 500", "Content-Type: application/x-ndjson") + b'{"ser',
}


@pytest.mark.parametrize("name", UNFINISHED)
async def test_a_body_that_does_not_come_gets_408(impatient: Api, name: str) -> None:
    ledger = Ledger()

    waiting = asyncio.to_thread(start_and_wait, impatient.url, UNFINISHED[name])
    async with httpx.AsyncClient(base_url=impatient.url, timeout=5) as client:
        (answer, seconds), other = await asyncio.gather(
            waiting, ledger.send(client, ledger.make(1))
        )

    assert other is not None
    assert other.status_code == 202
    assert answer.status == 408
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.detail
    assert SECONDS - 0.5 <= seconds < SECONDS + 5


async def test_hundreds_that_never_send_their_body_keep_nobody_out(impatient: Api) -> None:
    ledger = Ledger()
    silent = [
        asyncio.open_connection("127.0.0.1", int(impatient.url.rpartition(":")[2]))
        for _ in range(300)
    ]
    opened = await asyncio.gather(*silent)
    for _, writer in opened:
        writer.write(head("Content-Length: 1000000", JSON))

    async with httpx.AsyncClient(base_url=impatient.url, timeout=5) as client:
        answer = await ledger.send(client, ledger.make(5))
    last_words = await asyncio.wait_for(
        asyncio.gather(*(reader.read(64) for reader, _ in opened)), SECONDS + 10
    )
    for _, writer in opened:
        writer.close()

    assert answer is not None
    assert answer.status_code == 202
    assert all(words.startswith(b"HTTP/1.1 408") for words in last_words)


async def test_a_length_above_the_cap_is_refused_before_the_body(impatient: Api) -> None:
    request = head("Content-Length: 99999999999", JSON)

    answer, seconds = await asyncio.to_thread(start_and_wait, impatient.url, request)

    assert answer.status == 413
    assert "send smaller batches" in answer.detail
    assert seconds < 1
