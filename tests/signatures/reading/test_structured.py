"""JSON and logfmt lines of the loggers people use."""

import json
from collections.abc import Callable

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
