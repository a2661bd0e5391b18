import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from app.receive.body import (
    NOT_JSON,
    Body,
    BodyTooLarge,
    UnreadableBody,
    UnsupportedBody,
    decompressed,
    raw_records,
    read_body,
)

pytestmark = pytest.mark.anyio
LIMIT = 1_000_000
NDJSON = "application/x-ndjson"
zstd = zstandard.ZstdCompressor().compress


async def chunks(body: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, encoding: str = "", limit: int = LIMIT) -> bytes:
    content = await read_body(chunks(body), limit=limit)
    return decompressed(Body(content=content, encoding=encoding), limit=limit)


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("", bytes),
        ("identity", bytes),
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("zstd", zstd),
    ],
)
async def test_a_body_is_read_as_it_was_before_encoding(encoding: str, encode: Any) -> None:
    body = b"x" * 100_000

    assert await read(encode(body), encoding) == body


async def test_several_frames_make_one_body() -> None:
    assert await read(gzip.compress(b"a") + gzip.compress(b"b"), "gzip") == b"ab"
    assert await read(zstd(b"a" * 5000) + zstd(b"b"), "zstd") == b"a" * 5000 + b"b"


@pytest.mark.parametrize(
    ("encoding", "encode"), [("", bytes), ("gzip", gzip.compress), ("zstd", zstd)]
)
async def test_a_body_over_the_limit_is_refused_also_when_it_is_a_bomb(
    encoding: str, encode: Any
) -> None:
    with pytest.raises(BodyTooLarge, match="larger than 1,000,000 bytes"):
        await read(encode(b"0" * 50_000_000), encoding)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"junk" + b])
async def test_a_damaged_body_is_unreadable(encoding: str, damage: Any) -> None:
    whole = (gzip.compress if encoding == "gzip" else zstd)(bytes(range(256)) * 40)

    with pytest.raises(UnreadableBody, match=f"not readable as {encoding}"):
        await read(damage(whole), encoding)


async def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(UnsupportedBody, match="'br' is not read; send identity, gzip or zstd"):
        await read(b"", "br")


def test_an_object_an_array_and_lines_all_give_records() -> None:
    assert raw_records(b'{"a": 1}', "application/json") == [{"a": 1}]
    assert raw_records(b'[{"a": 1}, 2]', "application/json; charset=utf-8") == [{"a": 1}, 2]
    assert raw_records(b'{"a": 1}\n\n{"a": 2}\r\n', NDJSON) == [{"a": 1}, {"a": 2}]


def test_lines_under_the_json_type_are_taken_as_lines() -> None:
    assert raw_records(b'{"a": 1}\n{"a": 2}\n', "application/json") == [{"a": 1}, {"a": 2}]


def test_a_bad_line_costs_no_other() -> None:
    assert raw_records(b'{"a": 1}\n{"a": \n{"a": 3}', NDJSON) == [{"a": 1}, NOT_JSON, {"a": 3}]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "it is empty"),
        (b"{", "at line 1, column 2"),
        (b'{"a": 1,\n "b": oops}', "at line 2, column 7"),
        (b"[" * 100_000, "nested too deep"),
        (b"hello", "at line 1, column 1"),
    ],
)
def test_a_body_that_is_not_json_is_told_what_and_where(body: bytes, says: str) -> None:
    with pytest.raises(UnreadableBody, match=says):
        raw_records(body, "application/json")


def test_lines_of_which_none_is_json_are_unreadable() -> None:
    with pytest.raises(UnreadableBody, match="no line is a JSON value"):
        raw_records(b"hello\nworld", NDJSON)
    with pytest.raises(UnreadableBody, match="holds no line"):
        raw_records(b"\n \n", NDJSON)


def test_more_records_than_allowed_are_refused() -> None:
    with pytest.raises(BodyTooLarge, match="more than 2 records; send smaller batches"):
        raw_records(b"[1, 1, 1]", "", most=2)


def test_a_byte_order_mark_and_a_number_of_5000_digits_are_read() -> None:
    digits = "9" * 5000

    assert raw_records(b'\xef\xbb\xbf{"a": 1}', "") == [{"a": 1}]
    assert raw_records(f'{{"a": {digits}}}'.encode(), "") == [{"a": digits}]


def test_other_content_types_are_refused_with_what_to_send() -> None:
    with pytest.raises(UnsupportedBody, match="send application/json"):
        raw_records(b"<a/>", "application/xml")


def test_what_strict_json_refuses_but_can_be_repaired_is_read() -> None:
    body = b'[{"a": "\\ud800"}, {"b": NaN}, {"c": "\xff"}, {"d": 1e999}]'

    first, second, third, fourth = raw_records(body, "application/json")

    assert first == {"a": "\ud800"}
    assert second["b"] != second["b"]
    assert third == {"c": "\ufffd"}
    assert fourth == {"d": float("inf")}


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text()), min_size=1, max_size=5))
def test_an_array_and_its_lines_give_the_same_records(records: list[dict[str, Any]]) -> None:
    lines = "\n".join(json.dumps(record) for record in records).encode()

    assert raw_records(lines, NDJSON) == raw_records(json.dumps(records).encode(), "")


@given(st.binary(), st.sampled_from([NDJSON, "application/json"]))
def test_any_bytes_give_records_or_a_clear_error(body: bytes, content_type: str) -> None:
    problem = ""
    try:
        records = raw_records(body, content_type)
    except UnreadableBody as error:
        problem = str(error)

    assert "body" in problem or records is not None
