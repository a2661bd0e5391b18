"""A request as it arrives -> batches of raw records; what is held of it stays small."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, NamedTuple

import msgspec

from app.errors import AppError
from app.receive.body import NOT_JSON, holds_lines, records_of_json, records_of_lines
from app.receive.encoding import BodyTooLarge, UnreadableBody, decoded

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
    idle_seconds: float
    """Between two pieces of a body."""


Receive = Callable[[], Any]


async def body_chunks(receive: Receive, *, idle_seconds: float) -> AsyncIterator[bytes]:
    """The body as the server hands it over (ASGI 3, `http.request`).

    Raises `BodyTimedOut`, `SenderLeft`.
    """
    more = True
    while more:
        try:
            async with asyncio.timeout(idle_seconds):
                message = await receive()
        except TimeoutError as error:
            raise BodyTimedOut(
                f"nothing more of the body came for {idle_seconds:g} s; send it at once"
            ) from error
        if message["type"] == "http.disconnect":
            raise SenderLeft
        more = message.get("more_body", False)
        if chunk := message.get("body"):
            yield chunk


class RawBatch(NamedTuple):
    """Records as the sender wrote them, and the bytes they were decoded from."""

    records: list[Any]
    size: int


async def raw_batches(
    chunks: AsyncIterator[bytes],
    *,
    content_type: str,
    encoding: str,
    limits: Limits,
    hold: Callable[[int], None],
) -> AsyncIterator[RawBatch]:
    """JSON at once, NDJSON block by block; `hold` is told the size of what is gathered.

    Raises `UnreadableBody`, `UnsupportedBody`, `BodyTooLarge`, also in the middle.
    """
    if not holds_lines(content_type):
        body = await _whole(decoded(chunks, encoding, limit=limits.json_bytes), hold)
        yield RawBatch(records_of_json(body, most=limits.json_records), len(body))
        return
    pieces = decoded(chunks, encoding, limit=limits.stream_bytes)
    first = True
    async for block in line_blocks(pieces, longest=limits.json_bytes):
        hold(len(block))
        records = records_of_lines(block)
        if first and records and all(record is NOT_JSON for record in records):
            raise UnreadableBody("the body is not NDJSON: no line is a JSON value")
        first = first and not records
        yield RawBatch(records, len(block))
    if first:
        raise UnreadableBody("the body holds no line")


async def _whole(pieces: AsyncIterator[bytes], hold: Callable[[int], None]) -> bytes:
    found: list[bytes] = []
    size = 0
    async for piece in pieces:
        found.append(piece)
        size += len(piece)
        hold(size)
    return found[0] if len(found) == 1 else b"".join(found)


async def line_blocks(pieces: AsyncIterator[bytes], *, longest: int) -> AsyncIterator[bytes]:
    """Whole lines, `BLOCK_BYTES` or one line at a time. Raises `BodyTooLarge` for a longer line."""
    held = bytearray()
    async for piece in pieces:
        searched = len(held)
        held += piece
        while len(held) >= BLOCK_BYTES:
            end = held.rfind(b"\n", 0, BLOCK_BYTES) + 1 or held.find(b"\n", searched) + 1
            if not end:
                break
            yield bytes(memoryview(held)[:end])
            del held[:end]
            searched = 0
        if len(held) > longest:
            raise BodyTooLarge(f"a line is longer than {longest:,} bytes")
    if held:
        yield bytes(held)
