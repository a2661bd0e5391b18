from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query.hours import MOST_DAYS, InvalidSpan, filled, hours_between
from app.query.incident_views import HourCount

NOW = datetime(2026, 11, 20, 12, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=zones)  # noqa: DTZ001


def test_without_bounds_it_is_the_last_day_with_the_hour_that_runs() -> None:
    hours = hours_between(None, None, now=NOW)

    assert len(hours) == 24
    assert hours[-1] == NOW.replace(minute=0)


def test_an_hour_in_which_nothing_failed_is_there_and_empty() -> None:
    first, second = NOW.replace(minute=0), NOW.replace(minute=0) + HOUR
    counted = {second: {"pay": HourCount(chains=1, errors=2)}}

    assert [view.services for view in filled([first, second], counted)] == [{}, counted[second]]


@given(moments, st.timedeltas(timedelta(seconds=1), timedelta(days=MOST_DAYS)))
def test_every_moment_of_a_span_is_in_one_of_its_hours(since: datetime, span: timedelta) -> None:
    until = since + span

    hours = hours_between(since, until, now=NOW)

    assert hours[0] <= since < hours[0] + HOUR
    assert hours[-1] < until <= hours[-1] + HOUR
    assert all(later - hour == HOUR for hour, later in pairwise(hours))
    assert all((one.minute, one.tzinfo) == (0, UTC) for one in hours)


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (NOW, NOW - HOUR),
        (NOW.replace(minute=0), NOW.replace(minute=0)),
        (NOW - timedelta(days=32), NOW),
        (NOW.replace(tzinfo=None), NOW),
        (None, datetime.min.replace(tzinfo=UTC)),
        (datetime.max.replace(tzinfo=timezone(-HOUR)), None),
    ],
)
def test_what_is_no_span_is_refused(since: datetime | None, until: datetime | None) -> None:
    with pytest.raises(InvalidSpan):
        hours_between(since, until, now=NOW)
