"""The shape of the overview."""

from datetime import datetime
from uuid import UUID

import msgspec

from app.incidents.tables import IncidentStatus
from app.query.views import Debt


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of what fails is explained."""

    chains: int
    """Failing chains of the window."""
    explained: int
    """By a known issue of their root, or by a chain rule."""
    share: float | None
    """0 to 1; null when nothing failed."""


class IncidentLine(msgspec.Struct, frozen=True, kw_only=True):
    incident_id: UUID
    title: str
    status: IncidentStatus
    known: bool
    known_issue_id: str | None
    chains: int
    """In the window."""
    opened_at: datetime
    last_seen: datetime


class OverviewDebt(msgspec.Struct, frozen=True, kw_only=True):
    signatures: int
    """Root errors that no known issue explains."""
    chains: int
    """How many chains their incidents have in all."""
    worst: tuple[Debt, ...]


class IngestState(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    """As `GET /ingest/health` says it: ok, spooling or unavailable."""
    spool: str
    spooled_records: int
    records: int
    """Received in the window, as far as counted."""
    errors: int
    missing_records: int
    """Of senders heard of in the window, numbered and never received."""


class DigestState(msgspec.Struct, frozen=True, kw_only=True):
    status: str
    chains_waiting: int | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    since: datetime
    coverage: Coverage
    debt: OverviewDebt
    noisiest: tuple[IncidentLine, ...]
    """Incidents by their failing chains in the window."""
    newest: tuple[IncidentLine, ...]
    """By when they were opened."""
    incidents: dict[str, int]
    """How many stand open, acknowledged, muted and resolved."""
    services: int
    """Heard of in the window."""
    known_issues: int
    ingest: IngestState
    digest: DigestState
