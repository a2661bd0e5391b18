"""nginx's error log."""

from collections.abc import Callable

from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

Read = Callable[[str], ErrorReport]


def test_the_request_is_no_part_of_the_error(read: Read) -> None:
    report = read("nginx-upstream")

    (error,) = report.errors
    assert error.type == "error"
    assert error.message == (
        "connect() failed (111: Connection refused) while connecting to upstream"
    )
    assert report.code == "ECONNREFUSED"


def test_a_notice_is_no_error() -> None:
    assert read_error("2024/05/01 10:00:00 [notice] 1#1: start worker: error log").errors == ()
