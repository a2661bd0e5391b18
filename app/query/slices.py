"""A span of time, cut from one end into slices that each cost about the same. Pure.

Fresh records have no index by time or by word: what is read of them is bounded by the slice. Where
a slice was cheap the next is wider, so that seven quiet days are a handful of statements.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

FIRST_WIDTH: Final = timedelta(minutes=2)
LEAST_WIDTH: Final = timedelta(seconds=1)
_CHEAP_SECONDS: Final = 0.05
_FAIR_SECONDS: Final = 0.25
_DEAR_SECONDS: Final = 1.0
_PAST_NOTHING: Final = 2.0
_FAILED: Final = 1 / 16
_MOST_DAYS: Final = 4_000_000


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """`since` belongs to it, `until` does not."""

    since: datetime
    until: datetime

    @property
    def is_empty(self) -> bool:
        return self.since >= self.until

    @property
    def length(self) -> timedelta:
        return self.until - self.since


def cut_newest(span: Span, width: timedelta, marks: Sequence[datetime] = ()) -> tuple[Span, Span]:
    """A slice of its newest end, which goes no further than the next mark, and the rest."""
    passed = (mark for mark in marks if span.since < mark < span.until)
    cut = max(span.until - min(width, span.length), *passed, span.since)
    return Span(since=cut, until=span.until), Span(since=span.since, until=cut)


def cut_oldest(span: Span, width: timedelta) -> tuple[Span, Span]:
    cut = span.since + min(width, span.length)
    return Span(since=span.since, until=cut), Span(since=cut, until=span.until)


def next_width(
    width: timedelta, length: timedelta, seconds: float, *, is_empty: bool = False
) -> timedelta:
    """How wide the next slice is, when one was to be so wide, was so long, and took so long.

    One that a mark made short, and that cost little, tells nothing against the width. One in which
    nothing was found tells little for it: what comes next may be full, as now is after the future.
    """
    factor = 0.5
    if seconds < _DEAR_SECONDS:
        factor = 1.0
    if seconds < _FAIR_SECONDS:
        factor = 3.0
    if seconds < _CHEAP_SECONDS:
        factor = 8.0
    if is_empty:
        factor = min(factor, _PAST_NOTHING)
    grown = _scaled(length, factor)
    return max(grown, width) if factor > 1 else grown


def narrower(width: timedelta) -> timedelta:
    """How wide to try again, when a slice of this width was not done in time."""
    return _scaled(width, _FAILED)


def _scaled(width: timedelta, factor: float) -> timedelta:
    days = width / timedelta(days=1) * factor
    return max(LEAST_WIDTH, timedelta(days=min(days, _MOST_DAYS)))
