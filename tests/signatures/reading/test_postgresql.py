"""What PostgreSQL's server and its drivers write."""

from collections.abc import Callable

import pytest

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

Read = Callable[[str], ErrorReport]


def test_the_server_s_lines_are_one_error_with_its_detail(read: Read) -> None:
    report = read("postgresql-server")

    (error,) = report.errors
    assert error.type == "ERROR"
    assert error.message == (
        'duplicate key value violates unique constraint "orders_pkey"\n'
        "DETAIL:  Key (id)=(42) already exists."
    )
    assert report.code == "23505"


def test_a_driver_s_condition_name_is_an_sqlstate(read: Read) -> None:
    report = read("postgresql-psycopg")

    assert report.errors[0].type == "psycopg.errors.UniqueViolation"
    assert report.errors[0].message.endswith("Key (id)=(42) already exists.")
    assert report.code == "23505"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('ERROR:  relation "orders" does not exist at character 15', "42P01"),
        ("FATAL:  sorry, too many clients already", "53300"),
        ("ERROR:  23505: duplicate key", "23505"),
        ('asyncpg.exceptions.UndefinedTableError: relation "orders" does not exist', "42P01"),
        ("2024-05-01 10:00:00 UTC [12] [40P01] ERROR:  deadlock detected", "40P01"),
    ],
)
def test_the_sqlstate_is_told_or_known(text: str, code: str) -> None:
    assert read_error(text).code == code


def test_a_severity_alone_is_prose() -> None:
    assert read_error("ERROR: could not reach the printer").errors == ()
