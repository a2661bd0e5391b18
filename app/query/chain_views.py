"""The shapes in which readers get a chain, as JSON."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.catalogue.model import Evidence
from app.correlate.model import Confidence, Gap, Skew
from app.query.views import ErrorView, MatchView, RecordView


class SymptomView(msgspec.Struct, frozen=True, kw_only=True):
    """An error that a root explains."""

    record_id: UUID
    service: str
    title: str
    reason: str


class RootView(msgspec.Struct, frozen=True, kw_only=True):
    """Where a failure began, and why that is thought."""

    service: str
    """Where it began; not `error.service` when only a report of it arrived."""
    inferred: bool
    """True when the root's own record never arrived: `error` is the nearest report of it."""
    confidence: Confidence
    reasons: tuple[str, ...]
    error: ErrorView
    match: MatchView | None
    incident_id: UUID | None
    symptoms: tuple[SymptomView, ...]
    retries: int
    """Further failed attempts of the same call."""


class FindingView(msgspec.Struct, frozen=True, kw_only=True):
    """A known issue that the chain shows by what happened, in which order, or did not happen."""

    known_issue_id: str
    title: str
    evidence: tuple[Evidence, ...]
    record_id: UUID
    """The record where it shows."""
    incident_id: UUID | None
    """Its own incident, when nothing in the chain is an error."""


class CallView(msgspec.Struct, frozen=True, kw_only=True):
    """What one service did for one request of its caller: one bar of a waterfall."""

    service: str
    instance: str | None
    span_id: str | None
    parent: int | None
    """Place of the caller among the calls."""
    depth: int
    records: tuple[int, ...]
    """Places of its records."""
    first_at: datetime
    last_at: datetime
    failing: bool


class ChainView(msgspec.Struct, frozen=True, kw_only=True):
    """All records with one correlation ID, in causal order."""

    correlation_id: str
    services: tuple[str, ...]
    """In the order they were reached."""
    failing: bool
    root: ErrorView | None
    """The error that stands for the first root."""
    match: MatchView | None
    """The known issue that explains it; null when the catalogue does not."""
    settled: bool
    """False while a failing chain waits for the digest; then it has no incident yet."""
    incident_id: UUID | None
    roots: tuple[RootView, ...]
    """Independent failures; mostly one."""
    findings: tuple[FindingView, ...]
    evidence_incomplete: bool
    """Records are missing that might tell of another root."""
    gaps: tuple[Gap, ...]
    skews: tuple[Skew, ...]
    """Clocks that cannot be right, as the calls show. No time was rewritten."""
    calls: tuple[CallView, ...]
    errors: tuple[ErrorView, ...]
    records: tuple[RecordView, ...]
    capped: bool
    """True when the chain holds more records than are shown."""
    from_evidence: bool
    """True when the records are gone, and this is what an incident kept of them."""
