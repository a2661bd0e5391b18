"""The shapes that readers get, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.catalogue.model import Evidence, Tier
from app.normalise.record import ReportedException, Severity


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a known issue stands, lines counted from 1."""

    document: str
    heading_path: tuple[str, ...]
    first_line: int
    last_line: int
    origin: str


class KnownIssueSummary(msgspec.Struct, frozen=True, kw_only=True):
    known_issue_id: str
    version: int
    title: str
    severity: str | None
    tags: tuple[str, ...]
    source: Source


class KnownIssueView(KnownIssueSummary, frozen=True, kw_only=True):
    symptoms: str
    causes: str
    fix: str
    lesson: str
    caution: str
    affected_files: tuple[str, ...]
    signatures: int
    """How many stored signatures it explains."""
    confirmed: int
    rejected: int
    judged: int
    """Matches of which an engineer said whether they are right."""
    precision: float | None
    """Confirmed of judged; null until somebody judged one."""
    quarantined: bool
    """Left out of matching: it hits more than 1 % of chains in which nothing failed."""
    healthy_chains: int
    healthy_hits: int


class Debt(msgspec.Struct, frozen=True, kw_only=True):
    """An error that no document explains, and how much it hurts."""

    signature_id: str
    title: str
    culprit: str
    records: int
    chains: int
    """Chains that it was the root of."""
    services: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime


class MatchView(msgspec.Struct, frozen=True, kw_only=True):
    """Which known issue an error is, and why."""

    known_issue_id: str
    version: int | None = None
    """The version of the entry that was shown; null for a match made just now."""
    newest_version: int | None = None
    """A larger one when the entry was changed since; null when it was retired."""
    title: str
    tier: Tier
    score: float
    evidence: tuple[Evidence, ...]
    borrowed_from: str = ""
    """The default entry whose rules held, when the entry's document has none of its own."""
    lost: str = ""
    """Why a match that is not the first is not the first."""
    fix: str
    caution: str
    source: Source


class MatchAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`known` is false when the catalogue does not explain the error: then `match` is null."""

    known: bool
    match: MatchView | None
    others: tuple[MatchView, ...] = ()
    """Entries that also hold, each with why it lost; suggestions, when they were asked for."""


class RecordView(msgspec.Struct, frozen=True, kw_only=True):
    record_id: UUID
    occurred_at: datetime
    received_at: datetime
    service: str
    level: Severity
    message: str
    environment: str | None
    release: str | None
    instance: str | None
    span_id: str | None
    parent_span_id: str | None
    sequence: int | None
    signature_id: str | None
    exception: ReportedException | None
    attributes: dict[str, Any]
    annotations: tuple[str, ...]


class SignatureView(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of an error and what it was made from."""

    signature_id: str
    version: str
    exception_type: str
    title: str
    message: str
    culprit: str
    callee: str
    caller: str
    explanation: dict[str, Any]
    sample: str
    """What the first record with this signature said."""
    first_seen: datetime
    last_seen: datetime
    records: int


class ErrorView(msgspec.Struct, frozen=True, kw_only=True):
    """One error of a chain."""

    record_id: UUID
    occurred_at: datetime
    service: str
    message: str
    """What was logged; `title` is what all errors of its signature share."""
    signature_id: str
    title: str
    culprit: str
    known_issue_id: str | None
