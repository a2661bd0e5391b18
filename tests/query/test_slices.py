"""Spans, slices, buckets and cursors: pure."""

import base64
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query.buckets import LADDER, bucket_width, buckets_of, starts_of
from app.query.cursors import InvalidCursor
from app.query.log_cursors import Cursor, read_log_cursor, write_log_cursor
from app.query.slices import (
    FIRST_WIDTH,
    LEAST_WIDTH,
    Span,
    cut_newest,
    cut_oldest,
    narrower,
    next_width,
)

moments = st.datetimes(timezones=st.just(UTC))
spans = (
    st.tuples(moments, moments)
    .filter(lambda two: two[0] != two[1])
    .map(lambda two: Span(since=min(two), until=max(two)))
)
costs = st.floats(0, 10)


@pytest.mark.parametrize("cut", [cut_newest, cut_oldest])
@given(span=spans, seconds=st.lists(costs, min_size=300, max_size=300))
def test_slices_touch_each_other_and_never_leave_the_span(
    cut: type, span: Span, seconds: list[float]
) -> None:
    width, rest, seen = FIRST_WIDTH, span, timedelta()

    for cost in seconds:
        piece, after = cut(rest, width)
        ends = {piece.since, piece.until} & {after.since, after.until}
        assert ends or after.is_empty
        assert span.since <= piece.since < piece.until <= span.until
        seen += piece.length
        rest, width = after, next_width(width, piece.length, cost)
        if rest.is_empty:
            break

    assert seen + rest.length == span.length


@given(span=spans, marks=st.lists(moments, max_size=5), width=st.timedeltas(LEAST_WIDTH))
def test_no_slice_goes_across_a_mark(span: Span, marks: list[datetime], width: timedelta) -> None:
    pieces, rest = [], span
    for _ in range(20):
        if rest.is_empty:
            break
        piece, rest = cut_newest(rest, width, marks)
        pieces.append(piece)

    assert not [mark for mark in marks for one in pieces if one.since < mark < one.until]
    assert all(later.since == earlier.until for later, earlier in pairwise(pieces))
    assert pieces[0].until == span.until


def test_a_slice_made_short_by_a_mark_leaves_the_next_as_wide() -> None:
    hour, second = timedelta(hours=1), timedelta(seconds=1)

    assert next_width(hour, second, 0.001) == hour
    assert next_width(hour, hour, 0.001) == 8 * hour
    assert next_width(hour, hour, 0.001, is_empty=True) == 2 * hour
    assert next_width(hour, hour, 2.0, is_empty=True) == hour / 2
    assert next_width(hour, second, 2.0) == second


@given(days=st.floats(0, 3_000_000), seconds=costs)
def test_a_width_stays_within_its_bounds(days: float, seconds: float) -> None:
    width = timedelta(days=days)

    for next_one in (next_width(width, width, seconds), narrower(width)):
        assert LEAST_WIDTH <= next_one <= timedelta(days=4_000_000)


def test_a_span_of_years_is_a_handful_of_cheap_slices() -> None:
    rest = Span(since=datetime(2000, 1, 1, tzinfo=UTC), until=datetime(2026, 1, 1, tzinfo=UTC))
    width, slices = FIRST_WIDTH, 0

    while not rest.is_empty:
        piece, rest = cut_newest(rest, width)
        width, slices = next_width(width, piece.length, 0.001), slices + 1

    assert slices == 9


@given(span=spans, most=st.integers(1, 500))
def test_buckets_cover_the_span_without_gaps(span: Span, most: int) -> None:
    width = bucket_width(span, most=most)
    starts = list(starts_of(span, width))

    assert len(starts) == buckets_of(span, width) <= max(most, 2)
    assert starts[0] <= span.since < starts[0] + min(width, span.until - starts[0])
    assert all(later - earlier == width for earlier, later in pairwise(starts))
    assert span.until - starts[-1] <= width


@pytest.mark.parametrize(
    ("length", "width"),
    [
        (timedelta(minutes=1), timedelta(seconds=1)),
        (timedelta(minutes=15), timedelta(seconds=15)),
        (timedelta(hours=1), timedelta(minutes=1)),
        (timedelta(days=1), timedelta(minutes=30)),
        (timedelta(days=7), timedelta(hours=3)),
    ],
)
def test_buckets_are_of_lengths_that_people_count_in(length: timedelta, width: timedelta) -> None:
    since = datetime(2026, 11, 16, tzinfo=UTC)

    assert bucket_width(Span(since=since, until=since + length), most=60) == width
    assert width in LADDER


def cursor_at(span: Span, record: int | None) -> Cursor:
    return Cursor(
        since=span.since,
        until=span.until,
        moment=span.since,
        record_id=None if record is None else UUID(int=record),
        correlation_id=None if record is None else "c-1",
    )


@given(span=spans, record=st.none() | st.integers(0, 2**128 - 1), search=st.text(max_size=20))
def test_a_cursor_reads_as_it_was_written(span: Span, record: int | None, search: str) -> None:
    cursor = cursor_at(span, record)

    assert read_log_cursor(write_log_cursor(cursor, search), search) == cursor


@given(span=spans, place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_cursor_with_one_bit_altered_is_refused(span: Span, place: int, bit: int) -> None:
    whole = bytearray(base64.urlsafe_b64decode(write_log_cursor(cursor_at(span, 7), "a")))
    whole[place % len(whole)] ^= 1 << bit

    with pytest.raises(InvalidCursor):
        read_log_cursor(base64.urlsafe_b64encode(bytes(whole)).decode(), "a")


@given(st.text(max_size=100))
def test_no_other_text_is_a_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor):
        read_log_cursor(text, "")
