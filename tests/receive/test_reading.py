import asyncio
import gzip
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.receive.encoding import BodyTooLarge
from app.receive.reading import (
    BLOCK_BYTES,
    BodyTimedOut,
    IdleWatch,
    Receive,
    SenderLeft,
    line_blocks,
    whole_body,
)

pytestmark = pytest.mark.anyio
LENGTHS: Final = st.integers(0, 300) | st.integers(0, 3 * BLOCK_BYTES)


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def gather(chunks: AsyncIterator[Any], into: list[Any]) -> None:
    """Also what came before an error."""
    async for chunk in chunks:
        into.append(chunk)  # noqa: PERF401 - a comprehension would lose them


async def blocks_of(*pieces: bytes, longest: int = 10 * BLOCK_BYTES) -> list[bytes]:
    return [
        block
        async for block in line_blocks(pieces_of(*pieces), longest=longest, hold=lambda _: None)
    ]


@asynccontextmanager
async def watched(seconds: float = 5) -> AsyncIterator[IdleWatch]:
    watch = IdleWatch(seconds=seconds)
    looking = asyncio.create_task(watch.run())
    yield watch
    looking.cancel()


def asgi(*messages: dict[str, Any], pause: float = 0) -> Receive:
    """A server that has these messages, and then nothing more."""
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(pause if waiting else 60)
        return waiting.pop(0)

    return receive


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


@given(
    st.lists(LENGTHS, max_size=12), st.lists(st.integers(1, 100_000), max_size=12), st.booleans()
)
def test_blocks_are_the_content_cut_after_lines(
    lengths: list[int], sizes: list[int], ends_in_a_newline: bool
) -> None:
    lines = [b"x" * length for length in lengths]
    content = b"\n".join(lines) + (b"\n" if ends_in_a_newline else b"")
    cuts = [0, *(sum(sizes[: n + 1]) for n in range(len(sizes))), len(content)]
    pieces = [content[a:b] for a, b in itertools.pairwise(cuts)]

    blocks = asyncio.run(blocks_of(*pieces))

    assert b"".join(blocks) == content
    assert all(block.endswith(b"\n") for block in blocks[:-1])
    assert all(len(block) <= BLOCK_BYTES or b"\n" not in block[:-1] for block in blocks)


async def test_small_lines_are_decoded_many_at_a_time() -> None:
    blocks = await blocks_of(*[b"12345678\n" * 1000] * 100)

    assert len(blocks) <= 900_000 // (BLOCK_BYTES - 9) + 1


async def test_a_line_longer_than_the_limit_is_refused_before_its_end() -> None:
    held: list[bytes] = []
    told: list[int] = []

    with pytest.raises(BodyTooLarge, match="a line is longer than 100,000 bytes"):
        await gather(
            line_blocks(pieces_of(b"a\n", *[b"x" * 1000] * 200), longest=100_000, hold=told.append),
            held,
        )

    assert b"".join(held) in (b"", b"a\n")
    assert max(told) > 99_000


async def test_a_line_over_the_limit_is_refused_also_when_its_end_has_come() -> None:
    with pytest.raises(BodyTooLarge, match="a line is longer than 100,000 bytes"):
        await blocks_of(b"x" * 150_000 + b"\n", longest=100_000)


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_a_whole_body_is_its_chunks_together(encoding: str) -> None:
    sent = gzip.compress(b"abc") if encoding else b"abc"
    receive = asgi(body(sent[:1], more=True), body(sent[1:2], more=True), body(sent[2:]))

    async with watched() as watch:
        found = await whole_body(watch, receive, encoding, limit=3, hold=lambda _: None)

    assert found == b"abc"


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_a_whole_body_over_the_limit_is_refused(encoding: str) -> None:
    sent = gzip.compress(b"abcd") if encoding else b"abcd"
    receive = asgi(body(sent[:2], more=True), body(sent[2:]))

    async with watched() as watch:
        with pytest.raises(BodyTooLarge, match="larger than 3 bytes"):
            await whole_body(watch, receive, encoding, limit=3, hold=lambda _: None)


async def test_what_is_gathered_is_told_as_it_grows() -> None:
    told: list[int] = []
    receive = asgi(body(b"a", more=True), body(b"bc", more=True), body(b"d"))

    async with watched() as watch:
        await whole_body(watch, receive, "", limit=10, hold=told.append)

    assert told == [3, 4]


async def test_a_body_is_the_chunks_that_hold_something() -> None:
    receive = asgi(body(b"a", more=True), body(b"", more=True), body(b"b"))

    async with watched() as watch:
        assert [chunk async for chunk in watch.chunks(receive)] == [b"a", b"b"]


async def test_a_message_may_leave_out_what_has_a_default() -> None:
    async with watched() as watch:
        assert [chunk async for chunk in watch.chunks(asgi({"type": "http.request"}))] == []


async def test_a_body_that_stops_coming_is_given_up() -> None:
    found: list[bytes] = []

    async with watched(0.05) as watch:
        with pytest.raises(BodyTimedOut, match=r"nothing more of the body came for 0.05 s"):
            await gather(watch.chunks(asgi(body(b"a", more=True))), found)

    assert found == [b"a"]


async def test_a_slow_body_is_read_as_long_as_it_keeps_coming() -> None:
    receive = asgi(*[body(b"a", more=True)] * 9, body(b"a"), pause=0.02)

    async with watched(0.15) as watch:
        found = [chunk async for chunk in watch.chunks(receive)]

    assert b"".join(found) == b"a" * 10


async def test_a_sender_that_leaves_is_told_apart_from_an_end() -> None:
    found: list[bytes] = []
    receive = asgi(body(b"a", more=True), {"type": "http.disconnect"})

    async with watched() as watch:
        with pytest.raises(SenderLeft):
            await gather(watch.chunks(receive), found)

    assert found == [b"a"]


async def test_a_request_that_is_cancelled_is_not_taken_for_a_slow_one() -> None:
    async with watched() as watch:
        reading = asyncio.create_task(watch.next_chunk(asgi()))
        await asyncio.sleep(0)
        reading.cancel()

        with pytest.raises(asyncio.CancelledError):
            await reading
