"""Codes that an error tells in its name or its message."""

import pytest

from app.signatures.model import RaisedError
from app.signatures.reading.codes import code_of


@pytest.mark.parametrize(
    ("type_", "message", "code"),
    [
        ("OSError", "[Errno 28] No space left on device", "ENOSPC"),
        ("Error", "connect ECONNREFUSED 127.0.0.1:5432", "ECONNREFUSED"),
        ("HTTPError", "503 Server Error: Service Unavailable for url", "503"),
        ("PspError", "gateway returned 404", "404"),
        ("ApiError", "status code: 429", "429"),
        ("PDOException", "SQLSTATE[HY000] [2002] Connection refused", "HY000"),
        ("asyncpg.exceptions.DeadlockDetectedError", "deadlock detected", "40P01"),
        ("sqlalchemy.exc.OperationalError", "canceling statement due to lock timeout", "55P03"),
        ("CalledProcessError", "died with SIGKILL", "SIGKILL"),
        ("ValueError", "EVERYTHING took 404 ms, returned 200", ""),
    ],
)
def test_the_code_is_found(type_: str, message: str, code: str) -> None:
    assert code_of((RaisedError(type=type_, message=message),)) == code


def test_the_root_s_code_is_the_code() -> None:
    chain = (
        RaisedError(type="A", message="HTTP 503"),
        RaisedError(type="B", message="HTTP 500"),
    )

    assert code_of(chain) == "503"
