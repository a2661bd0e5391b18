import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.receive.body import NOT_JSON, holds_lines, records_of_json, records_of_lines
from app.receive.encoding import BodyTooLarge, UnreadableBody, UnsupportedBody
from app.receive.wire import WireRecord

RECORD: Final = {"service": "s", "message": "m"}
VALUES: Final = st.dictionaries(st.text(), st.integers() | st.text())
CLEAN: Final = st.fixed_dictionaries(
    {"service": st.text(min_size=1, max_size=20), "message": st.text(min_size=1, max_size=50)},
    optional={"level": st.sampled_from(["info", "ERROR"]), "sequence": st.integers(0, 1000)},
)


def read(body: bytes, *, most: int = 1_000_000) -> list[Any]:
    return list(map(plain, records_of_json(body, most=most)))


def read_lines(body: bytes) -> list[Any]:
    return list(map(plain, records_of_lines(body)))


def plain(record: Any) -> Any:
    """The JSON value that was sent, whichever way it was decoded."""
    if not isinstance(record, WireRecord):
        return record
    raw = record.as_raw()
    return raw if raw["attributes"] else {k: v for k, v in raw.items() if k != "attributes"}


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("", False),
        ("application/json", False),
        ("Application/JSON; charset=utf-8", False),
        ("text/plain", False),
        ("application/x-ndjson", True),
        ("application/jsonl; charset=utf-8", True),
    ],
)
def test_the_type_says_whether_a_body_holds_lines(content_type: str, expected: bool) -> None:
    assert holds_lines(content_type) is expected


@pytest.mark.parametrize("content_type", ["application/xml", "multipart/form-data", "json"])
def test_other_content_types_are_refused_with_what_to_send(content_type: str) -> None:
    with pytest.raises(UnsupportedBody, match=f"'{content_type}' is not read; send application/"):
        holds_lines(content_type)


def test_an_object_an_array_and_lines_all_give_records() -> None:
    assert read(b'{"a": 1}') == [{"a": 1}]
    assert read(b'[{"a": 1}, 2]') == [{"a": 1}, 2]
    assert read(b"[]") == []
    assert read_lines(b'{"a": 1}\n\n{"a": 2}\r\n') == [{"a": 1}, {"a": 2}]


def test_records_to_the_letter_are_decoded_into_their_types() -> None:
    body = msgspec.json.encode(RECORD)

    assert all(isinstance(one, WireRecord) for one in records_of_json(body, most=1))
    assert all(isinstance(one, WireRecord) for one in records_of_lines(body + b"\n" + body))


@pytest.mark.parametrize("odd", [b"{}", b"7", b'{"service":"s","message":"\\u0000"}'])
def test_an_odd_neighbour_changes_no_record(odd: bytes) -> None:
    clean = msgspec.json.encode(RECORD)

    array = read(b"[" + clean + b"," + odd + b"," + clean + b"]")

    assert array == [RECORD, json.loads(odd), RECORD]
    assert read_lines(b"\n".join([clean, odd, clean])) == array


def test_lines_under_the_json_type_are_taken_as_lines() -> None:
    assert read(b'{"a": 1}\n{"a": 2}\n') == [{"a": 1}, {"a": 2}]
    assert read(b'{"a": 1}\n{"a": 2}\n{"a":') == [{"a": 1}, {"a": 2}, NOT_JSON]


def test_a_bad_line_costs_no_other() -> None:
    assert read_lines(b'{"a": 1}\n{"a": \n{"a": 3}') == [{"a": 1}, NOT_JSON, {"a": 3}]


def test_lines_of_which_none_is_json_are_told_one_by_one() -> None:
    assert read_lines(b"hello\nworld") == [NOT_JSON, NOT_JSON]
    assert read_lines(b"\n \n\r\n") == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "at line 1, column 2"),
        (b'{"a": 1,\n "b": oops}', "at line 2, column 7"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b"hello", "at line 1, column 1"),
        (b"1\n2", "several lines are sent as application/x-ndjson"),
    ],
)
def test_a_body_that_is_not_json_is_told_what_and_where(body: bytes, says: str) -> None:
    with pytest.raises(UnreadableBody, match=says):
        read(body)


def test_a_line_nested_too_deep_costs_no_other() -> None:
    deep = b'{"a":' * 10_000 + b"1" + b"}" * 10_000

    first, second, third = read_lines(b'{"a": 1}\n' + deep + b'\n{"a": 3}')

    assert (first, third) == ({"a": 1}, {"a": 3})
    assert second is NOT_JSON or isinstance(second, dict)


@pytest.mark.parametrize("record", [b"1", msgspec.json.encode(RECORD)])
def test_more_records_than_allowed_are_refused(record: bytes) -> None:
    body = b"[" + b",".join([record] * 3) + b"]"

    assert len(read(body, most=3)) == 3
    with pytest.raises(BodyTooLarge, match="more than 2 records; send fewer, or application/x-nd"):
        read(body, most=2)


def test_a_byte_order_mark_and_a_number_of_5000_digits_are_read() -> None:
    digits = "9" * 5000

    assert read(b'\xef\xbb\xbf{"a": 1}') == [{"a": 1}]
    assert read_lines(b'\xef\xbb\xbf{"a": 1}\n{"a": 2}') == [{"a": 1}, {"a": 2}]
    assert read(f'{{"a": {digits}}}'.encode()) == [{"a": digits}]


def test_what_strict_json_refuses_but_can_be_repaired_is_read() -> None:
    body = b'[{"a": "\\ud800"}, {"b": NaN}, {"c": "\xff"}, {"d": 1e999}]'

    first, second, third, fourth = read(body)

    assert first == {"a": "\ud800"}
    assert second["b"] != second["b"]
    assert third == {"c": "\ufffd"}
    assert fourth == {"d": float("inf")}


@given(st.lists(VALUES | CLEAN, min_size=1, max_size=5))
def test_an_array_and_its_lines_give_what_was_sent(records: list[dict[str, Any]]) -> None:
    lines = "\n".join(json.dumps(record) for record in records).encode()

    assert read_lines(lines) == read(json.dumps(records).encode()) == records


@given(st.lists(VALUES.map(json.dumps) | st.text(), max_size=6))
def test_each_line_that_is_not_blank_gives_one_record(lines: list[str]) -> None:
    held = [line.replace("\n", " ").encode("utf-8", "replace") for line in lines]
    expected = sum(bool(line) and not line.isspace() for line in held)

    assert len(records_of_lines(b"\n".join(held))) == expected


@given(st.binary())
def test_any_bytes_give_records_or_a_clear_error(body: bytes) -> None:
    assert isinstance(records_of_lines(body), list)
    problem = ""
    try:
        records = records_of_json(body, most=100)
    except UnreadableBody as error:
        problem = str(error)

    assert "body" in problem or records is not None


def test_an_array_of_far_too_many_objects_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(BodyTooLarge, match="more than 10 records"):
        records_of_json(b"[" + b"{}," * 200 + b"not JSON", most=10)
