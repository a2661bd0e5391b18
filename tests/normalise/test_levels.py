import pytest

from app.normalise.levels import parse_level
from app.normalise.record import Severity


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("info", Severity.INFO),
        ("WARN", Severity.WARNING),
        (" Error ", Severity.ERROR),
        ("err", Severity.ERROR),
        ("fatal", Severity.CRITICAL),
        ("trace", Severity.TRACE),
        ("notice", Severity.INFO),
        ("emerg", Severity.CRITICAL),
    ],
)
def test_a_level_is_understood_in_any_case_and_dialect(written: str, meant: Severity) -> None:
    assert parse_level(written) is meant


@pytest.mark.parametrize(
    ("number", "meant"),
    [
        (0, Severity.CRITICAL),
        (3, Severity.ERROR),
        (4, Severity.WARNING),
        (7, Severity.DEBUG),
        ("3", Severity.ERROR),
        (9, Severity.INFO),
        (13, Severity.WARNING),
        (17, Severity.ERROR),
        (24, Severity.CRITICAL),
        (30, Severity.WARNING),
        (40, Severity.ERROR),
        (50, Severity.CRITICAL),
    ],
)
def test_syslog_and_opentelemetry_numbers_are_understood(number: object, meant: Severity) -> None:
    assert parse_level(number) is meant


@pytest.mark.parametrize("level", ["oops", "", 25, -1, 3.0, True, None, [], {}, "9" * 5000])
def test_a_level_nobody_knows_is_none(level: object) -> None:
    assert parse_level(level) is None
