"""Bodies of bad shape, encoding or frame, over real HTTP: a clear answer in bounded time."""

import json
import zlib
from collections.abc import Callable
from typing import Final

import msgspec
import pytest
import zstandard

from tests.faults.raw_http import head
from tests.faults.rig import Api
from tests.faults.watched import GZIP, JSON, MB, NDJSON, ZSTD, ask_watched, assert_problem, post

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("others_are_served")]

RECORD: Final = b'{"service":"s","message":"m"}'


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
    most_bytes: int = 24 * MB
    most_seconds: float = 8.0


SHAPES: Final = {
    "a million keys": Case(
        request=lambda: post(million_keys(in_attributes=False), JSON),
        statuses=(202, 400, 413),
        most_bytes=300 * MB,
        most_seconds=20,
    ),
    "a million attributes": Case(
        request=lambda: post(million_keys(in_attributes=True), NDJSON),
        statuses=(202, 400, 413),
        most_bytes=300 * MB,
        most_seconds=20,
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
        most_bytes=96 * MB,
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
        request=lambda: post(zlib.compress(RECORD, wbits=31), JSON),
        statuses=(400,),
        says="Content-Encoding: gzip",
    ),
    "gzip called plain, as lines": Case(
        request=lambda: post(zlib.compress(RECORD, wbits=31), NDJSON),
        statuses=(400,),
        says="Content-Encoding: gzip",
    ),
    "zstd called plain": Case(
        request=lambda: post(zstandard.ZstdCompressor().compress(RECORD), JSON),
        statuses=(400,),
        says="Content-Encoding: zstd",
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
