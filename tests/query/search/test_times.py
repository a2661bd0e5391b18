from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query.search.errors import InvalidMoment
from app.query.search.times import parse_moment

NOW = datetime(2026, 11, 20, 12, 34, 56, 789, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", NOW),
        ("-15m", NOW - timedelta(minutes=15)),
        ("now-1d", NOW - timedelta(days=1)),
        ("now+1h", NOW + timedelta(hours=1)),
        ("-1d-2h", NOW - timedelta(hours=26)),
        ("now-1d/d", datetime(2026, 11, 19, tzinfo=UTC)),
        ("now/h", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("now/w", datetime(2026, 11, 16, tzinfo=UTC)),
        ("-30s/m", datetime(2026, 11, 20, 12, 34, tzinfo=UTC)),
        ("2026-11-20T12:00:00Z", datetime(2026, 11, 20, 12, tzinfo=UTC)),
        ("2026-11-20T12:00:00+02:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20T12:00:00 02:00", datetime(2026, 11, 20, 10, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
    ],
)
def test_a_time_means(text: str, moment: datetime) -> None:
    assert parse_moment(text, now=NOW) == moment


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "-15", "15m", "now-", "now-1y", "-999999999w", "2026-11-20T12:00:00",
     "0001-01-01T00:00:00+14:00", "99999-01-01", "now'--", "2026-13-01"],
)  # fmt: skip
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidMoment, match="as -15m, now-1d"):
        parse_moment(text, now=NOW)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_as_it_is_told_reads_as_itself(moment: datetime) -> None:
    assert parse_moment(moment.isoformat(), now=NOW) == moment


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    try:
        moment = parse_moment(text, now=NOW)
    except InvalidMoment:
        return

    assert moment.tzinfo is UTC
