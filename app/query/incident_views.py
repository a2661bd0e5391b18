"""The shapes that readers of incidents get, as JSON."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.catalogue.model import Tier
from app.correlate.model import Confidence
from app.incidents.tables import EventKind, IncidentStatus
from app.query.views import MatchView, SignatureView


class IncidentSummary(msgspec.Struct, frozen=True, kw_only=True):
    incident_id: UUID
    status: IncidentStatus
    title: str
    culprit: str
    root_signature_id: str
    """The signature that opened it."""
    services: tuple[str, ...]
    root_services: tuple[str, ...]
    """Where its roots were raised."""
    environments: tuple[str, ...]
    releases: tuple[str, ...]
    """In lists the first 20 of each of these; all that are kept in `GET /incidents/{id}`."""
    services_total: int
    root_services_total: int
    environments_total: int
    releases_total: int
    first_seen: datetime
    last_seen: datetime
    chains: int
    records: int
    incomplete: int
    """Chains of which records are missing that may hold the root."""
    regressions: int
    """How often it came back after it was resolved."""
    merged_into: UUID | None
    """The incident that it is part of now."""
    known: bool
    """False: the catalogue does not explain it."""
    known_issue_id: str | None
    known_issue_title: str | None
    tier: Tier | None


class IncidentPage(msgspec.Struct, frozen=True, kw_only=True):
    incidents: tuple[IncidentSummary, ...]
    next: str | None
    """Cursor of the next page, for `?after=`; null on the last one."""


class SampleChain(msgspec.Struct, frozen=True, kw_only=True):
    correlation_id: str
    root_signature_id: str
    root_service: str
    root_at: datetime
    services: tuple[str, ...]
    records: int
    errors: int
    incomplete: bool
    confidence: Confidence
    reasons: tuple[str, ...]
    first_at: datetime
    last_at: datetime


class IncidentRoot(msgspec.Struct, frozen=True, kw_only=True):
    """A signature whose chains go to the incident."""

    signature_id: str
    title: str
    culprit: str
    chains: int


class IncidentFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A known issue whose chain rules held."""

    chains: int
    match: MatchView


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to an incident."""

    event_id: UUID
    happened_at: datetime
    kind: EventKind
    done_by: str
    """Empty: the service itself."""
    details: dict[str, Any]


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    events: tuple[EventView, ...]
    """Newest first."""
    next: str | None


class HourCount(msgspec.Struct, frozen=True, kw_only=True):
    chains: int
    """Failing chains with an error of this service."""
    errors: int


class HourView(msgspec.Struct, frozen=True, kw_only=True):
    hour: datetime
    services: dict[str, HourCount]
    """Empty in an hour without errors."""


class HoursView(msgspec.Struct, frozen=True, kw_only=True):
    hours: tuple[HourView, ...]
    """Every hour asked for, the oldest first."""


class IncidentStanding(IncidentSummary, frozen=True, kw_only=True):
    """All that stands in the row of an incident."""

    version: int
    """As in the `ETag`, which `If-Match` of a change repeats."""
    opened_at: datetime
    resolved_at: datetime | None
    resolved_in_release: str | None
    regressed_at: datetime | None
    muted_until: datetime | None
    muted_until_chains: int | None
    """Muted until it has so many chains in all."""
    muted_above_hourly: int | None
    """Muted until more chains than this come in an hour."""


class IncidentView(IncidentStanding, frozen=True, kw_only=True):
    match: MatchView | None
    """The known issue of the root signature; else the one found in most of its chains."""
    findings: tuple[IncidentFinding, ...]
    """Known issues whose chain rules held, those of most chains first."""
    signature: SignatureView
    roots: tuple[IncidentRoot, ...]
    symptoms: tuple[SignatureView, ...]
    """Signatures that only followed the root down its chains."""
    confidence: Confidence | None
    """How sure the root of the newest chain is, and why."""
    reasons: tuple[str, ...]
    sample_chains: tuple[SampleChain, ...]
    """The latest, newest first."""
    history: tuple[EventView, ...]
    """The newest events, newest first; `/events` has them all."""
