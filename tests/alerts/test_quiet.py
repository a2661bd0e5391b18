"""Quiet hours delay and never lose; around midnight, weekdays and changes of time."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.alerts.model import WEEKDAYS, QuietHours
from app.alerts.quiet import leaves_time, when_to_send

clocks = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))
zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
     "America/Sao_Paulo", "Pacific/Apia", "Africa/Casablanca", "America/St_Johns"]
)  # fmt: skip
quiets = st.builds(
    QuietHours,
    begins=clocks,
    ends=clocks,
    zone=zones,
    weekdays=st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True).map(tuple),
)
moments = st.integers(1_293_840_000, 1_893_456_000).map(lambda n: datetime.fromtimestamp(n, UTC))
SPRING = QuietHours(begins="22:00", ends="02:30", zone="Europe/Berlin")
APIA = QuietHours(begins="22:00", ends="07:00", zone="Pacific/Apia")


@given(quiets, moments)
@example(SPRING, datetime(2026, 3, 29, 0, 30, tzinfo=UTC))
@example(APIA, datetime(2011, 12, 30, 9, 0, tzinfo=UTC))
def test_an_event_is_delayed_by_days_at_most_and_never_lost(
    quiet: QuietHours, at: datetime
) -> None:
    assume(leaves_time(quiet))

    sent = when_to_send(quiet, at)

    assert at <= sent <= at + timedelta(days=9)
    assert when_to_send(quiet, sent) == sent


@given(quiets, moments, st.floats(0, 1))
def test_nobody_waits_longer_than_the_quiet_hours_last(
    quiet: QuietHours, at: datetime, part: float
) -> None:
    assume(leaves_time(quiet))
    sent = when_to_send(quiet, at)
    between = at + (sent - at) * part
    assume(between < sent)

    assert when_to_send(quiet, between) == sent


@given(quiets, moments)
def test_what_waits_waits_within_the_local_hours_that_were_asked_for(
    quiet: QuietHours, at: datetime
) -> None:
    """Held against the clock on the wall, but for the days around a change of time."""
    zone = ZoneInfo(quiet.zone)
    local = at.astimezone(zone)
    offsets = {(local + timedelta(days=shift)).utcoffset() for shift in range(-3, 4)}
    assume(leaves_time(quiet) and len(offsets) == 1)
    clock, today = f"{local:%H:%M}", WEEKDAYS[local.weekday()]
    yesterday = WEEKDAYS[local.weekday() - 1]
    if quiet.begins < quiet.ends:
        expected = today in quiet.weekdays and quiet.begins <= clock < quiet.ends
    else:
        expected = (today in quiet.weekdays and clock >= quiet.begins) or (
            yesterday in quiet.weekdays and clock < quiet.ends
        )

    assert (when_to_send(quiet, at) > at) is expected


@pytest.mark.parametrize(
    ("at", "sent"),
    [
        ("2026-07-01T21:59:59+02:00", "2026-07-01T21:59:59+02:00"),
        ("2026-07-01T22:00:00+02:00", "2026-07-02T07:00:00+02:00"),
        ("2026-07-02T03:00:00+02:00", "2026-07-02T07:00:00+02:00"),
        ("2026-07-02T07:00:00+02:00", "2026-07-02T07:00:00+02:00"),
        # Clocks go forward on 29 March and back on 25 October: the end is local all the same.
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"),
    ],
)
def test_the_night_ends_at_seven_local_time(at: str, sent: str) -> None:
    quiet = QuietHours(begins="22:00", ends="07:00", zone="Europe/Berlin")

    assert when_to_send(quiet, datetime.fromisoformat(at)) == datetime.fromisoformat(sent)


def test_an_end_that_the_clock_jumps_over_is_the_moment_after_the_jump() -> None:
    sent = when_to_send(SPRING, datetime(2026, 3, 29, 0, 30, tzinfo=UTC))

    assert sent == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_an_end_that_comes_twice_is_the_second() -> None:
    sent = when_to_send(SPRING, datetime(2026, 10, 25, 0, 45, tzinfo=UTC))

    assert sent == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_a_weekend_of_whole_days_ends_on_monday() -> None:
    quiet = QuietHours(begins="00:00", ends="00:00", zone="UTC", weekdays=("sat", "sun"))

    sent = when_to_send(quiet, datetime(2026, 7, 4, 12, tzinfo=UTC))

    assert sent == datetime(2026, 7, 6, tzinfo=UTC)


def test_hours_without_a_pause_in_the_week_are_found() -> None:
    assert not leaves_time(QuietHours(begins="08:00", ends="08:00", zone="UTC"))
    assert leaves_time(QuietHours(begins="08:00", ends="07:59", zone="UTC"))
