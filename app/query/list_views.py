"""The shapes of lists: chains, signatures, services, gaps."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.catalogue.model import Tier
from app.correlate.model import Confidence
from app.incidents.tables import IncidentStatus


class ChainSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A failing chain, by one of its roots: with two independent ones it is listed twice."""

    correlation_id: str
    root_signature_id: str
    title: str
    root_service: str
    root_at: datetime
    incident_id: UUID
    known: bool
    known_issue_id: str | None
    known_issue_title: str | None
    confidence: Confidence
    incomplete: bool
    services: tuple[str, ...]
    environments: tuple[str, ...]
    releases: tuple[str, ...]
    records: int
    errors: int
    first_at: datetime
    last_at: datetime


class ChainPage(msgspec.Struct, frozen=True, kw_only=True):
    chains: tuple[ChainSummary, ...]
    """By when the root was raised, newest first."""
    next: str | None


class SignatureSummary(msgspec.Struct, frozen=True, kw_only=True):
    signature_id: str
    title: str
    exception_type: str
    culprit: str
    records: int
    first_seen: datetime
    last_seen: datetime
    services: tuple[str, ...]
    """Where it was raised, most records first; at most 20, counted since counting began."""
    known: bool
    known_issue_id: str | None
    known_issue_title: str | None
    tier: Tier | None
    incident_id: UUID | None
    """The incident that its chains go to, when it is or was a root."""
    incident_status: IncidentStatus | None


class SignaturePage(msgspec.Struct, frozen=True, kw_only=True):
    signatures: tuple[SignatureSummary, ...]
    """By when it was first seen, newest first: so pages do not shift as counts go on."""
    next: str | None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A release, or an instance, of a service in the window."""

    name: str
    records: int
    errors: int
    last_seen: datetime


class ServiceView(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    records: int
    errors: int
    error_share: float
    """Errors of records, 0 to 1."""
    records_per_minute: float
    last_seen: datetime
    environments: tuple[str, ...]
    releases: tuple[Part, ...]
    """The latest first, at most 20."""
    instances: tuple[Part, ...]
    """The latest first, at most 20."""
    instance_count: int
    missing_records: int
    """Numbered by its senders and never received, as far back as their numbering is known."""
    senders_with_gaps: int


class ServicePage(msgspec.Struct, frozen=True, kw_only=True):
    since: datetime
    """Where the window begins: a whole hour."""
    counted_until: datetime | None
    """Later records are not counted yet; null before the first count."""
    services: tuple[ServiceView, ...]
    """By name."""
    next: str | None


class SenderGaps(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    instance: str
    missing_records: int
    ranges: tuple[tuple[int, int], ...]
    """The newest twenty, both ends included."""
    range_count: int
    missing_since: datetime | None
    """Since when a number is missing that no event told of yet."""
    newest_at: datetime
    """When it was last heard of."""


class GapPage(msgspec.Struct, frozen=True, kw_only=True):
    senders: tuple[SenderGaps, ...]
    """By service and instance."""
    next: str | None
