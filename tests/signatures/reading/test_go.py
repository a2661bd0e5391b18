"""Panics of Go, pkg/errors, and wrapped errors."""

from collections.abc import Callable

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error
from app.signatures.reading.go import wrapped

Read = Callable[[str], ErrorReport]


def test_the_origin_is_below_the_calls_that_carry_the_panic_out(read: Read) -> None:
    report = read("go-nil-pointer")

    (error,) = report.errors
    assert error.type == "runtime error"
    assert error.message == "invalid memory address or nil pointer dereference"
    assert [(f.module, f.function) for f in error.frames] == [
        ("main", "main"),
        ("github.com/acme/pay", "(*Client).Charge"),
    ]
    assert report.code == "SIGSEGV"


def test_a_recovered_panic_is_the_cause_of_the_next(read: Read) -> None:
    first, second = read("go-recovered").errors

    assert (first.message, second.message) == ("first", "second")
    assert [f.function for f in first.frames] == ["main", "work.func1"]


def test_a_server_s_panic_is_found_in_its_log_line(read: Read) -> None:
    (error,) = read("go-serving").errors

    assert error.message == "index out of range [5] with length 3"
    assert error.frames[-1].function == "handler"


def test_every_message_of_pkg_errors_has_its_own_stack(read: Read) -> None:
    root, outer = read("go-pkg-errors").errors

    assert (root.message, root.frames[-1].function) == ("connection refused", "dial")
    assert (outer.message, outer.frames[-1].function) == ("charge order", "charge")


def test_only_the_goroutine_that_failed_is_read() -> None:
    report = read_error(
        "panic: a\n\ngoroutine 1 [running]:\nmain.a()\n\t/srv/app/a.go:1 +0x1\n\n"
        "goroutine 2 [select]:\nmain.b()\n\t/srv/app/b.go:1 +0x1"
    )

    assert [f.function for f in report.errors[0].frames] == ["a"]


def test_wrapped_errors_unwrap_to_their_root() -> None:
    assert [error.message for error in wrapped("charge: dial tcp: refused")] == [
        "refused",
        "dial tcp: refused",
        "charge: dial tcp: refused",
    ]


def test_prose_that_speaks_of_panic_is_no_panic() -> None:
    assert read_error("panic: not really").errors == ()


def test_gin_tells_files_before_functions(read: Read) -> None:
    (error,) = read("go-gin").errors

    assert error.message == "boom"
    assert (error.frames[-1].function, error.frames[-1].line) == ("handler", 12)


def test_a_deadlock_is_a_fatal_error(read: Read) -> None:
    (error,) = read("go-deadlock").errors

    assert error.type == "fatal error"
    assert error.frames[-1].function == "main"
