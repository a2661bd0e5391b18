"""A few megabytes that become ten gibibytes: they stop at the cap, over real HTTP."""

import asyncio
import time
import zlib
from typing import Final

import httpx
import pytest
import zstandard

from tests.faults.ledger import Ledger
from tests.faults.rig import Api
from tests.faults.watched import GZIP, JSON, MB, NDJSON, ZSTD, ask_watched, assert_problem, post

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("others_are_served")]

BOMB_BYTES: Final = 10 * 2**30


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


BOMBS: Final = {
    "gzip": lambda: post(gzip_bomb(), JSON, GZIP),
    "gzip as lines": lambda: post(gzip_bomb(), NDJSON, GZIP),
    "zstd": lambda: post(zstd_bomb(), JSON, ZSTD),
    "zstd as lines": lambda: post(zstd_bomb(), NDJSON, ZSTD),
    "zstd frames": lambda: post(zstd_frames_bomb(), JSON, ZSTD),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_bomb_stops_at_the_cap(shared_api: Api, name: str) -> None:
    request, peaks = BOMBS[name](), []

    for _ in range(3):
        answer, memory, seconds = await ask_watched(shared_api, request)
        peaks.append(memory.peak_bytes)

        assert answer.status == 413
        assert_problem(answer, says="send smaller")
        assert seconds < 8
        assert memory.grown_bytes < 64 * MB
    # The allocator keeps what the first one needed; the next ones live on that.
    assert peaks[-1] - peaks[0] < 24 * MB


async def test_a_bomb_beside_others_does_not_hold_them_up(shared_api: Api) -> None:
    ledger, slowest = Ledger(), 0.0
    bomb = asyncio.create_task(ask_watched(shared_api, BOMBS["gzip"]()))

    async with httpx.AsyncClient(base_url=shared_api.url, timeout=10) as client:
        while not bomb.done():
            started = time.perf_counter()
            await ledger.send(client, ledger.make(1))
            slowest = max(slowest, time.perf_counter() - started)
            await asyncio.sleep(0.02)

    # 503 where the others' bytes in flight leave it no room to grow to the cap.
    assert (await bomb)[0].status in (413, 503)
    assert ledger.answers.keys() == {202}
    assert slowest < 3
