"""Counts by time: which buckets a span has. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from app.query.slices import Span

ORIGIN: Final = datetime(1970, 1, 5, tzinfo=UTC)
"""A Monday, midnight: where every bucket's edge is counted from."""
LADDER: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (
        1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
        86_400, 172_800, 604_800, 1_209_600, 2_419_200,
    )
)  # fmt: skip


def bucket_width(span: Span, *, most: int) -> timedelta:
    """The smallest of the ladder with which the span has at most so many buckets."""
    for width in LADDER:
        if buckets_of(span, width) <= most:
            return width
    width = LADDER[-1]
    while buckets_of(span, width) > most:
        width *= 2
    return width


def buckets_of(span: Span, width: timedelta) -> int:
    return -(-(span.until - start_of(span.since, width)) // width)


def start_of(moment: datetime, width: timedelta) -> datetime:
    """The edge at or before a moment; before the year 1 there is none, then the moment itself."""
    into = (moment - ORIGIN) % width
    return moment - min(into, moment - datetime.min.replace(tzinfo=UTC))


def starts_of(span: Span, width: timedelta) -> Iterator[datetime]:
    """The edges of every bucket of a span, the oldest first."""
    start = start_of(span.since, width)
    for n in range(buckets_of(span, width)):
        yield start + n * width
