import gzip
import io
import os
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from app.receive.encoding import (
    BodyTooLarge,
    UnreadableBody,
    UnsupportedBody,
    decoded,
    decoder,
)

pytestmark = pytest.mark.anyio
LIMIT: Final = 1_000_000
MIB: Final = 1024 * 1024
zstd = zstandard.ZstdCompressor().compress
ENCODERS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "": bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "zstd": zstd,
}


def zstd_without_size(content: bytes) -> bytes:
    """As a sender writes it who streams: the frame does not tell how much is in it."""
    written = io.BytesIO()
    with zstandard.ZstdCompressor().stream_writer(written, closefd=False) as writer:
        writer.write(content)
    return written.getvalue()


async def chunked(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, encoding: str, *, limit: int = LIMIT, chunk: int = 1000) -> bytes:
    return b"".join([piece async for piece in decoded(chunked(body, chunk), encoding, limit=limit)])


async def note_sizes(pieces: AsyncIterator[bytes], sizes: list[int]) -> None:
    """Also of what came before an error."""
    async for piece in pieces:
        sizes.append(len(piece))  # noqa: PERF401 - a comprehension would lose them


def undo(body: bytes, encoding: str, cuts: list[int]) -> bytes:
    """Fed in pieces that end at the cuts."""
    ends = [*sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    undone, start, found = decoder(encoding), 0, b""
    for end in ends:
        found += b"".join(undone.feed(body[start:end]))
        start = end
    assert undone.is_complete()
    return found


@pytest.mark.parametrize("encoding", [*ENCODERS, "GZIP", " zstd "])
async def test_a_body_is_read_as_it_was_before_encoding(encoding: str) -> None:
    body = b"x" * 100_000

    assert await read(ENCODERS[encoding.strip().lower()](body), encoding) == body


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
async def test_several_members_or_frames_make_one_body(chunk: int) -> None:
    gzips = gzip.compress(b"a") + gzip.compress(b"") + gzip.compress(b"b" * 5000)
    frames = zstd(b"a" * 5000) + zstd_without_size(b"b") + zstd(b"") + zstd(b"c")

    assert await read(gzips, "gzip", chunk=chunk) == b"a" + b"b" * 5000
    assert await read(frames, "zstd", chunk=chunk) == b"a" * 5000 + b"bc"


@pytest.mark.parametrize("chunk", [1, 100_000])
async def test_zeros_after_a_gzip_member_are_padding(chunk: int) -> None:
    assert await read(gzip.compress(b"a") + bytes(1000), "gzip", chunk=chunk) == b"a"


async def test_two_hundred_frames_in_one_chunk_are_all_read() -> None:
    body = b"".join(zstd(b"%d," % number) for number in range(200))

    expected = b"".join(b"%d," % number for number in range(200))
    assert await read(body, "zstd", chunk=len(body)) == expected


@given(
    st.sampled_from(sorted(ENCODERS)),
    st.lists(st.binary(max_size=300) | st.integers(0, 200_000).map(bytes), max_size=3),
    st.lists(st.integers(0, 10_000), max_size=8),
)
def test_however_it_is_cut_into_chunks_the_content_is_the_same(
    encoding: str, parts: list[bytes], cuts: list[int]
) -> None:
    encode = ENCODERS[encoding]
    body = b"".join(map(encode, parts)) or encode(b"")

    assert undo(body, encoding, cuts) == b"".join(parts)


@given(st.binary(max_size=2000), st.integers(0, 5000))
def test_a_cut_zstd_or_gzip_body_is_never_taken_for_a_whole_one(content: bytes, cut: int) -> None:
    for encoding in ("gzip", "zstd"):
        body = ENCODERS[encoding](content)
        undone = decoder(encoding)
        list(undone.feed(body[: cut % len(body)]))

        assert not undone.is_complete()


@pytest.mark.parametrize("encoding", ["", "gzip", "zstd"])
async def test_a_body_up_to_the_limit_is_read_and_one_byte_more_is_not(encoding: str) -> None:
    fits = ENCODERS[encoding](bytes(LIMIT))
    exceeds = ENCODERS[encoding](bytes(LIMIT + 1))

    assert len(await read(fits, encoding)) == LIMIT
    with pytest.raises(BodyTooLarge, match="larger than 1,000,000 bytes; send smaller batches"):
        await read(exceeds, encoding)


def zero_blocks(count: int) -> bytes:
    """The worst zstd there is: each block of 4 bytes stands for 128 KiB of zeros (RFC 8878)."""
    block = (128 * 1024 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
    last = (128 * 1024 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
    return b"\x28\xb5\x2f\xfd" + b"\x00\x58" + block * (count - 1) + last


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(bytes(50 * MIB))),
        ("gzip", gzip.compress(bytes(MIB)) * 50),
        ("zstd", zstd(bytes(50 * MIB))),
        ("zstd", zero_blocks(400)),
        ("zstd", zstd(bytes(MIB)) * 50),
    ],
    ids=["gzip", "gzip members", "zstd", "zstd blocks", "zstd frames"],
)
async def test_a_bomb_stops_at_the_limit_and_is_never_held(encoding: str, bomb: bytes) -> None:
    sizes: list[int] = []
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            await note_sizes(decoded(chunked(bomb, 65_536), encoding, limit=20 * MIB), sizes)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert 0 < sum(sizes) <= 20 * MIB
    assert max(sizes) <= 4 * MIB
    assert peak < 10 * MIB


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda b: b[: len(b) // 2], "it ends in the middle"),
        (lambda b: b[:-1], "it ends in the middle"),
        (lambda _: b"", "it ends in the middle"),
        (lambda b: b"junk" + b, ""),
        (lambda b: b + b"junk and more of it", ""),
    ],
    ids=["half", "all but a byte", "nothing", "junk first", "junk last"],
)
async def test_a_damaged_body_is_unreadable(encoding: str, damage: Any, says: str) -> None:
    whole = ENCODERS[encoding](os.urandom(1000))

    with pytest.raises(UnreadableBody, match=f"not readable as {encoding}: .*{says}"):
        await read(damage(whole), encoding)


async def test_what_was_read_before_the_damage_is_given_out() -> None:
    body = gzip.compress(b"good\n") + b"junk"
    sizes: list[int] = []

    with pytest.raises(UnreadableBody):
        await note_sizes(decoded(chunked(body), "gzip", limit=LIMIT), sizes)

    assert sum(sizes) == len(b"good\n")


async def test_a_body_of_the_other_encoding_is_unreadable() -> None:
    with pytest.raises(UnreadableBody, match="not readable as gzip"):
        await read(zstd(b"a"), "gzip")
    with pytest.raises(UnreadableBody, match="not readable as zstd"):
        await read(gzip.compress(b"a"), "zstd")
    with pytest.raises(UnreadableBody, match="not readable as gzip"):
        await read(zlib.compress(b"a"), "gzip")


@pytest.mark.parametrize("name", ["br", "deflate", "gzip, zstd", "aws-chunked"])
async def test_an_unknown_encoding_is_named(name: str) -> None:
    with pytest.raises(UnsupportedBody, match=f"'{name}' is not read; send identity, gzip or zstd"):
        await read(b"", name)


@given(st.binary(max_size=500), st.sampled_from(["gzip", "zstd"]))
def test_any_bytes_are_read_or_refused_as_such(body: bytes, encoding: str) -> None:
    pieces: list[bytes] = []
    with suppress(zlib.error, zstandard.ZstdError):
        pieces.extend(decoder(encoding).feed(body))

    assert all(len(piece) <= 4 * 1024 * 1024 for piece in pieces)


def zstd_with_window(log: int) -> bytes:
    parameters = zstandard.ZstdCompressionParameters(window_log=log, compression_level=1)
    writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return bytes(writer.compress(b"x" * 1000) + writer.flush())


async def test_a_zstd_frame_may_ask_for_a_window_of_8_mib_and_no_more() -> None:
    """The decoder keeps the window for as long as the request runs (RFC 9659)."""
    assert await read(zstd_with_window(23), "zstd") == b"x" * 1000
    with pytest.raises(UnreadableBody, match="requires too much memory"):
        await read(zstd_with_window(24), "zstd")
