"""Times as services write them -> aware UTC datetimes."""

import math
from datetime import UTC, datetime, timedelta
from typing import Final

CLOCK_AHEAD: Final = timedelta(minutes=5)
CLOCK_BEHIND: Final = timedelta(hours=24)

# The unit of an epoch number follows from its size: each band spans the years 1973 to 5138.
_BANDS: Final = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (1e20, 1_000_000_000))
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# PostgreSQL and Python both end with the year 9999; a margin keeps every time zone inside.
_FIRST: Final = datetime(1, 1, 2, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def parse_time(value: object) -> tuple[datetime, bool] | None:
    """The time and whether its zone was missing (then UTC is taken); None when unreadable.

    Takes RFC 3339 (and the wider ISO 8601 that Python reads), or epoch seconds, milliseconds,
    microseconds or nanoseconds as a number or as its text.
    """
    try:
        if isinstance(value, str):
            return _parse_text(value.strip())
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _bounded(_from_epoch(value)), False
    except (ValueError, OverflowError):
        pass
    return None


def _parse_text(text: str) -> tuple[datetime, bool]:
    digits = text.removeprefix("-")
    if digits.replace(".", "", 1).isdecimal() and len(digits) != len("YYYYMMDD"):
        return _bounded(_from_epoch(float(text) if "." in text else int(text))), False
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        return _bounded(parsed.replace(tzinfo=UTC)), True
    return _bounded(parsed if parsed.tzinfo is UTC else parsed.astimezone(UTC)), False


def _from_epoch(number: float) -> datetime:
    if not math.isfinite(number):
        raise ValueError(number)
    per_second = next((unit for limit, unit in _BANDS if abs(number) < limit), None)
    if per_second is None:
        raise ValueError(number)
    if isinstance(number, int):
        # Whole arithmetic: a float holds nanoseconds of today only to about 200 ns.
        return _EPOCH + timedelta(microseconds=number * 1_000_000 // per_second)
    return _EPOCH + timedelta(seconds=number / per_second)


def _bounded(moment: datetime) -> datetime:
    if not _FIRST <= moment <= _LAST:
        raise ValueError(moment)
    return moment


def clock_annotation(occurred_at: datetime, *, received_at: datetime) -> str | None:
    """`clock_ahead` or `clock_behind` when the sender's clock is far from ours."""
    if occurred_at - received_at > CLOCK_AHEAD:
        return "clock_ahead"
    if received_at - occurred_at > CLOCK_BEHIND:
        return "clock_behind"
    return None
