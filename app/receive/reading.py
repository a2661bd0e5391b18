"""A request as it arrives -> its whole body, or blocks of lines; time and size are bounded."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import msgspec

from app.errors import AppError
from app.receive.encoding import BodyTooLarge, check_size, decoded

SLOWEST: Final = 10_000
"""Bytes a second: a body that trickles holds room that others need."""
PATIENCE: Final = 3
"""How many times the longest pause a body may take beyond that."""
BLOCK_BYTES: Final = 64 * 1024
"""Lines are decoded so many bytes at a time: a millisecond's work, then others get their turn."""


class BodyTimedOut(AppError):
    """The rest of the body did not come in time."""


class SenderLeft(AppError):
    """The connection was closed before the body was complete."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one request may bring."""

    json_bytes: int
    """Of a JSON body, and of one line of NDJSON: they are decoded whole."""
    stream_bytes: int
    """Of an NDJSON body."""
    json_records: int
    """In a JSON array."""


Receive = Callable[[], Awaitable[Any]]


class IdleWatch:
    """Ends reads that wait too long: one look a second at all, and no timer for each."""

    def __init__(self, *, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[Any], float] = {}
        self._ended: set[asyncio.Task[Any]] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(min(1.0, self._seconds / 2))
            now = time.monotonic()
            for task, due in self._due.items():
                if due < now:
                    self._ended.add(task)
                    task.cancel()

    async def next_chunk(self, receive: Receive, *, latest: float = math.inf) -> tuple[bytes, bool]:
        """What the server hands over (ASGI 3, `http.request`), and whether more will follow.

        Raises `BodyTimedOut`, also after `latest` on the monotonic clock; `SenderLeft`.
        """
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this runs in a request
        self._due[task] = min(time.monotonic() + self._seconds, latest)
        try:
            message = await receive()
        except asyncio.CancelledError as error:
            if task not in self._ended or task.uncancel():
                raise
            raise BodyTimedOut(
                f"nothing more of the body came for {self._seconds:g} s, or it came at less than "
                f"{SLOWEST:,} bytes a second; send it at once"
            ) from error
        finally:
            del self._due[task]
            self._ended.discard(task)
        if message["type"] == "http.disconnect":
            raise SenderLeft
        return message.get("body", b""), message.get("more_body", False)

    async def chunks(self, receive: Receive) -> AsyncIterator[bytes]:
        """The whole body, chunk by chunk. Raises `BodyTimedOut`, `SenderLeft`."""
        latest = time.monotonic() + self._seconds * PATIENCE
        more = True
        while more:
            chunk, more = await self.next_chunk(receive, latest=latest)
            latest += len(chunk) / SLOWEST
            if chunk:
                yield chunk


async def whole_body(
    watch: IdleWatch, receive: Receive, encoding: str, *, limit: int, hold: Callable[[int], None]
) -> bytes:
    """The body without its encoding; `hold` is told how much is gathered.

    Raises `BodyTooLarge`, `UnsupportedBody`, `UnreadableBody`, `BodyTimedOut`, `SenderLeft`.
    """
    if encoding:
        return await _joined(decoded(watch.chunks(receive), encoding, limit=limit), limit, hold)
    chunk, more = await watch.next_chunk(receive)
    check_size(len(chunk), limit)
    if not more:  # as of nearly every request; a generator would cost more than the chunk
        return chunk
    return await _joined(watch.chunks(receive), limit, hold, begin=chunk)


async def _joined(
    pieces: AsyncIterator[bytes], limit: int, hold: Callable[[int], None], *, begin: bytes = b""
) -> bytes:
    found = [begin]
    size = len(begin)
    async for piece in pieces:
        found.append(piece)
        size += len(piece)
        check_size(size, limit)
        hold(size)
    return b"".join(found)


async def line_blocks(
    pieces: AsyncIterator[bytes], *, longest: int, hold: Callable[[int], None]
) -> AsyncIterator[bytes]:
    """Whole lines, `BLOCK_BYTES` or one line at a time; `hold` is told how much is kept back.

    Raises `BodyTooLarge` for a line that is longer than `longest`.
    """
    held = bytearray()
    async for piece in pieces:
        searched = len(held)
        held += piece
        while len(held) >= BLOCK_BYTES:
            end = held.rfind(b"\n", 0, BLOCK_BYTES) + 1 or held.find(b"\n", searched) + 1
            if not end or end > longest:
                break
            yield bytes(memoryview(held)[:end])
            del held[:end]
            searched = 0
        if len(held) > longest:
            raise BodyTooLarge(f"a line is longer than {longest:,} bytes; send smaller records")
        hold(len(held))
    if held:
        yield bytes(held)
