"""A span of whole hours, every one of them there. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from app.errors import AppError
from app.query.incident_views import HourCount, HourView

MOST_DAYS: Final = 31
_HOUR: Final = timedelta(hours=1)


class InvalidSpan(AppError):
    """Hours are given out for at most 31 days: `from` before `to`, both with their time zone."""


def hours_between(
    since: datetime | None, until: datetime | None, *, now: datetime
) -> list[datetime]:
    """The hours that begin in this span, and the one that it begins in; without bounds, a day.

    Raises `InvalidSpan`.
    """
    try:
        end = _utc(until or now)
        first = _hour_of(_utc(since) if since else end - timedelta(days=1) + _HOUR)
        length = end - first
    except OverflowError as error:
        raise InvalidSpan from error
    if not timedelta(0) < length <= timedelta(days=MOST_DAYS) + _HOUR:
        raise InvalidSpan
    return [first + n * _HOUR for n in range(-(-length // _HOUR))]


def filled(
    hours: Sequence[datetime], counts: Mapping[datetime, dict[str, HourCount]]
) -> tuple[HourView, ...]:
    """Each of the hours with what was counted in it."""
    return tuple(HourView(hour=hour, services=counts.get(hour, {})) for hour in hours)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidSpan
    return moment.astimezone(UTC)


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
