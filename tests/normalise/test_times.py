from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.normalise.times import clock_annotation, parse_time

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
moments = st.datetimes(
    min_value=datetime(1975, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-20T12:00:00Z",
        "2026-11-20T12:00:00.000Z",
        "2026-11-20 14:00:00+02:00",
        "2026-11-20T12:00:00.000000000+00:00",
        1795176000,
        1795176000.0,
        1795176000000,
        1795176000000000,
        1795176000000000000,
        "1795176000",
        "1795176000000000000",
    ],
)
def test_one_moment_is_read_from_every_way_to_write_it(written: object) -> None:
    assert parse_time(written) == (NOON, False)


def test_a_time_without_a_zone_is_taken_as_utc_and_says_so() -> None:
    assert parse_time("2026-11-20T12:00:00") == (NOON, True)


@pytest.mark.parametrize(
    "value",
    ["yesterday", "", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", 1e30, float("nan"),
     float("inf"), True, None, [], "9" * 5000, "-", "1.2.3"],
)  # fmt: skip
def test_an_unreadable_time_is_none(value: object) -> None:
    assert parse_time(value) is None


@given(moments)
def test_what_isoformat_writes_is_read_back(moment: datetime) -> None:
    assert parse_time(moment.isoformat()) == (moment, False)


@given(moments)
def test_epoch_nanoseconds_keep_the_microsecond(moment: datetime) -> None:
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)

    assert parse_time(microseconds * 1000) == (moment, False)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.booleans(), st.none()))
def test_no_value_raises(value: object) -> None:
    parsed = parse_time(value)

    assert parsed is None or parsed[0].tzinfo is UTC


def test_a_clock_is_far_from_five_minutes_ahead_or_a_day_behind() -> None:
    def annotation(**difference: int) -> str | None:
        return clock_annotation(NOON + timedelta(**difference), received_at=NOON)

    assert annotation(minutes=4) is None
    assert annotation(minutes=6) == "clock_ahead"
    assert annotation(hours=-23) is None
    assert annotation(hours=-25) == "clock_behind"


def test_other_time_zones_become_utc() -> None:
    tokyo = NOON.astimezone(timezone(timedelta(hours=9)))

    parsed = parse_time(tokyo.isoformat())

    assert parsed is not None
    assert parsed[0].utcoffset() == timedelta(0)
    assert parsed[0] == NOON
