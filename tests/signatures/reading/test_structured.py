"""JSON and logfmt lines of the loggers people use."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

Read = Callable[[str], ErrorReport]


def test_an_error_object_is_read_with_its_stack_and_code(read: Read) -> None:
    report = read("json-pino")

    assert report.message == "charge failed"
    assert report.errors[0].type == "TypeError"
    assert report.errors[0].frames[0].function == "charge"
    assert (report.language, report.code) == ("javascript", "ERR_X")


def test_a_stack_trace_in_a_field_keeps_its_causes(read: Read) -> None:
    assert [error.type for error in read("json-ecs").errors] == [
        "java.io.IOException",
        "java.lang.IllegalStateException",
    ]


def test_a_stack_beside_an_error_text_belongs_to_it(read: Read) -> None:
    (error,) = read("json-zap").errors

    assert error.message == "dial tcp 10.0.0.1:5432: connect: connection refused"
    assert error.frames[-1].function == "charge"


def test_a_traceback_cut_into_one_object_a_line_is_put_together(read: Read) -> None:
    (error,) = read("json-docker").errors

    assert (error.type, error.frames[0].function) == ("ValueError", "f")


def test_a_wrapped_error_in_logfmt_is_unwrapped(read: Read) -> None:
    report = read("logfmt-wrapped")

    assert report.message == "charge failed"
    assert report.errors[0].message == "connection refused"
    assert (report.language, report.code) == ("keyvalue", "ECONNREFUSED")


def test_frames_may_be_objects() -> None:
    line = {
        "event": "charge failed",
        "exception": [
            {
                "exc_type": "ValueError",
                "exc_value": "bad",
                "frames": [{"filename": "/srv/a.py", "lineno": 3, "name": "f"}],
            },
            {"exc_type": "KeyError", "exc_value": "'x'", "frames": []},
        ],
    }

    report = read_error(json.dumps(line))

    assert [error.type for error in report.errors] == ["KeyError", "ValueError"]
    assert report.errors[1].frames[0].line == 3


def test_nested_causes_of_an_error_object_lead() -> None:
    line = {
        "msg": "x",
        "err": {"type": "A", "message": "a", "cause": {"type": "B", "message": "b"}},
    }

    assert [error.type for error in read_error(json.dumps(line)).errors] == ["B", "A"]


def test_a_line_without_an_error_is_its_message() -> None:
    report = read_error('{"level":"info","msg":"started","status":200}')

    assert report == ErrorReport(message="started", language="json")


def test_json_inside_json_is_opened() -> None:
    inner = json.dumps({"level": "error", "msg": "charge failed", "err": "ValueError: bad"})

    report = read_error(json.dumps({"log": inner, "stream": "stderr"}))

    assert report.message == "charge failed"
    assert report.errors[0].type == "ValueError"


def test_an_error_that_is_nothing_is_no_error() -> None:
    assert read_error('{"msg":"ok","error":null}').errors == ()
    assert read_error("level=info msg=ok err=<nil>").errors == ()


def test_prose_with_an_equals_sign_is_prose() -> None:
    assert read_error("login error= user=alice failed").language == ""


def test_attributes_of_opentelemetry_hold_the_exception(read: Read) -> None:
    report = read("json-opentelemetry")

    assert report.message == "failed"
    assert report.errors[0].frames[0].function == "f"


def test_lambda_s_names_for_the_same_fields_are_known(read: Read) -> None:
    (error,) = read("json-lambda").errors

    assert (error.type, error.message, error.frames[0].line) == ("ValueError", "bad", 3)


def test_postgresql_s_jsonlog_is_an_error_with_its_code(read: Read) -> None:
    report = read("json-postgresql")

    assert report.code == "23505"
    assert report.errors[0].message == "duplicate key\nDETAIL:  Key (id)=(4) exists."


def test_an_object_that_was_cut_off_still_gives_its_traceback(read: Read) -> None:
    (error,) = read("json-cut-off").errors

    assert (error.type, error.message) == ("ValueError", "bad")
    assert error.frames[0].function == "f"


KLOG = 'E0501 10:00:00.123456       1 reconciler.go:123] "Reconciler error" err="{}" id=7'


def test_klog_s_quoted_text_is_its_message() -> None:
    report = read_error(KLOG.format("dial tcp: connection refused"))

    assert report.message == "Reconciler error"
    assert report.errors[-1].message == "dial tcp: connection refused"
    assert read_error('I0501 10:00:00.123456  1 a.go:1] "Starting" n=3').message == "Starting"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('ts=1714557600.1 level=info message="disk full"', "disk full"),
        ("level=info event=charge_failed order=7", "charge_failed"),
        ('10:00:00 ERR charge failed error="timeout" order=7', "charge failed"),
        ('2024-05-01T10:00:00Z app {"level":"error","msg":"charge failed"}', "charge failed"),
        ('charge failed {"order": 5, "error": "timeout"}', "charge failed"),
        ('{"time":"x","level":"ERROR","msg":"charge failed","stack":"Trace', "charge failed"),
        ('{"msg":"charge failed","tags":["a","b', "charge failed"),
        ('{"msg":"charge failed","order":{"id":12,"na', "charge failed"),
        ('{"level":"error","msg":"charge fai', "charge fai"),
        ('{"level":"error","msg":"charge failed\\', "charge failed"),
        ('[ERROR] "disk full"', "disk full"),
    ],
)
def test_the_message_of_a_data_line_is_found(line: str, message: str) -> None:
    assert read_error(line).message == message


@pytest.mark.parametrize(
    "line",
    [
        'payload rejected: {"order": 5}',
        'request {"message": "hello"} was refused',
        'user said "hello"',
        'read [a] "b" and went on',
        "{not json",
        "rate=5 limit=7",
    ],
)
def test_prose_that_holds_data_is_prose(line: str) -> None:
    report = read_error(line)

    assert (report.message, report.errors) == (line, ())


def test_a_cut_object_still_tells_its_error() -> None:
    report = read_error('{"msg":"x","err":{"type":"KeyError","message":"no id","stack":"KeyErr')

    assert (report.errors[0].type, report.errors[0].message) == ("KeyError", "no id")


@given(st.text(), st.integers(1, 200))
def test_an_object_cut_anywhere_is_read(text: str, end: int) -> None:
    cut = json.dumps({"msg": text, "error": {"message": [text, {"a": None}]}})[:end]

    report = read_error(cut)

    assert all(len(error.message) <= 8_192 for error in report.errors)
    assert read_error(cut) == report
