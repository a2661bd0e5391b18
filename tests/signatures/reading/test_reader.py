"""What holds for every language: prefixes, escapes, colours, prose, and anything at all."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.normalise.record import Frame
from app.signatures.reading import ReportedException, read_error
from app.signatures.reading.cleaning import without_prefixes

TRACES = sorted((Path(__file__).parent / "traces").glob("*.txt"))
NAMES = [path.stem for path in TRACES]
DATA = ("json-", "logfmt-")
"""Lines that are data: prefixed or escaped they hold the same, but not line by line."""


def trace(name: str) -> str:
    return (Path(__file__).parent / "traces" / f"{name}.txt").read_text().rstrip("\n")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "prefix",
    [
        "payment-1  | ",
        "2024-05-01T10:00:00.123456789Z stderr F ",
        "2024-05-01 10:00:00,123 ERROR ",
        "May  1 10:00:00 host payment[123]: ",
        "<11>1 2024-05-01T10:00:00Z host payment 12 - - ",
        "[pod/payment-7d9f/main] ",
        "2024-05-01T10:00:00Z payment-1 | [error] ",
        "2024-05-01T10:00:00.123456+00:00 app[web.1]: ",
        "2024-05-01T10:00:00+0200 host app[123]: ",
    ],
)
def test_a_prefix_on_every_line_changes_no_error(name: str, prefix: str) -> None:
    text = trace(name)
    prefixed = "\n".join(prefix + line for line in text.split("\n"))

    assert read_error(prefixed).errors == read_error(text).errors


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith(DATA)])
def test_growing_timestamps_change_no_error(name: str) -> None:
    text = trace(name)
    prefixed = "\n".join(
        f"2024-05-01T10:{n // 60 % 60:02}:{n % 60:02}.{n}Z {line}"
        for n, line in enumerate(text.split("\n"))
    )

    assert read_error(prefixed).errors == read_error(text).errors


@pytest.mark.parametrize("name", [name for name in NAMES if "\\n" not in trace(name)])
def test_escaped_line_ends_change_no_error(name: str) -> None:
    text = trace(name)

    assert read_error(text.replace("\n", "\\n")).errors == read_error(text).errors


def test_a_level_on_every_line_of_a_traceback_is_no_database_error() -> None:
    text = trace("python-context-3.13")
    prefixed = "\n".join(f"ERROR: {line}" for line in text.split("\n"))

    assert read_error(prefixed).errors == read_error(text).errors


@pytest.mark.parametrize("name", ["python-context-3.13", "go-nil-pointer"])
def test_line_ends_of_rsyslog_change_no_error(name: str) -> None:
    text = trace(name)
    packed = text.replace("\n", "#012").replace("\t", "#011")

    assert read_error(packed).errors == read_error(text).errors
    assert read_error(f"May  1 10:00:00 host app[1]: {packed}").errors == read_error(text).errors


def test_a_number_that_looks_like_a_line_end_is_none() -> None:
    assert read_error("Error in order #012 of bob").message == "Error in order #012 of bob"


@pytest.mark.parametrize("name", NAMES)
def test_a_json_string_of_the_text_holds_the_same_errors(name: str) -> None:
    text = trace(name)

    assert read_error(json.dumps({"message": text})).errors == read_error(text).errors
    assert read_error(json.dumps(json.dumps(text))).errors == read_error(text).errors


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(data=st.data())
def test_colours_change_nothing(name: str, data: st.DataObject) -> None:
    text = trace(name)
    place = data.draw(st.integers(0, len(text)))
    coloured = f"\x1b[1;31m{text[:place]}\x1b[0m{text[place:]}\x1b[39m"

    assert read_error(coloured) == read_error(text)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(data=st.data())
def test_a_text_cut_off_anywhere_is_still_read(name: str, data: st.DataObject) -> None:
    text = trace(name)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))

    report = read_error(text[start:end])

    assert len(report.errors) <= 50


MARKS = [
    "Traceback (most recent call last):\n",
    '  File "a.py", line 1, in f\n',
    "    x()\n",
    "ValueError: bad\n",
    "\nDuring handling of the above exception, another exception occurred:\n",
    "  + Exception Group Traceback (most recent call last):\n",
    "  | ",
    "  +-+---------------- 1 ----------------\n",
    "Error: x\n",
    "    at f (/a.js:1:2)",
    " {\n",
    "[cause]: ",
    "[errors]: [\n",
    "f@/a.js:1:2\n",
    "\tat a.B.c(D.java:1)\n",
    "Caused by: a.BException: x\n",
    "\t... 3 more\n",
    "\tSuppressed: ",
    " ---> ",
    "   at A.B.C(String s) in /a.cs:line 1\n",
    "--- End of inner exception stack trace ---\n",
    "<---",
    "panic: x",
    "goroutine 1 [running]:\n",
    "main.f()\n\t/a.go:1\n",
    " [recovered]\n",
    "a.rb:1:in `f'",
    ": m (AError)\n",
    "\tfrom ",
    "#0 /a.php(1): f()\n",
    "Stack trace:\n",
    "#1 {main}\n",
    "PHP Fatal error:  Uncaught ",
    " in /a.php:1\n",
    "[object] (A(code: 0): ",
    "thread 'main' panicked at ",
    "'x', src/a.rs:1:2\n",
    "stack backtrace:\n",
    "   0: a::b\n",
    "             at /a.rs:1:2\n",
    "Caused by:\n",
    "ERROR:  ",
    "DETAIL:  ",
    "SQLSTATE[",
    "[error] 1#1: *1 ",
    '{"msg":"',
    '","error":',
    '"}',
    'err="',
    "level=",
    "\\n",
    "\\u00",
    "\\",
    "\n",
    "\r\n",
    "\x1b[",
    "\x1b[31m",
    "\ud800",
    "\0",
    "2024-05-01 10:00:00 ",
    "web | ",
    ": ",
    " ",
    "1",
    "99999999999999999999",
    "(",
    "[",
    "A.B.CError",
]


@given(st.lists(st.one_of(st.sampled_from(MARKS), st.text(max_size=5))).map("".join))
@example("\ud800: Error")
@example('{"a":' * 5_000)
@example('  File "a.py", line ' + "9" * 5_000 + ", in f\n")
def test_any_text_at_all_is_read_within_bounds(text: str) -> None:
    for report in (
        read_error(text),
        read_error("x", ReportedException(type="A", message=text, stacktrace=text)),
    ):
        assert len(report.errors) <= 50
        assert len(report.message) <= 8_192
        assert all(len(error.frames) <= 500 for error in report.errors)
        assert all(len(error.message) <= 8_192 for error in report.errors)
        assert all(frame.module for error in report.errors for frame in error.frames)


@given(st.binary())
def test_random_bytes_are_read(data: bytes) -> None:
    for text in (data.decode("utf-8", "surrogateescape"), data.decode("latin-1")):
        report = read_error(text)

        assert all(len(error.message) <= 8_192 for error in report.errors)
        assert all(frame.module for error in report.errors for frame in error.frames)


@pytest.mark.parametrize(
    "text",
    [
        "Note: the disk is full",
        "Order 12: shipped",
        "Warning: disk nearly full",
        "Retry: connection reset",
        "ErrorHandler: started",
        "Errors: 3",
        "GET /x HTTP/1.1: 200",
        "user=alice action=login",
        "the word Error: is inside of this",
        "Total: 3\nCaused by: nothing",
        "line one\nline two\n",
        "path C:\\new\\table",
        "",
    ],
)
def test_prose_is_no_error(text: str) -> None:
    report = read_error(text)

    assert report.errors == ()
    assert report.message == text


@pytest.mark.parametrize(
    ("text", "type_", "message"),
    [
        ("ValueError: bad thing", "ValueError", "bad thing"),
        (
            "sqlalchemy.exc.ArgumentError: Textual SQL",
            "sqlalchemy.exc.ArgumentError",
            "Textual SQL",
        ),
        ("2024-05-01 10:00:00 ERROR KeyError: 'x'", "KeyError", "'x'"),
        ("requests.exceptions.ConnectTimeout: no", "requests.exceptions.ConnectTimeout", "no"),
        (
            "java.lang.OutOfMemoryError: Java heap space",
            "java.lang.OutOfMemoryError",
            "Java heap space",
        ),
        ("Errno::ECONNREFUSED: Connection refused", "Errno::ECONNREFUSED", "Connection refused"),
        ("AssertionError", "AssertionError", ""),
    ],
)
def test_a_name_and_a_message_are_an_error(text: str, type_: str, message: str) -> None:
    (error,) = read_error(text).errors

    assert (error.type, error.message) == (type_, message)


def test_a_sender_s_fields_complete_a_stack_without_headline() -> None:
    report = read_error(
        "charge failed",
        ReportedException(
            type="TypeError", message="no id", stacktrace="charge@https://shop.example/a.js:1:2"
        ),
    )

    (error,) = report.errors
    assert (error.type, error.message, len(error.frames)) == ("TypeError", "no id", 1)
    assert report.message == "charge failed"


def test_frames_of_a_sender_are_taken_as_they_are() -> None:
    frames = (Frame(function="f", module="a.py", line=1),)

    report = read_error("x", ReportedException(type="KeyError", message="'k'", stacktrace=frames))

    assert report.errors[0].frames == frames


def test_a_trace_in_the_wrong_language_is_what_it_is() -> None:
    stack = trace("python-context-3.13")

    report = read_error("x", ReportedException(type="java.lang.Error", stacktrace=stack))

    assert [error.type for error in report.errors] == ["KeyError", "FileNotFoundError"]


def test_an_exception_without_anything_leaves_the_message_to_be_read() -> None:
    report = read_error("ValueError: bad", ReportedException())

    assert report.errors[0].type == "ValueError"


def test_the_indent_behind_a_prefix_is_kept() -> None:
    assert without_prefixes("web-1  | a\nweb-1  |   b\nweb-1  |") == "a\n  b\n"
