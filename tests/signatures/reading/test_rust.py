"""Panics of Rust before and after 1.73, and anyhow."""

from collections.abc import Callable

from app.signatures.model import ErrorReport

Read = Callable[[str], ErrorReport]


def test_a_backtrace_ends_where_the_program_panicked(read: Read) -> None:
    (error,) = read("rust-panic").errors

    assert error.type == "panic"
    assert error.message.endswith("ParseIntError { kind: InvalidDigit }")
    assert [f.function for f in error.frames][-2:] == ["r::main", "r::low"]


def test_without_a_backtrace_the_place_is_the_frame(read: Read) -> None:
    (error,) = read("rust-panic-short").errors

    assert (error.frames[0].module, error.frames[0].line) == ("r.rs", 1)
    assert "RUST_BACKTRACE" not in error.message


def test_the_old_format_tells_the_place_last(read: Read) -> None:
    (error,) = read("rust-panic-old").errors

    assert error.message == "called `Option::unwrap()` on a `None` value"
    assert (error.frames[0].module, error.frames[0].line) == ("src/main.rs", 3)


def test_the_deepest_cause_of_anyhow_leads(read: Read) -> None:
    errors = read("rust-anyhow").errors

    assert [error.message for error in errors] == [
        "No such file or directory (os error 2)",
        "open config",
        "charge failed",
    ]
