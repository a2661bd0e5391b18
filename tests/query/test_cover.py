"""What of a span counts answer, and what is left to the records."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.query.counted import cover_of, is_held
from app.query.search import parse_search
from app.query.slices import Span
from app.store.count_queries import GRAINS
from tests.query.world import SEARCHES

_moments = st.datetimes(datetime(2026, 11, 17), datetime(2026, 11, 20)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)
_spans = st.tuples(_moments, _moments).map(lambda two: Span(since=min(two), until=max(two)))


@given(_spans, st.lists(_spans, max_size=4), st.sampled_from([(), (60,), (60, 900), GRAINS]))
def test_every_moment_of_a_span_is_counted_or_scanned_once(
    span: Span, parts: list[Span], grains: tuple[int, ...]
) -> None:
    whole = merged(parts, within=span)

    cover = cover_of(span, whole, grains)

    pieces = sorted([*(one for _, one in cover.counted), *cover.scanned], key=lambda one: one.since)
    assert all(not one.is_empty for one in pieces)
    edges = [span.since, *(one.until for one in pieces)]
    assert [one.since for one in pieces] == edges[:-1]
    assert span.is_empty or edges[-1] == span.until
    for grain, one in cover.counted:
        assert not any(moment.timestamp() % grain for moment in (one.since, one.until))
        assert any(part.since <= one.since and one.until <= part.until for part in whole)


def merged(parts: Iterable[Span], *, within: Span) -> list[Span]:
    """As PostgreSQL gives them: none empty, none touching another, all within the span."""
    found: list[Span] = []
    for part in sorted(parts, key=lambda one: one.since):
        clipped = Span(since=max(part.since, within.since), until=min(part.until, within.until))
        if clipped.is_empty:
            continue
        if found and clipped.since <= found[-1].until:
            last = found.pop()
            clipped = Span(since=last.since, until=max(last.until, clipped.until))
        found.append(clipped)
    return found


@pytest.mark.parametrize("q", SEARCHES)
def test_a_search_by_what_counts_are_kept_by_is_held(q: str) -> None:
    assert is_held(parse_search(q))


@pytest.mark.parametrize(
    "q", ["paid", "correlation:c-1", "attr.n:1", "service:a OR paid", "-has:exception", "span:1"]
)
def test_a_search_by_anything_else_is_not(q: str) -> None:
    assert not is_held(parse_search(q))
