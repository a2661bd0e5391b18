"""What was sent held against what is found: which records are well and which are not. Pure."""

import enum
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.canary.chains import KnownRecord


class Outcome(enum.Enum):
    """What became of a record; the closed set of the metric's label."""

    READABLE = "readable"
    LATE = "late"
    """Readable, but later than it should be."""
    MISSING = "missing"
    """Acknowledged, and not readable at the end of the wait, or not any more."""
    ALTERED = "altered"
    """Readable with other content than was sent."""
    DOUBLED = "doubled"
    """A row beyond the one of each record; counted by itself, beside its record's own outcome."""
    REFUSED = "refused"
    """The service said no, also when asked again: it owes nothing."""
    UNANSWERED = "unanswered"
    """No answer came: stored or not, both are right."""
    UNREAD = "unread"
    """Acknowledged, and the service could not be asked for it at the end, or was asked too soon."""


FAULTS = frozenset({Outcome.MISSING, Outcome.ALTERED, Outcome.DOUBLED})


class Answer(enum.Enum):
    """What the service said to a record."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    NONE = "none"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One record as `GET /api/chains/…` shows it; of its fields those that the canary sets."""

    record_id: UUID
    occurred_at: datetime
    service: str
    level: str
    message: str
    instance: str | None
    sequence: int | None
    attributes: dict[str, Any]


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One record, what was said to it, and when it was first seen."""

    record: KnownRecord
    answer: Answer
    readable_after: float | None = None
    """Seconds from its acknowledgement to the answer that showed it; None: never seen."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of every record sent, and how many rows are too many."""

    outcomes: Mapping[UUID, Outcome]
    doubled: int = 0

    def counts(self) -> Counter[Outcome]:
        """Outcome -> records; of doubled ones the rows too many."""
        counted = Counter(self.outcomes.values())
        if self.doubled:
            counted[Outcome.DOUBLED] = self.doubled
        return counted


def judge(
    sent: Sequence[Delivery], found: Sequence[Row] | None, *, late_after: float, waited: bool
) -> Verdict:
    """The verdict on one chain.

    `found` is None when the service could not be asked at the end; `waited` is false when it was
    asked before the wait was over. Then an unseen record is not called missing.
    """
    rows: dict[UUID, list[Row]] = {}
    for row in found or ():
        rows.setdefault(row.record_id, []).append(row)
    outcomes = {
        one.record.record_id: _outcome(
            one,
            rows.get(one.record.record_id, []),
            late_after=late_after,
            asked=found is not None,
            waited=waited,
        )
        for one in sent
    }
    return Verdict(outcomes=outcomes, doubled=len(found or ()) - len(rows.keys() & outcomes.keys()))


def _outcome(
    one: Delivery, rows: list[Row], *, late_after: float, asked: bool, waited: bool
) -> Outcome:
    if rows and not any(_same(one.record, row) for row in rows):
        return Outcome.ALTERED
    if one.answer is Answer.REFUSED:
        return Outcome.REFUSED
    if one.answer is Answer.NONE:
        return Outcome.UNANSWERED
    # Also of what was seen before: it may have vanished since.
    if not asked:
        return Outcome.UNREAD
    if not rows:
        vanished = one.readable_after is not None
        return Outcome.MISSING if waited or vanished else Outcome.UNREAD
    prompt = one.readable_after is not None and one.readable_after <= late_after
    return Outcome.READABLE if prompt else Outcome.LATE


def _same(record: KnownRecord, row: Row) -> bool:
    return (
        row.occurred_at == (record.timestamp or row.occurred_at)
        and (row.service, row.level, row.message) == (record.service, record.level, record.message)
        and (row.instance, row.sequence) == (record.instance, record.sequence)
        and row.attributes == record.attributes
    )
