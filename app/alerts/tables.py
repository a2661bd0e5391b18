"""Tables of the alerts room: where messages go, and the messages themselves."""

import enum

from sqlalchemy import (
    ARRAY,
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

from app.alerts.model import DeliveryState, KnownScope, TargetKind
from app.database import metadata


def _enum(values: type[enum.StrEnum], name: str) -> ENUM:
    return ENUM(
        values,
        name=name,
        metadata=metadata,
        values_callable=lambda members: [member.value for member in members],
    )


alert_target_kind = _enum(TargetKind, "alert_target_kind")
alert_known_scope = _enum(KnownScope, "alert_known_scope")
alert_delivery_state = _enum(DeliveryState, "alert_delivery_state")
_moment = DateTime(timezone=True)
_empty_texts = text("'{}'::text[]")

alert_targets = Table(
    "alert_targets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", alert_target_kind, nullable=False),
    Column("url", Text, nullable=False),
    # In the clear: it signs, so it cannot be a hash. Empty: messages are not signed.
    Column("secret", Text, nullable=False, server_default=""),
    Column("kinds", ARRAY(Text), nullable=False),
    Column("environments", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("services", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("known", alert_known_scope, nullable=False, server_default="both"),
    Column("quiet", JSONB(none_as_null=True)),
    Column("urgent", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    # Why the service itself disabled it.
    Column("disabled_reason", Text, nullable=False, server_default=""),
    Column("per_minute", Integer, nullable=False),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", _moment, nullable=False, server_default=func.clock_timestamp()),
    Column("changed_at", _moment, nullable=False, server_default=func.clock_timestamp()),
)

alert_thresholds = Table(
    "alert_thresholds",
    metadata,
    Column("known_issue_id", Text, primary_key=True),
    Column("chains_per_hour", Integer, nullable=False),
    # Not null: it was told, and has not fallen below since.
    Column("breached_at", _moment),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("changed_at", _moment, nullable=False, server_default=func.clock_timestamp()),
)

# The outbox: a row is a message to one target, and its key is the idempotency key.
alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("delivery_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("target", Text, nullable=False),
    # Null: a summary, which is of no single event.
    Column("event_id", Uuid),
    Column("kind", Text, nullable=False),
    Column("incident_id", Uuid),
    Column("payload", JSONB, nullable=False),
    Column("state", alert_delivery_state, nullable=False, server_default="waiting"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    # While it is being sent: when the lease ends.
    Column("due_at", _moment, nullable=False, server_default=func.clock_timestamp()),
    Column("claimed_at", _moment),
    Column("status", Integer),
    Column("error", Text, nullable=False, server_default=""),
    Column("collapsed_into", Uuid),
    Column("created_at", _moment, nullable=False, server_default=func.clock_timestamp()),
    Column("ended_at", _moment),
    Index("uq_alert_deliveries_event", "event_id", "target", unique=True),
    Index(
        "uq_alert_deliveries_opened",
        "incident_id",
        "target",
        unique=True,
        postgresql_where=text("kind = 'opened'"),
    ),
    Index(
        "ix_alert_deliveries_waiting",
        "target",
        "due_at",
        postgresql_where=text("state = 'waiting'::alert_delivery_state"),
    ),
    Index("ix_alert_deliveries_claimed", "target", "claimed_at"),
    Index("ix_alert_deliveries_incident", "incident_id"),
    Index("ix_alert_deliveries_ended", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
    Index("ix_alert_deliveries_state", "state", "created_at", "delivery_id"),
)
