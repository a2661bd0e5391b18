"""Errors of PHP and Laravel."""

from collections.abc import Callable

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

Read = Callable[[str], ErrorReport]


def test_next_is_raised_after_its_cause(read: Read) -> None:
    report = read("php-uncaught")

    assert [error.type for error in report.errors] == ["PDOException", "RuntimeException"]
    assert report.errors[0].message == "SQLSTATE[HY000] [2002] Connection refused"
    assert report.code == "HY000"


def test_a_frame_is_where_the_function_stood(read: Read) -> None:
    root = read("php-uncaught").errors[0]

    assert [(f.function, f.module, f.line) for f in root.frames] == [
        ("{main}", "/srv/app/index.php", 3),
        ("App\\Db->open", "/srv/app/db.php", 12),
        ("PDO->__construct", "/srv/app/db.php", 12),
    ]


def test_a_warning_has_the_place_it_names() -> None:
    (error,) = read_error("PHP Warning:  Undefined variable $x in /srv/app/a.php on line 3").errors

    assert (error.type, error.message) == ("Warning", "Undefined variable $x")
    assert (error.frames[0].module, error.frames[0].line) == ("/srv/app/a.php", 3)


def test_laravel_s_previous_exception_is_the_root(read: Read) -> None:
    report = read("php-laravel")

    assert [error.type for error in report.errors] == ["PDOException", "RuntimeException"]
    assert report.errors[1].frames[-1].function == "App\\Pay->charge"
    assert report.message.endswith("charge failed")


def test_calls_without_a_head_are_truncated() -> None:
    report = read_error("#0 /srv/app/a.php(3): f()\n#1 {main}")

    assert report.truncated
    assert report.language == "php"


def test_an_error_log_s_own_clock_is_no_part_of_the_error(read: Read) -> None:
    (error,) = read("php-error-log").errors

    assert error.type == "Error"
    assert error.message == "Call to a member function id() on null"
