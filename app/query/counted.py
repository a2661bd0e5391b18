"""What of a search counts can answer, and what is left to the records. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.query.buckets import ORIGIN
from app.query.search import Search
from app.query.search.model import (
    And,
    Column,
    Everything,
    Field,
    Has,
    Issue,
    Level,
    Not,
    Or,
    Presence,
)
from app.query.slices import Span
from app.store.count_queries import GRAINS

_HELD_COLUMNS: Final = frozenset(
    {Column.SERVICE, Column.ENVIRONMENT, Column.RELEASE, Column.INSTANCE, Column.SIGNATURE}
)
_HELD_PRESENCES: Final = frozenset(
    {
        Presence.SERVICE,
        Presence.ENVIRONMENT,
        Presence.RELEASE,
        Presence.INSTANCE,
        Presence.SIGNATURE,
        Presence.ISSUE,
    }
)


class Cover(msgspec.Struct, frozen=True, kw_only=True):
    """A span, taken apart: each moment of it is in one of these."""

    counted: tuple[tuple[int, Span], ...] = ()
    """From counts of so many seconds, the newest included; each begins and ends with one."""
    scanned: tuple[Span, ...] = ()
    """From the records themselves."""


def is_held(search: Search) -> bool:
    """Whether counts tell its records apart: it asks for nothing but what they are kept by."""
    match search:
        case And() | Or():
            return all(is_held(part) for part in search.parts)
        case Not():
            return is_held(search.part)
        case Field():
            return search.column in _HELD_COLUMNS
        case Has():
            return search.what in _HELD_PRESENCES
        case _:
            return isinstance(search, Everything | Level | Issue)


def usable_grains(start: datetime, width: timedelta) -> tuple[int, ...]:
    """Seconds of the counts that each lie within one bucket, when one begins at `start`."""
    return tuple(
        grain
        for grain in GRAINS
        if not (width % timedelta(seconds=grain) or _into(start, timedelta(seconds=grain)))
    )


def cover_of(span: Span, whole: Iterable[Span], grains: Sequence[int]) -> Cover:
    """By the coarsest counts of the parts of the span whose counts are whole."""
    counted: list[tuple[int, Span]] = []
    scanned: list[Span] = []
    moment = span.since
    for part in sorted(whole, key=lambda one: one.since):
        pieces = _by_grain(part, tuple(reversed(grains)))
        if pieces:
            scanned.append(Span(since=moment, until=pieces[0][1].since))
            counted += pieces
            moment = pieces[-1][1].until
    scanned.append(Span(since=moment, until=span.until))
    return Cover(counted=tuple(counted), scanned=tuple(one for one in scanned if not one.is_empty))


def _by_grain(span: Span, grains: Sequence[int]) -> list[tuple[int, Span]]:
    """The most of it that is made of whole counts, from the coarsest grain to the finest."""
    if not grains or span.is_empty:
        return []
    inner = _whole_grains(span, timedelta(seconds=grains[0]))
    if inner is None:
        return _by_grain(span, grains[1:])
    before = _by_grain(Span(since=span.since, until=inner.since), grains[1:])
    after = _by_grain(Span(since=inner.until, until=span.until), grains[1:])
    return [*before, (grains[0], inner), *after]


def _whole_grains(span: Span, grain: timedelta) -> Span | None:
    if span.length < grain:
        return None
    # Within the span: neither can leave the years there are.
    since = span.since + (grain - _into(span.since, grain)) % grain
    until = span.until - _into(span.until, grain)
    return Span(since=since, until=until) if since < until else None


def _into(moment: datetime, grain: timedelta) -> timedelta:
    return (moment - ORIGIN) % grain
