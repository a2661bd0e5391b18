"""Tables of the incident room. `incident_chains` is distributed by `correlation_id`."""

import enum

from sqlalchemy import (
    ARRAY,
    BigInteger,
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
from sqlalchemy.dialects.postgresql import ENUM

from app.database import Token, metadata


class IncidentStatus(enum.StrEnum):
    """Where an incident stands in its life."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    MUTED = "muted"


incident_status = ENUM(
    IncidentStatus,
    name="incident_status",
    metadata=metadata,
    values_callable=lambda statuses: [status.value for status in statuses],
)
_moment = DateTime(timezone=True)
_empty_texts = text("'{}'::text[]")

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("root_signature_id", Token, nullable=False),
    Column("status", incident_status, nullable=False, server_default="open"),
    Column("services", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("environments", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("releases", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("first_seen", _moment, nullable=False),
    Column("last_seen", _moment, nullable=False),
    Column("chains", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("opened_at", _moment, nullable=False, server_default=func.now()),
    Column("resolved_at", _moment),
    Index(
        "uq_incidents_open_root",
        "root_signature_id",
        unique=True,
        postgresql_where=text("status <> 'resolved'::incident_status"),
    ),
    Index("ix_incidents_last_seen", "last_seen", "incident_id"),
)

# What each failing chain was found to say, and so what it added to its incident.
incident_chains = Table(
    "incident_chains",
    metadata,
    Column("correlation_id", Token, primary_key=True),
    Column("incident_id", Uuid, nullable=False),
    Column("root_record_id", Uuid, nullable=False),
    Column("root_signature_id", Token, nullable=False),
    Column("root_service", Text, nullable=False),
    Column("symptoms", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("services", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("records", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("first_at", _moment, nullable=False),
    Column("last_at", _moment, nullable=False),
    Column("digested_at", _moment, nullable=False, server_default=func.now()),
    Index("ix_incident_chains_incident", "incident_id", "last_at"),
)
