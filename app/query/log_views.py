"""The shapes that a search answers with, as JSON."""

from datetime import datetime

import msgspec

from app.query.views import RecordView


class LogView(RecordView, frozen=True, kw_only=True):
    """One log record."""

    correlation_id: str


class Searched(msgspec.Struct, frozen=True, kw_only=True):
    """What was searched."""

    query: str
    """As the service read it."""
    since: datetime = msgspec.field(name="from")
    until: datetime = msgspec.field(name="to")
    """Records at this very moment are not among them."""
    stopped_at: datetime | None
    """The time was up: what is older than this was not searched. Null: all was."""


class LogPage(Searched, frozen=True, kw_only=True):
    records: tuple[LogView, ...]
    """Newest first."""
    next: str | None
    """Cursor of what is older, for `?after=`; null when there is no more."""
    hint: str | None = None
    """Why nothing may have been found: a service, environment, release or known issue of the query
    that nobody heard of, with the nearest one. Null when there is nothing to tell."""


class BucketView(msgspec.Struct, frozen=True, kw_only=True):
    start: datetime
    count: int
    values: dict[str, int]
    """By the value of the field that it is split by; the empty text: records without one."""
    others: int
    """Records of values that are not among the most frequent ones."""


class HistogramView(Searched, frozen=True, kw_only=True):
    bucket_seconds: int
    split: str | None
    values: tuple[str, ...]
    """The most frequent values of the field, the most frequent first."""
    total: int
    buckets: tuple[BucketView, ...]
    """Every one of the time searched, also those without records, the oldest first."""


class FacetValue(msgspec.Struct, frozen=True, kw_only=True):
    value: str | None
    """Null: records without one."""
    count: int


class FacetsView(Searched, frozen=True, kw_only=True):
    total: int
    facets: dict[str, tuple[FacetValue, ...]]
    """By field, the most frequent values first; an attribute is `attr.` and its name, and has no
    values at all when no record has it."""


class ContextView(msgspec.Struct, frozen=True, kw_only=True):
    """What one instance of a service logged around a record, in the order of time."""

    before: tuple[LogView, ...]
    record: LogView
    after: tuple[LogView, ...]
