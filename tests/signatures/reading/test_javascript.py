"""Stacks that Node printed here, and the documented formats of Firefox and Safari."""

from collections.abc import Callable

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

Read = Callable[[str], ErrorReport]


def test_nested_causes_come_out_root_first(read: Read) -> None:
    report = read("v8-cause")

    assert [(error.type, error.message) for error in report.errors] == [
        ("Error", "connect ECONNREFUSED 127.0.0.1:5432"),
        ("TypeError", "mid failed\nsecond line"),
        ("Error", "charge failed"),
    ]
    assert [f.function for f in report.errors[0].frames] == ["top", "Pay.charge", "mid", "low"]
    assert report.code == "ECONNREFUSED"


def test_an_interpreters_excerpt_is_no_log_message(read: Read) -> None:
    assert read("v8-cause").message == "Error: charge failed"


def test_an_aggregate_follows_the_errors_it_holds(read: Read) -> None:
    errors = read("v8-aggregate").errors

    assert [error.type for error in errors] == [
        "Error",
        "TypeError",
        "Error",
        "RangeError",
        "AggregateError",
    ]
    assert errors[-1].message == "All promises were rejected"


def test_a_frame_inside_eval_stands_at_its_own_place(read: Read) -> None:
    (error,) = read("v8-eval").errors

    assert (error.frames[-1].function, error.frames[-1].module) == ("eval", "<anonymous>")
    assert (error.frames[-3].function, error.frames[-3].module) == ("Array.map", "<native>")


def test_webpack_and_file_urls_lose_only_their_position(read: Read) -> None:
    (error,) = read("v8-webpack").errors

    assert [(f.function, f.module, f.line) for f in error.frames] == [
        ("Checkout", "file:///srv/app/dist/checkout.mjs", 3),
        ("Promise.all", "<native>", None),
        ("Object.charge", "webpack-internal:///./src/pay.ts", 12),
    ]


def test_firefox_frames_are_read(read: Read) -> None:
    (error,) = read("spidermonkey").errors

    assert (error.type, error.message) == ("TypeError", "order is undefined")
    assert [f.function for f in error.frames] == ["<anonymous>", "submit/<", "charge"]
    assert error.frames[1].module == "webpack:///./src/pay.ts"


def test_safari_frames_are_read(read: Read) -> None:
    (error,) = read("javascriptcore").errors

    assert [f.function for f in error.frames] == ["global code", "forEach", "<anonymous>", "charge"]


def test_a_stack_without_its_headline_is_truncated() -> None:
    report = read_error("    at charge (/srv/app/pay.js:3:5)\n    at /srv/app/main.js:9:1")

    assert report.truncated
    assert [f.function for f in report.errors[0].frames] == ["<anonymous>", "charge"]


def test_caused_by_is_the_cause() -> None:
    report = read_error(
        "Error: outer\n    at a (/srv/app/a.js:1:1)\n"
        "Caused by: RangeError: inner\n    at b (/srv/app/b.js:2:2)"
    )

    assert [error.type for error in report.errors] == ["RangeError", "Error"]


def test_prose_with_at_lines_and_addresses_is_no_stack() -> None:
    assert read_error("at the end\nat a loss (see 3:4)\nfoo@bar.com:12").errors == ()


def test_a_rejection_s_warning_is_not_its_type(read: Read) -> None:
    report = read("v8-unhandled-rejection")

    assert report.message == "Error: boom"
    assert report.errors[0].type == "Error"


def test_node_s_own_aggregate_tells_every_address_it_tried(read: Read) -> None:
    report = read("v8-aggregate-network")

    assert [error.message for error in report.errors] == [
        "connect ECONNREFUSED 127.0.0.1:5432",
        "connect ECONNREFUSED ::1:5432",
        "",
    ]


def test_windows_paths_are_paths() -> None:
    report = read_error("Error: x\n    at f (C:\\srv\\x.js:3:5)\n    at C:\\srv\\new\\y.js:1:1")

    assert [f.module for f in report.errors[0].frames] == ["C:\\srv\\new\\y.js", "C:\\srv\\x.js"]


def test_the_source_that_deno_shows_is_no_part_of_the_message() -> None:
    (error,) = read_error(
        'error: Uncaught (in promise) Error: boom\n    throw new Error("boom")\n          ^\n'
        "    at f (file:///srv/app/a.ts:3:4)"
    ).errors

    assert (error.type, error.message) == ("Error", "boom")
