import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.receive.body import NOT_JSON
from app.receive.encoding import BodyTooLarge, UnreadableBody, UnsupportedBody
from app.receive.reading import (
    BLOCK_BYTES,
    BodyTimedOut,
    Limits,
    RawBatch,
    Receive,
    SenderLeft,
    body_chunks,
    line_blocks,
    raw_batches,
)

pytestmark = pytest.mark.anyio
NDJSON: Final = "application/x-ndjson"
LIMITS: Final = Limits(json_bytes=200_000, stream_bytes=1_000_000, json_records=10, idle_seconds=5)
LENGTHS: Final = st.integers(0, 300) | st.integers(0, 3 * BLOCK_BYTES)


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def gather(chunks: AsyncIterator[Any], into: list[Any]) -> None:
    """Also what came before an error."""
    async for chunk in chunks:
        into.append(chunk)  # noqa: PERF401 - a comprehension would lose them


async def blocks_of(*pieces: bytes, longest: int = 10 * BLOCK_BYTES) -> list[bytes]:
    return [block async for block in line_blocks(pieces_of(*pieces), longest=longest)]


async def batches_of(*pieces: bytes, content_type: str = NDJSON) -> list[RawBatch]:
    batches = raw_batches(
        pieces_of(*pieces),
        content_type=content_type,
        encoding="",
        limits=LIMITS,
        hold=lambda _: None,
    )
    return [batch async for batch in batches]


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

    with pytest.raises(BodyTooLarge, match="a line is longer than 100,000 bytes"):
        await gather(line_blocks(pieces_of(b"a\n", *[b"x" * 1000] * 200), longest=100_000), held)

    assert b"".join(held) in (b"", b"a\n")


async def test_json_is_one_batch_and_lines_are_many() -> None:
    lines = b'{"a":1}\n' * 20_000

    (whole,) = await batches_of(b"[1,", b"2]", content_type="application/json")
    batches = await batches_of(lines)

    assert whole == RawBatch([1, 2], 5)
    assert len(batches) == 3
    assert [r for batch in batches for r in batch.records] == [{"a": 1}] * 20_000
    assert sum(batch.size for batch in batches) == len(lines)


async def test_a_bad_line_in_a_later_block_keeps_its_place() -> None:
    batches = await batches_of(b"1\n" * 40_000, b"oops\n", b"2\n")

    records = [record for batch in batches for record in batch.records]
    assert records[39_999:] == [1, NOT_JSON, 2]


async def test_a_body_none_of_whose_first_lines_is_json_is_refused_as_a_whole() -> None:
    with pytest.raises(UnreadableBody, match="no line is a JSON value"):
        await batches_of(b"hello\nworld")


@pytest.mark.parametrize("blank", [b"", b"\n \n", b"\n" * 200_000])
async def test_a_body_without_a_line_is_refused(blank: bytes) -> None:
    with pytest.raises(UnreadableBody, match="holds no line"):
        await batches_of(blank)


async def test_blank_blocks_before_the_first_line_are_skipped() -> None:
    batches = await batches_of(b"\n" * 200_000, b"1\n")

    assert [record for batch in batches for record in batch.records] == [1]


@pytest.mark.parametrize(
    ("content", "content_type", "says"),
    [
        (b"[" + b" " * 200_000 + b"]", "application/json", "larger than 200,000 bytes"),
        (b"[" + b"1," * 20 + b"1]", "application/json", "more than 10 records"),
        (b'{"a":1}\n' * 150_000, NDJSON, "larger than 1,000,000 bytes"),
        (b"1" * 200_001, NDJSON, "a line is longer than 200,000 bytes"),
    ],
)
async def test_each_shape_has_its_own_limit(content: bytes, content_type: str, says: str) -> None:
    pieces = [content[start : start + 50_000] for start in range(0, len(content), 50_000)]

    with pytest.raises(BodyTooLarge, match=says):
        await batches_of(*pieces, content_type=content_type)


async def test_an_unread_type_is_refused_before_the_body_is_awaited() -> None:
    chunks = body_chunks(asgi(), idle_seconds=60)
    batches = raw_batches(
        chunks, content_type="application/xml", encoding="", limits=LIMITS, hold=lambda _: None
    )

    with pytest.raises(UnsupportedBody):
        await anext(batches)


async def test_what_is_gathered_is_told_as_it_grows() -> None:
    told: list[int] = []
    kinds = [("application/json", [b"[1", b",2", b"]"]), (NDJSON, [b"1\n" * 40_000])]

    for content_type, pieces in kinds:
        batches = raw_batches(
            pieces_of(*pieces),
            content_type=content_type,
            encoding="",
            limits=LIMITS,
            hold=told.append,
        )
        await gather(batches, [])

    assert told == [2, 4, 5, BLOCK_BYTES, 80_000 - BLOCK_BYTES]


async def test_a_body_is_the_chunks_that_hold_something() -> None:
    receive = asgi(body(b"a", more=True), body(b"", more=True), body(b"b"))

    assert [chunk async for chunk in body_chunks(receive, idle_seconds=5)] == [b"a", b"b"]


async def test_a_message_may_leave_out_what_has_a_default() -> None:
    assert [c async for c in body_chunks(asgi({"type": "http.request"}), idle_seconds=5)] == []


async def test_a_body_that_stops_coming_is_given_up() -> None:
    found: list[bytes] = []

    with pytest.raises(BodyTimedOut, match=r"nothing more of the body came for 0.05 s"):
        await gather(body_chunks(asgi(body(b"a", more=True)), idle_seconds=0.05), found)

    assert found == [b"a"]


async def test_a_slow_body_is_read_as_long_as_it_keeps_coming() -> None:
    receive = asgi(*[body(b"a", more=True)] * 9, body(b"a"), pause=0.02)

    found = [chunk async for chunk in body_chunks(receive, idle_seconds=0.15)]

    assert b"".join(found) == b"a" * 10


async def test_a_sender_that_leaves_is_told_apart_from_an_end() -> None:
    found: list[bytes] = []
    receive = asgi(body(b"a", more=True), {"type": "http.disconnect"})

    with pytest.raises(SenderLeft):
        await gather(body_chunks(receive, idle_seconds=5), found)

    assert found == [b"a"]
