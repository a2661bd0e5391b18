"""Tables of the incident room. `incident_chains` is distributed by `correlation_id`."""

import enum
from typing import Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from app.correlate.model import Confidence
from app.database import Token, metadata

NAMES_KEPT: Final = 1000
"""Most services, environments, releases of an incident that are kept; the first stay."""
NAMES_SHOWN: Final = 20
"""So many of them stand in events and lists."""


class IncidentStatus(enum.StrEnum):
    """Where an incident stands in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    MUTED = "muted"


class EventKind(enum.StrEnum):
    """What can happen to an incident, and what else people are told of."""

    OPENED = "opened"
    REGRESSED = "regressed"
    WORSENED = "worsened"
    """It was muted until it got worse, or until so many chains, and did."""
    UNMUTED = "unmuted"
    """It was muted until a time, which is past; or somebody ended the silence."""
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    MUTED = "muted"
    MERGED = "merged"
    SPLIT = "split"
    NOTED = "noted"
    ISSUE_RATE = "issue_rate"
    """A known issue shows more often than its threshold."""
    GAP = "gap"
    CANARY_LOSS = "canary_loss"


def _enum(values: type[enum.StrEnum], name: str) -> ENUM:
    return ENUM(
        values,
        name=name,
        metadata=metadata,
        values_callable=lambda members: [member.value for member in members],
    )


incident_status = _enum(IncidentStatus, "incident_status")
event_kind = _enum(EventKind, "event_kind")
root_confidence = _enum(Confidence, "root_confidence")
_moment = DateTime(timezone=True)
_empty_texts = text("'{}'::text[]")
_empty_json = text("'{}'::jsonb")

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    # The signature that opened it; all that belong to it stand in `incident_roots`.
    Column("root_signature_id", Token, nullable=False),
    Column("status", incident_status, nullable=False, server_default="open"),
    # Counts what people and transitions change, not what chains add: the ETag.
    Column("version", Integer, nullable=False, server_default="1"),
    Column("services", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("root_services", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("environments", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("releases", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("first_seen", _moment, nullable=False),
    Column("last_seen", _moment, nullable=False),
    Column("chains", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    # Chains of which records are missing that may hold the root.
    Column("incomplete", BigInteger, nullable=False, server_default="0"),
    Column("opened_at", _moment, nullable=False, server_default=func.now()),
    Column("resolved_at", _moment),
    Column("resolved_in_release", Text),
    Column("regressions", Integer, nullable=False, server_default="0"),
    Column("regressed_at", _moment),
    Column("muted_until", _moment),
    Column("muted_until_chains", BigInteger),
    Column("muted_above_hourly", Integer),
    Column("merged_into", Uuid),
    Index("ix_incidents_last_seen", "last_seen", "incident_id"),
    Index("ix_incidents_merged", "merged_into", postgresql_where=text("merged_into IS NOT NULL")),
)

# Which incident the chains of a root signature go to: one, whatever its status.
incident_roots = Table(
    "incident_roots",
    metadata,
    Column("root_signature_id", Token, primary_key=True),
    Column("incident_id", Uuid, nullable=False),
    Index("ix_incident_roots_incident", "incident_id"),
)

# The history of incidents, and the outbox of alerts: an event is routed once.
events = Table(
    "events",
    metadata,
    Column("event_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("happened_at", _moment, nullable=False, server_default=func.clock_timestamp()),
    Column("kind", event_kind, nullable=False),
    Column("incident_id", Uuid),
    # Empty: the service itself.
    Column("done_by", Text, nullable=False, server_default=""),
    Column("details", JSONB, nullable=False, server_default=_empty_json),
    Column("routed_at", _moment),
    Index("ix_events_incident", "incident_id", "happened_at"),
    Index("ix_events_unrouted", "happened_at", postgresql_where=text("routed_at IS NULL")),
)

# What each failing chain was found to say, and so what it added to its incident: a row a root.
incident_chains = Table(
    "incident_chains",
    metadata,
    Column("correlation_id", Token, primary_key=True),
    Column("root_signature_id", Token, primary_key=True),
    Column("incident_id", Uuid, nullable=False),
    Column("root_record_id", Uuid, nullable=False),
    Column("root_service", Text, nullable=False),
    Column("root_at", _moment, nullable=False),
    Column("symptoms", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("services", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("records", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("errors_by_service", JSONB, nullable=False, server_default=_empty_json),
    Column("confidence", root_confidence, nullable=False, server_default="likely"),
    Column("reasons", ARRAY(Text), nullable=False, server_default=_empty_texts),
    # Known issues whose chain rules held.
    Column("findings", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("environments", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("releases", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("incomplete", Boolean, nullable=False, server_default=text("false")),
    Column("first_at", _moment, nullable=False),
    Column("last_at", _moment, nullable=False),
    Column("digested_at", _moment, nullable=False, server_default=func.now()),
    Index("ix_incident_chains_incident", "incident_id", "root_at"),
    Index("ix_incident_chains_root_at", "root_at", "correlation_id", "root_signature_id"),
)

# Chains that failed, and their errors, by the hour of the root and by service.
incident_hours = Table(
    "incident_hours",
    metadata,
    Column("incident_id", Uuid, primary_key=True),
    Column("hour", _moment, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("chains", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
)

# Chains that failed, by when their first root did and by what failed: whatever incidents they are
# moved to, and whatever the catalogue learns, it stays true.
failing_counts = Table(
    "failing_counts",
    metadata,
    Column("seconds", Integer, primary_key=True, autoincrement=False),
    Column("start", _moment, primary_key=True),
    Column("roots", ARRAY(Text), primary_key=True),
    # Those of the roots that chain rules explain.
    Column("by_rule", ARRAY(Text), primary_key=True),
    Column("chains", BigInteger, nullable=False),
)

# Known issues that explain the chains of an incident by their chain rules.
incident_findings = Table(
    "incident_findings",
    metadata,
    Column("incident_id", Uuid, primary_key=True),
    Column("known_issue_id", Text, primary_key=True),
    Column("chains", BigInteger, nullable=False),
    Column("evidence", JSONB, nullable=False),
)

# Sample chains that outlive the retention of log records.
incident_evidence = Table(
    "incident_evidence",
    metadata,
    Column("correlation_id", Token, primary_key=True),
    Column("incident_id", Uuid, primary_key=True),
    Column("kept_at", _moment, nullable=False, server_default=func.now()),
    Column("records", JSONB, nullable=False),
    Index("ix_incident_evidence_incident", "incident_id", "kept_at"),
)
