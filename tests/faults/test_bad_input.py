"""Bodies that mean harm, over real HTTP: a clear answer in bounded time and memory."""

import asyncio
import json
import threading
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

import httpx
import msgspec
import psutil
import pytest
import zstandard

from tests.faults.ledger import Ledger
from tests.faults.raw_http import Answer, ask, head
from tests.faults.rig import Api

pytestmark = pytest.mark.anyio

MB: Final = 2**20
BOMB_BYTES: Final = 10 * 2**30
RECORD: Final = b'{"service":"s","message":"m"}'
JSON: Final = "Content-Type: application/json"
NDJSON: Final = "Content-Type: application/x-ndjson"
GZIP: Final = "Content-Encoding: gzip"
ZSTD: Final = "Content-Encoding: zstd"


def post(body: bytes, *headers: str) -> bytes:
    return head(f"Content-Length: {len(body)}", *headers) + body


def gzip_bomb() -> bytes:
    """10 GiB of zeros in 10 MB: one flushed block of a mebibyte, again and again (RFC 1951)."""
    stream = zlib.compressobj(9, zlib.DEFLATED, 31)
    first, again = (stream.compress(bytes(MB)) + stream.flush(zlib.Z_FULL_FLUSH) for _ in "12")
    return first + again * (BOMB_BYTES // MB - 1)


def zstd_bomb() -> bytes:
    """10 GiB of zeros in 320 KB: blocks of one repeated byte (RFC 8878, section 3.1.1.2)."""
    block = 128 * 1024
    frame = b"\x28\xb5\x2f\xfd" + b"\xc0\x38" + BOMB_BYTES.to_bytes(8, "little")
    repeated = (block << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (block << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return frame + repeated * (BOMB_BYTES // block - 1) + last


def zstd_frames_bomb() -> bytes:
    """The same in many frames, each of them harmless."""
    size = 32 * MB
    return zstandard.ZstdCompressor().compress(bytes(size)) * (BOMB_BYTES // size)


def nested(depth: int, opening: bytes, closing: bytes, *, inside: bytes = b"") -> bytes:
    deep = opening * depth + b"1" + closing * depth
    return inside.replace(b"?", deep) if inside else deep


IN_ATTRIBUTES: Final = b'{"service":"s","message":"m","attributes":{"a":?}}'
IN_A_FIELD: Final = b'{"service":"s","message":"m","a":?}'


def million_keys(*, in_attributes: bool) -> bytes:
    keys = {f"k{number}": number for number in range(1_000_000)}
    fields = {"attributes": keys} if in_attributes else keys
    return json.dumps({"service": "s", "message": "m", **fields}).encode()


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A request and what it may be answered; `says` stands in the detail."""

    request: Callable[[], bytes]
    statuses: tuple[int, ...]
    says: str = ""
    most_bytes: int = 48 * MB
    most_seconds: float = 8.0


BOMBS: Final = {
    "gzip": lambda: post(gzip_bomb(), JSON, GZIP),
    "gzip as lines": lambda: post(gzip_bomb(), NDJSON, GZIP),
    "zstd": lambda: post(zstd_bomb(), JSON, ZSTD),
    "zstd as lines": lambda: post(zstd_bomb(), NDJSON, ZSTD),
    "zstd frames": lambda: post(zstd_frames_bomb(), JSON, ZSTD),
}

SHAPES: Final = {
    "a million keys": Case(
        request=lambda: post(million_keys(in_attributes=False), JSON),
        statuses=(202, 400, 413),
        most_bytes=512 * MB,
        most_seconds=30,
    ),
    "a million attributes": Case(
        request=lambda: post(million_keys(in_attributes=True), NDJSON),
        statuses=(202, 400, 413),
        most_bytes=512 * MB,
        most_seconds=30,
    ),
    "arrays 10,000 deep": Case(
        request=lambda: post(nested(10_000, b"[", b"]"), JSON),
        statuses=(400,),
        says="nested too deep",
    ),
    "attributes 10,000 deep": Case(
        request=lambda: post(nested(10_000, b"[", b"]", inside=IN_ATTRIBUTES), JSON),
        statuses=(400,),
        says="nested too deep",
    ),
    "objects 10,000 deep": Case(
        request=lambda: post(nested(10_000, b'{"a":', b"}", inside=IN_A_FIELD), JSON),
        statuses=(400,),
        says="nested too deep",
    ),
    "100,000 lines of one digit": Case(
        request=lambda: post(b"1\n" * 100_000, NDJSON), statuses=(202, 400, 413)
    ),
    "100,000 lines of one letter": Case(
        request=lambda: post(b"x\n" * 100_000, NDJSON), statuses=(202, 400, 413)
    ),
    "100,000 empty lines": Case(
        request=lambda: post(b"\n" * 100_000, NDJSON), statuses=(400,), says="no line"
    ),
    "a line that never ends": Case(
        request=lambda: post(b'{"a":"' + b"x" * (40 * MB), NDJSON),
        statuses=(400, 413),
        most_bytes=160 * MB,
    ),
}

ENCODINGS: Final = {
    "an encoding nobody reads": Case(
        request=lambda: post(RECORD, JSON, "Content-Encoding: br"),
        statuses=(415,),
        says="send identity, gzip or zstd",
    ),
    "two encodings": Case(
        request=lambda: post(RECORD, JSON, "Content-Encoding: gzip, gzip"),
        statuses=(415,),
        says="send identity, gzip or zstd",
    ),
    "plain called gzip": Case(
        request=lambda: post(RECORD, JSON, GZIP), statuses=(400,), says="not readable as gzip"
    ),
    "plain called zstd": Case(
        request=lambda: post(RECORD, JSON, ZSTD), statuses=(400,), says="not readable as zstd"
    ),
    "gzip called plain": Case(
        request=lambda: post(zlib.compress(RECORD, wbits=31), JSON), statuses=(400,), says="JSON"
    ),
    "half a gzip": Case(
        request=lambda: post(zlib.compress(RECORD, wbits=31)[:-12], JSON, GZIP),
        statuses=(400,),
        says="not readable as gzip",
    ),
    "half a zstd": Case(
        request=lambda: post(zstandard.ZstdCompressor().compress(RECORD)[:-4], JSON, ZSTD),
        statuses=(400,),
        says="not readable as zstd",
    ),
    "no body": Case(request=lambda: post(b"", JSON), statuses=(400,), says="empty"),
    "no length and no body": Case(request=lambda: head(JSON), statuses=(400,), says="empty"),
}

FRAMES: Final = {
    "a length that is too short": head("Content-Length: 10", JSON) + RECORD,
    "a negative length": head("Content-Length: -1", JSON) + RECORD,
    "a length in words": head("Content-Length: ten", JSON) + RECORD,
    "a length of forty digits": head("Content-Length: " + "9" * 40, JSON) + RECORD,
    "two lengths": head("Content-Length: 29", "Content-Length: 5", JSON) + RECORD,
    "a length and chunks": head("Content-Length: 29", "Transfer-Encoding: chunked", JSON) + RECORD,
    "chunks that are garbage": head("Transfer-Encoding: chunked", JSON) + b"zz\r\nno chunk\r\n",
    "a chunk that is longer than it says": head("Transfer-Encoding: chunked", JSON)
    + b"5\r\n"
    + RECORD
    + b"\r\n0\r\n\r\n",
    "a chunk of 2^72 bytes": head("Transfer-Encoding: chunked", JSON) + b"f" * 18 + b"\r\n{",
    "no HTTP at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
}


class Memory(threading.Thread):
    """Looks at a process's resident memory every few milliseconds."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._done = threading.Event()
        self.start_bytes = self.peak_bytes = process.memory_info().rss

    def run(self) -> None:
        while not self._done.wait(0.004):
            self.peak_bytes = max(self.peak_bytes, self._process.memory_info().rss)

    def stop(self) -> None:
        self._done.set()
        self.join(5)

    @property
    def grown_bytes(self) -> int:
        return self.peak_bytes - self.start_bytes


@contextmanager
def watched(process: psutil.Process) -> Iterator[Memory]:
    memory = Memory(process)
    memory.start()
    try:
        yield memory
    finally:
        memory.stop()


@pytest.fixture(autouse=True)
async def others_are_served(shared_api: Api) -> AsyncIterator[None]:
    """The same process lives on after each of these, and answers others."""
    before = shared_api.process
    yield
    ledger = Ledger()
    async with httpx.AsyncClient(base_url=shared_api.url, timeout=5) as client:
        answer = await ledger.send(client, ledger.make(2))
    assert answer is not None
    assert answer.status_code == 202
    assert shared_api.process == before


async def ask_watched(api: Api, request: bytes) -> tuple[Answer, Memory, float]:
    with watched(api.process) as memory:
        started = time.perf_counter()
        answer = await asyncio.to_thread(ask, api.url, request, seconds=30)
        return answer, memory, time.perf_counter() - started


def assert_problem(answer: Answer, *, says: str = "") -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.detail
    assert says in answer.detail


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_stops_at_the_cap(shared_api: Api, name: str) -> None:
    request, peaks = BOMBS[name](), []

    for _ in range(4):
        answer, memory, seconds = await ask_watched(shared_api, request)
        peaks.append(memory.peak_bytes)

        assert answer.status == 413
        assert_problem(answer, says="send smaller batches")
        assert seconds < 8
        assert memory.grown_bytes < 192 * MB
    # The allocator keeps what the first one needed; the next ones live on that.
    assert peaks[-1] - peaks[0] < 64 * MB


@pytest.mark.parametrize("name", [*SHAPES, *ENCODINGS])
async def test_a_body_of_bad_shape_gets_a_clear_answer(shared_api: Api, name: str) -> None:
    case = {**SHAPES, **ENCODINGS}[name]

    answer, memory, seconds = await ask_watched(shared_api, case.request())

    assert answer.status in case.statuses
    if answer.status != 202:
        assert_problem(answer, says=case.says)
    assert seconds < case.most_seconds
    assert memory.grown_bytes < case.most_bytes


@pytest.mark.parametrize("name", FRAMES)
async def test_what_is_no_http_is_refused_by_the_server(shared_api: Api, name: str) -> None:
    answer, memory, seconds = await ask_watched(shared_api, FRAMES[name])

    assert answer.status == 400
    assert answer.body
    assert seconds < 2
    assert memory.grown_bytes < 16 * MB


async def test_a_deep_line_costs_no_neighbour(shared_api: Api) -> None:
    deep = nested(10_000, b"[", b"]", inside=IN_A_FIELD)

    answer, _, seconds = await ask_watched(shared_api, post(RECORD + b"\n" + deep, NDJSON))

    assert answer.status == 202
    assert [item["index"] for item in json.loads(answer.body)["rejected"]] == [1]
    assert seconds < 2


async def test_a_bomb_beside_others_does_not_hold_them_up(shared_api: Api) -> None:
    ledger, slowest = Ledger(), 0.0
    bomb = asyncio.create_task(ask_watched(shared_api, BOMBS["gzip"]()))

    async with httpx.AsyncClient(base_url=shared_api.url, timeout=10) as client:
        while not bomb.done():
            started = time.perf_counter()
            await ledger.send(client, ledger.make(1))
            slowest = max(slowest, time.perf_counter() - started)
            await asyncio.sleep(0.02)

    assert (await bomb)[0].status == 413
    assert ledger.answers.keys() == {202}
    assert slowest < 3
