"""Quiet hours: when a message may go out. Pure; an event is delayed, never lost."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from app.alerts.model import WEEKDAYS, QuietHours

_MOST_WINDOWS: Final = 16
"""So many may follow each other without a pause; validation leaves one in each week."""


def leaves_time(quiet: QuietHours) -> bool:
    """Whether a week has any time that is not quiet."""
    return quiet.begins != quiet.ends or len(set(quiet.weekdays)) < len(WEEKDAYS)


def when_to_send(quiet: QuietHours, at: datetime) -> datetime:
    """`at` itself, or the end of the quiet hours that it falls into; aware, never before `at`.

    Raises `ZoneInfoNotFoundError` for a zone this machine has no rules of.
    """
    moment = at
    for _ in range(_MOST_WINDOWS):
        end = _end_of_window(quiet, moment)
        if end is None:
            break
        moment = end
    return moment


def _end_of_window(quiet: QuietHours, at: datetime) -> datetime | None:
    """When the window ends that holds this moment, if one does."""
    zone = ZoneInfo(quiet.zone)
    today = at.astimezone(zone).date()
    # Two days back: a window may run into the next day, and a change of time push it further.
    for day in (today + timedelta(days=shift) for shift in (-2, -1, 0, 1)):
        if WEEKDAYS[day.weekday()] in quiet.weekdays:
            begin, end = _window(quiet, day, zone)
            if begin <= at < end:
                return end
    return None


def _window(quiet: QuietHours, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    begins, ends = time.fromisoformat(quiet.begins), time.fromisoformat(quiet.ends)
    last = day if ends > begins else day + timedelta(days=1)
    return _instant(day, begins, zone, min), _instant(last, ends, zone, max)


def _instant(
    day: date, clock: time, zone: ZoneInfo, pick: Callable[[Iterable[datetime]], datetime]
) -> datetime:
    """UTC. A local time that comes twice, or not at all, is either of two moments (PEP 495):
    quiet hours begin at the earlier one and end at the later."""
    local = datetime.combine(day, clock, tzinfo=zone)
    return pick([local.replace(fold=fold).astimezone(UTC) for fold in (0, 1)])
