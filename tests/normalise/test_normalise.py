import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.normalise.context import Context, new_record_id
from app.normalise.letter import MAX_ATTRIBUTE_BYTES
from app.normalise.normalise import (
    MAX_MESSAGE_BYTES,
    normalise,
)
from app.normalise.record import Frame, LogRecord, Refused, Severity
from app.normalise.repairs import REFUSAL_HINTS, Refusal, Repair
from app.normalise.text import cut_bytes, storable, storable_json

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
CONTEXT = Context(received_at=NOW)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = (
    "service", "service_name", "message", "level", "timestamp", "correlation_id", "trace_id",
    "record_id", "environment", "release", "instance", "span_id", "sequence", "exception",
    "attributes", "fingerprint",
)  # fmt: skip


def record(**fields: Any) -> LogRecord:
    result = normalise({"service": "payment", "message": "paid", **fields}, 0, CONTEXT)
    assert isinstance(result, LogRecord), result
    return result


def attributes(record: LogRecord) -> Any:
    return json.loads(record.attributes)


def refusal(raw: object) -> str:
    result = normalise(raw, 7, CONTEXT)
    assert isinstance(result, Refused)
    assert result.index == 7
    return result.reason


def test_service_and_message_are_enough() -> None:
    stored = record()

    assert (stored.service, stored.message, stored.level) == ("payment", "paid", Severity.INFO)
    assert stored.occurred_at == stored.received_at == NOW
    assert stored.correlation_id == str(stored.record_id)
    assert stored.annotations == ()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"message": "m"}, Refusal.SERVICE_MISSING),
        ({"service": "", "message": "m"}, Refusal.SERVICE_MISSING),
        ({"service": 5, "message": "m"}, Refusal.SERVICE_INVALID),
        ({"service": "s" * 201, "message": "m"}, Refusal.SERVICE_INVALID),
        ({"service": "  ", "message": "m"}, Refusal.SERVICE_INVALID),
        ({"service": "s"}, Refusal.MESSAGE_MISSING),
        ({"service": "s", "message": ""}, Refusal.MESSAGE_MISSING),
        ("text", Refusal.NOT_AN_OBJECT),
        (None, Refusal.NOT_AN_OBJECT),
        ([], Refusal.NOT_AN_OBJECT),
    ],
)
def test_what_cannot_be_repaired_is_refused_with_its_index(raw: object, reason: str) -> None:
    assert refusal(raw) == reason


def test_every_refusal_says_what_to_change() -> None:
    assert set(REFUSAL_HINTS) == set(Refusal)


def test_aliases_of_the_contract_are_understood() -> None:
    identity = "0198c0de-0000-7000-8000-000000000001"
    raw = {"service_name": "s", "message": "m", "trace_id": "t-1", "signal_id": identity}

    stored = normalise(raw, 0, CONTEXT)

    assert isinstance(stored, LogRecord)
    assert (stored.service, stored.correlation_id) == ("s", "t-1")
    assert stored.record_id == UUID(identity)


def test_unknown_fields_are_kept_among_the_attributes() -> None:
    stored = record(order_id="o-17", attributes={"amount": 5})

    assert attributes(stored) == {"order_id": "o-17", "amount": 5}


def test_an_unknown_level_is_marked_kept_and_never_hides_an_exception() -> None:
    plain = record(level="loud")
    failing = record(level="loud", exception={"type": "E", "message": "m"})

    assert (plain.level, failing.level) == (Severity.INFO, Severity.ERROR)
    assert attributes(plain) == {"level": "loud"}
    assert plain.annotations == (Repair.LEVEL_UNKNOWN,)


def test_an_unreadable_time_is_marked_and_kept() -> None:
    stored = record(timestamp="yesterday")

    assert stored.occurred_at == NOW
    assert attributes(stored) == {"timestamp": "yesterday"}
    assert stored.annotations == (Repair.TIME_UNREADABLE,)


def test_a_far_clock_is_annotated_and_never_rewritten() -> None:
    future = NOW + timedelta(days=400)

    stored = record(timestamp=future.isoformat())

    assert stored.occurred_at == future
    assert stored.annotations == (Repair.CLOCK_AHEAD,)


def test_nul_and_lone_surrogates_are_replaced_and_marked() -> None:
    stored = record(message="a\x00b\ud800c", attributes={"k\x00": ["\udfff"]})

    assert stored.message == "a\ufffdb\ufffdc"
    assert attributes(stored) == {"k\ufffd": ["\ufffd"]}
    assert stored.annotations == (Repair.TEXT_REPAIRED,)


def test_a_ten_megabyte_message_is_cut_and_marked() -> None:
    stored = record(message="é" * 5_000_000)

    assert len(stored.message.encode()) == MAX_MESSAGE_BYTES
    assert stored.annotations == (Repair.MESSAGE_CUT,)


def test_a_message_that_is_no_text_becomes_its_json() -> None:
    stored = record(message={"event": "paid", "amount": 5})

    assert json.loads(stored.message) == {"event": "paid", "amount": 5}
    assert stored.annotations == (Repair.MESSAGE_NOT_TEXT,)


def test_an_exception_alone_gives_the_message() -> None:
    raw = {"service": "s", "exception": {"type": "ValueError", "message": "bad"}}

    stored = normalise(raw, 0, CONTEXT)

    assert isinstance(stored, LogRecord)
    assert stored.message == "ValueError: bad"


def test_a_long_stack_keeps_both_ends() -> None:
    stored = record(exception={"stacktrace": "first\n" + "x" * 400_000 + "\nlast"})

    assert stored.exception is not None
    assert isinstance(stored.exception.stacktrace, str)
    assert stored.exception.stacktrace.startswith("first\n")
    assert stored.exception.stacktrace.endswith("\nlast")
    assert stored.annotations == (Repair.EXCEPTION_CUT,)


def test_structured_frames_are_read() -> None:
    frames = [{"filename": "/srv/app/x.py", "function": "pay", "lineno": 3}]

    stored = record(exception={"type": "E", "stacktrace": frames})

    assert stored.exception is not None
    frame = stored.exception.stacktrace[0]
    assert isinstance(frame, Frame)
    assert msgspec.structs.asdict(frame) == {
        "function": "pay", "module": "/srv/app/x.py", "line": 3, "source": None,
    }  # fmt: skip


def test_an_unsafe_correlation_id_falls_back_to_the_request_and_is_kept() -> None:
    context = Context(received_at=NOW, correlation_id="of-the-request")

    stored = normalise({"service": "s", "message": "m", "correlation_id": "has spaces"}, 0, context)

    assert isinstance(stored, LogRecord)
    assert stored.correlation_id == "of-the-request"
    assert attributes(stored) == {"correlation_id": "has spaces"}
    assert stored.annotations == (Repair.CORRELATION_ID_UNSAFE,)


def test_an_odd_record_id_is_derived_the_same_way_each_time() -> None:
    assert record(record_id="order 17").record_id == record(record_id="order 17").record_id
    assert record(record_id="order 17").record_id != record(record_id="order 18").record_id


def test_records_that_share_an_odd_id_are_not_one_record() -> None:
    one, two = (record(event_id="4624", message=m) for m in ("logged on", "logged off"))

    assert one.record_id != two.record_id
    assert one.annotations == (Repair.RECORD_ID_DERIVED,)


def test_a_record_identified_but_not_timed_says_so() -> None:
    identity = "0198c0de-0000-7000-8000-000000000001"

    assert record(record_id=identity).resent_by_identity
    assert not record(record_id=identity, timestamp=NOW.isoformat()).resent_by_identity
    assert not record().resent_by_identity


def test_attributes_over_the_budget_are_cut_and_marked() -> None:
    stored = record(attributes={"huge": "x" * MAX_ATTRIBUTE_BYTES, "small": 1})

    assert attributes(stored) == {"small": 1}
    assert stored.annotations == (Repair.ATTRIBUTES_CUT,)


def test_numbers_that_json_cannot_carry_become_text() -> None:
    stored = record(attributes={"nan": math.nan, "big": 2**70})

    assert attributes(stored) == {"nan": "nan", "big": str(2**70)}


def test_values_nested_too_deep_become_text() -> None:
    value: Any = 1
    for _ in range(200):
        value = [value]

    stored = record(attributes={"deep": value})

    assert stored.attributes.count("[") > 60


@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_any_json_object_is_stored_or_refused_and_never_raises(raw: dict[str, Any]) -> None:
    result = normalise(raw, 0, CONTEXT)

    if isinstance(result, LogRecord):
        result.attributes.encode("utf-8")
        assert "\x00" not in result.message
        result.message.encode("utf-8")
    else:
        assert result.reason in set(Refusal)


@given(json_values)
def test_making_json_storable_twice_changes_nothing(value: Any) -> None:
    once, _ = storable_json(value)

    again, repaired = storable_json(once)

    assert not repaired
    assert again == once


@given(st.text(alphabet=st.characters(codec=None)))
def test_storable_text_can_be_stored(text: str) -> None:
    safe, repaired = storable(text)

    safe.encode("utf-8")
    assert "\x00" not in safe
    assert repaired == (safe != text)
    assert len(safe) == len(text)


@given(st.text(), st.integers(0, 50))
def test_a_cut_text_fits_and_is_a_start_of_the_whole(text: str, limit: int) -> None:
    short = cut_bytes(text, limit)

    assert len(short.encode()) <= limit
    assert text.startswith(short)


def test_record_ids_are_version_7_and_carry_their_time() -> None:
    made = new_record_id(NOW, 0)

    assert made.version == 7
    assert made.int >> 80 == int(NOW.timestamp() * 1000)


@given(st.lists(st.integers(0, 2**26 - 1), unique=True, min_size=2))
def test_record_ids_of_one_request_sort_as_they_were_sent(places: list[int]) -> None:
    made = {place: new_record_id(NOW, place) for place in places}

    assert sorted(places) == sorted(places, key=made.__getitem__)


def test_an_exception_without_a_level_is_an_error() -> None:
    assert record(exception={"type": "E", "message": "m"}).level is Severity.ERROR
    assert record(exception={"type": "E"}, level="info").level is Severity.INFO


def test_other_names_for_the_parts_of_an_exception_are_understood() -> None:
    frames = [{"file": "a.py", "function": "f", "line": 3}]
    spellings = (
        {"type": "E", "value": "m", "stacktrace": {"frames": frames}},
        {"class": "E", "message": "m", "frames": frames},
        {"name": "E", "message": "m", "stack": frames},
    )

    first, *others = (record(exception=spelling).exception for spelling in spellings)

    assert first is not None
    assert (first.type, first.message, len(first.stacktrace)) == ("E", "m", 1)
    assert all(other == first for other in others)


def test_parts_of_an_exception_nobody_knows_are_kept() -> None:
    stored = record(exception={"type": "E", "thread": "main"})

    assert attributes(stored) == {"exception": {"thread": "main"}}


def test_null_says_nothing_where_an_alias_says_something() -> None:
    stored = normalise(
        {"service": None, "service_name": "s", "message": "m", "correlation_id": None,
         "trace_id": "t"}, 0, CONTEXT,
    )  # fmt: skip

    assert isinstance(stored, LogRecord)
    assert (stored.service, stored.correlation_id) == ("s", "t")


def test_a_field_and_an_attribute_of_one_name_are_both_kept() -> None:
    stored = record(user=1, attributes={"user": 2})

    assert attributes(stored) == {"user": 2, "user (outside)": 1}
