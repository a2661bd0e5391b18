"""Tracebacks that Python 2.7 to 3.13 printed here."""

from collections.abc import Callable

import pytest

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

Read = Callable[[str], ErrorReport]
Chain = Callable[[str], list[str]]

PLAIN = """\
Traceback (most recent call last):
  File "/srv/app/pay.py", line 12, in charge
    self.gateway.send(order)
    ~~~~~~~~~~~~~~~~~^^^^^^^
  File "/srv/app/gateway.py", line 3, in send
    raise ValueError(order)
ValueError: order 42"""


def test_frames_stand_outermost_first_with_their_source() -> None:
    (error,) = read_error(PLAIN).errors

    assert (error.type, error.message) == ("ValueError", "order 42")
    assert [(f.module, f.function, f.line) for f in error.frames] == [
        ("/srv/app/pay.py", "charge", 12),
        ("/srv/app/gateway.py", "send", 3),
    ]
    assert [f.source for f in error.frames] == [
        "self.gateway.send(order)",
        "raise ValueError(order)",
    ]


def test_the_log_message_above_is_the_report_message() -> None:
    report = read_error("could not charge\n" + PLAIN)

    assert report.message == "could not charge"
    assert report.language == "python"
    assert not report.truncated


def test_what_was_being_handled_stands_behind_what_was_raised_last(read: Read) -> None:
    report = read("python-context-3.13")

    assert [error.type for error in report.errors] == ["KeyError", "FileNotFoundError"]
    assert report.errors[1].frames[-1].function == "load"
    assert report.code == "ENOENT"


def test_python_2_knows_no_context(chain: Chain) -> None:
    assert chain("python-context-2.7") == ["IOError"]


def test_a_cause_that_was_never_raised_has_no_frames(read: Read) -> None:
    cause, raised = read("python-cause-without-traceback").errors

    assert (cause.type, cause.message, cause.frames) == ("ValueError", "no tb", ())
    assert raised.type == "ConnectionRefusedError"


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_a_group_follows_the_leaves_that_caused_it(read: Read, version: str) -> None:
    errors = read(f"python-group-{version}").errors

    group = [error.type for error in errors][-8:]
    assert group[:3] == ["KeyError", "TypeError", "ExceptionGroup"]
    assert group[3:] == ["ValueError", "ValueError", "RuntimeError", "ExceptionGroup", "KeyError"]
    assert [f.function for f in errors[-5].frames] == ["grp", "<lambda>", "inner"]
    assert errors[-4].message == "bad 1\na note\nsecond"
    assert errors[-3].message == "multi\nline msg"
    assert errors[-2].frames[-1].function == "grp"


def test_a_task_group_names_the_task_that_failed_first(read: Read) -> None:
    root, group = read("python-task-group-3.12").errors

    assert (root.type, root.frames[-1].function) == ("ConnectionResetError", "charge")
    assert group.type == "ExceptionGroup"


@pytest.mark.parametrize("version", ["3.8", "3.12"])
def test_a_syntax_error_ends_in_the_file_that_holds_it(read: Read, version: str) -> None:
    (error,) = read(f"python-syntax-error-{version}").errors

    assert error.type == "SyntaxError"
    assert (error.frames[-1].module, error.frames[-1].source) == ("/srv/app/s.py", "x = (")


def test_repeated_lines_of_a_recursion_are_no_frames(read: Read) -> None:
    (error,) = read("python-recursion").errors

    assert error.message == "maximum recursion depth exceeded"
    assert [f.function for f in error.frames] == ["<module>", "f", "f", "f"]


def test_a_crash_tells_the_origin_first_and_is_turned_around(read: Read) -> None:
    (error,) = read("python-segfault").errors

    assert (error.type, error.message) == ("Fatal Python error", "Segmentation fault")
    assert [f.function for f in error.frames] == ["<module>", "f", "string_at"]


def test_the_traceback_of_a_worker_process_is_the_root(read: Read) -> None:
    report = read("python-process-pool")

    assert [error.type for error in report.errors] == ["ZeroDivisionError"] * 2
    assert [f.function for f in report.errors[0].frames] == ["_process_worker", "f"]
    assert report.message == "ZeroDivisionError: division by zero"


def test_a_compiled_frame_has_no_source() -> None:
    (error,) = read_error(
        "Traceback (most recent call last):\n"
        '  File "pay.pyx", line 12, in acme.pay.charge\n'
        '  File "pay.pyx", line 3, in acme.pay._send\n'
        "OverflowError: value too large"
    ).errors

    assert [(f.function, f.source) for f in error.frames] == [
        ("acme.pay.charge", None),
        ("acme.pay._send", None),
    ]


def test_a_traceback_without_its_head_is_truncated() -> None:
    report = read_error(PLAIN.split("\n", 2)[2])

    assert report.truncated
    assert report.errors[0].type == "ValueError"
    assert [f.function for f in report.errors[0].frames] == ["send"]


def test_a_traceback_without_its_end_is_truncated() -> None:
    report = read_error(PLAIN.rpartition("\n")[0])

    assert report.truncated
    assert report.errors[0].type == ""
    assert len(report.errors[0].frames) == 2


def test_a_traceback_that_lost_its_indents_keeps_its_frames() -> None:
    flat = "\n".join(line.strip() for line in PLAIN.split("\n"))

    assert read_error(flat).errors == read_error(PLAIN).errors


@pytest.mark.parametrize(
    "line", ["2024-05-01 10:00:00 INFO shutting down", "INFO shutting down", "[INFO] x", "INFO:a:b"]
)
def test_the_log_lines_after_an_exception_are_not_its_message(line: str) -> None:
    report = read_error(f"{PLAIN}\n{line}")

    assert report.errors[0].message == "order 42"


def test_a_type_may_be_local_to_a_function() -> None:
    (error,) = read_error(PLAIN.replace("ValueError:", "acme.f.<locals>.Declined:")).errors

    assert error.type == "acme.f.<locals>.Declined"


def test_a_warning_is_an_error_at_its_line() -> None:
    (error,) = read_error("/srv/app/pay.py:3: DeprecationWarning: use charge()").errors

    assert (error.type, error.message) == ("DeprecationWarning", "use charge()")
    assert (error.frames[0].module, error.frames[0].line) == ("/srv/app/pay.py", 3)


def test_of_ten_thousand_frames_both_ends_are_kept() -> None:
    frames = "".join(f'  File "/srv/a.py", line {n}, in f{n}\n    x()\n' for n in range(10_000))

    report = read_error(f"Traceback (most recent call last):\n{frames}ValueError: deep")

    (error,) = report.errors
    assert len(error.frames) == 500
    assert (error.frames[0].function, error.frames[-1].function) == ("f0", "f9999")
    assert report.truncated


def test_a_driver_s_error_is_the_root_of_the_orm_s(read: Read) -> None:
    report = read("python-sqlalchemy")

    assert [error.type for error in report.errors] == [
        "psycopg.errors.UniqueViolation",
        "sqlalchemy.exc.IntegrityError",
    ]
    assert report.code == "23505"


def test_lambda_names_the_exception_above_its_frames(read: Read) -> None:
    report = read("python-lambda")

    (error,) = report.errors
    assert (error.type, error.message) == ("ValueError", "bad")
    assert not report.truncated


GROUP = """\
  + Exception Group Traceback (most recent call last):
  |   File "/srv/app/pay.py", line 12, in charge
  |     raise x
  | ExceptionGroup: unhandled errors (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/srv/app/pay.py", line 3, in {0}
    |     x()
    | {1}
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/srv/app/pay.py", line 5, in {2}
    |     x()
    | {3}
    +------------------------------------"""


def test_which_task_of_a_group_failed_first_is_chance() -> None:
    mail, card = ("mail", "OSError: 12"), ("card", "KeyError: 7")

    for text in (GROUP.format(*mail, *card), GROUP.format(*card, *mail)):
        assert [error.type for error in read_error(text).errors] == [
            "KeyError",
            "OSError",
            "ExceptionGroup",
        ]


def test_a_failure_that_pytest_shows_is_an_error_at_its_place() -> None:
    (error,) = read_error(
        "    def test_charge():\n>       charge(1)\n\ntests/test_pay.py:12: \n"
        "_ _ _ _\n\n    def charge(order):\n>       raise ValueError(order)\n"
        "E       ValueError: order 1\nE       second\n\napp/pay.py:3: ValueError"
    ).errors

    assert (error.type, error.message) == ("ValueError", "order 1\nsecond")
    assert [(f.module, f.function) for f in error.frames] == [
        ("tests/test_pay.py", "test_charge"),
        ("app/pay.py", "charge"),
    ]


def test_the_next_log_line_is_no_part_of_a_bare_error_s_message() -> None:
    assert read_error("KeyError: 1\nINFO next").errors[0].message == "1"
