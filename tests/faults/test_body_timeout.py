"""A body announced and never sent, and one announced larger than any may be."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

import httpx
import pytest

from app.settings import environment_names
from tests.faults.ledger import Ledger, read_books
from tests.faults.raw_http import Answer, connected, head, read_answer
from tests.faults.rig import Api

pytestmark = pytest.mark.anyio

TIMEOUT: Final = "PRODSENTINEL_BODY_TIMEOUT_SECONDS"
SECONDS: Final = 2
JSON: Final = "Content-Type: application/json"
NDJSON: Final = "Content-Type: application/x-ndjson"
RECORD: Final = b'{"service":"s","message":"m"}'


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


def send_the_rest_late(url: str, request: bytes, late: bytes) -> tuple[Answer, bytes]:
    with connected(url, seconds=SECONDS + 15) as opened:
        opened.sendall(request)
        answer = read_answer(opened)
        with contextlib.suppress(ConnectionError):
            opened.sendall(late)
            return answer, opened.recv(64)
        return answer, b""


UNFINISHED: Final = {
    "nothing of it": head("Content-Length: 500", JSON),
    "half of it": head("Content-Length: 500", JSON) + b'{"service":"s",',
    "too long a length": head("Content-Length: 500", JSON) + b'{"service":"s","message":"m"}',
    "a chunk that stops": head("Transfer-Encoding: chunked", JSON) + b'ff\r\n{"service"',
    "chunks without an end": head("Transfer-Encoding: chunked", JSON) + b"2\r\n{}\r\n",
    "half a line": head("Content-Length: 500", NDJSON) + b'{"ser',
}


async def test_a_body_that_does_not_come_gets_408(impatient: Api) -> None:
    ledger = Ledger()

    waiting = [
        asyncio.to_thread(start_and_wait, impatient.url, request) for request in UNFINISHED.values()
    ]
    async with httpx.AsyncClient(base_url=impatient.url, timeout=5) as client:
        timed, other = await asyncio.gather(
            asyncio.gather(*waiting), ledger.send(client, ledger.make(1))
        )

    assert other is not None
    assert other.status_code == 202
    for name, (answer, seconds) in zip(UNFINISHED, timed, strict=True):
        assert answer.status == 408, name
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["connection"] == "close", name
        assert "the body" in answer.detail
        assert SECONDS - 0.5 <= seconds < SECONDS + 5, name


async def test_after_a_408_the_connection_is_closed_and_what_comes_late_is_no_request(
    impatient: Api, shared_url: str
) -> None:
    late = b'{"service":"s","message":"late"}'
    length = len(RECORD) + len(late)
    request = head(f"Content-Length: {length}", JSON) + RECORD
    before = (await read_books(shared_url)).stored

    answer, rest = await asyncio.to_thread(send_the_rest_late, impatient.url, request, late)

    assert answer.status == 408
    assert rest == b""
    assert (await read_books(shared_url)).stored == before


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
    # Those that announced more than may be in flight were told so at once.
    statuses = {words.split()[1] for words in last_words}
    assert b"408" in statuses
    assert statuses <= {b"408", b"503"}


@pytest.mark.parametrize("content_type", [JSON, NDJSON])
async def test_a_length_above_the_cap_is_refused_before_the_body(
    impatient: Api, content_type: str
) -> None:
    request = head("Content-Length: 99999999999", content_type)

    answer, seconds = await asyncio.to_thread(start_and_wait, impatient.url, request)

    assert answer.status == 413
    assert "send smaller batches" in answer.detail
    assert seconds < 1
