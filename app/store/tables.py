"""Tables of the store room. Only migrations create them; `scripts/check.py` holds the two alike.

Citus-legal: records, chains and marks are distributed by `correlation_id`, so every unique key
of theirs holds it; `signatures` is a reference table; no foreign key crosses shards.
"""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    Interval,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, INT8MULTIRANGE, JSONB, TSTZMULTIRANGE

from app.database import Token, metadata
from app.normalise.record import Severity

severity = ENUM(Severity, name="severity", metadata=metadata)
_moment = DateTime(timezone=True)
_empty_json = text("'{}'::jsonb")
_empty_texts = text("'{}'::text[]")

log_records = Table(
    "log_records",
    metadata,
    Column("correlation_id", Token, primary_key=True),
    Column("occurred_at", _moment, primary_key=True),
    Column("record_id", Uuid, primary_key=True),
    Column("received_at", _moment, nullable=False),
    Column("service", Text, nullable=False),
    Column("level", severity, nullable=False),
    Column("message", Text, nullable=False),
    Column("environment", Text),
    Column("release", Text),
    Column("instance", Text),
    Column("span_id", Text),
    Column("parent_span_id", Text),
    Column("sequence", BigInteger),
    Column("signature_id", Token),
    Column("exception", JSONB),
    Column("attributes", JSONB, nullable=False, server_default=_empty_json),
    Column("annotations", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Index("ix_log_records_occurred_at", "occurred_at", postgresql_using="brin"),
    Index(
        "ix_log_records_received_at",
        "received_at",
        postgresql_using="brin",
        postgresql_with={"pages_per_range": 16},
    ),
    Index(
        "ix_log_records_errors",
        "service",
        "occurred_at",
        postgresql_where=text("level >= 'ERROR'::severity"),
    ),
    postgresql_partition_by="RANGE (occurred_at)",
)

signatures = Table(
    "signatures",
    metadata,
    Column("signature_id", Token, primary_key=True),
    Column("version", Text, nullable=False),
    Column("exception_type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("culprit", Text, nullable=False),
    Column("callee", Text, nullable=False),
    Column("caller", Text, nullable=False),
    Column("explanation", JSONB, nullable=False),
    # The record that showed this signature first: what the catalogue is held against.
    Column("sample", JSONB, nullable=False),
    Column("first_seen", _moment, nullable=False),
    Column("last_seen", _moment, nullable=False),
    Column("records", BigInteger, nullable=False),
    Index("ix_signatures_first_seen", "first_seen", "signature_id"),
)

# Chains that hold an error, or show a known issue without one. Insert-only, so that ingest never
# waits for the digest.
failing_chains = Table(
    "failing_chains",
    metadata,
    Column("correlation_id", Token, primary_key=True),
    Column("first_marked_at", _moment, nullable=False, server_default=func.now()),
    Index("ix_failing_chains_first_marked_at", "first_marked_at", postgresql_using="brin"),
)

# The digest's queue: one mark for each batch that touched a failing chain.
chain_marks = Table(
    "chain_marks",
    metadata,
    Column("correlation_id", Token, primary_key=True),
    Column("mark_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("marked_at", _moment, nullable=False, server_default=func.now()),
    Index("ix_chain_marks_marked_at", "marked_at"),
)

# What each batch received of its senders' numbering. Insert-only, like the marks of chains.
sequence_marks = Table(
    "sequence_marks",
    metadata,
    Column("mark_id", Uuid, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("seen", INT8MULTIRANGE, nullable=False),
    Column("marked_at", _moment, nullable=False, server_default=func.now()),
    Index("ix_sequence_marks_marked_at", "marked_at"),
)

# All numbers that came; what is missing is what lies between them. A late one closes its gap.
sender_sequences = Table(
    "sender_sequences",
    metadata,
    Column("service", Text, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("received", INT8MULTIRANGE, nullable=False),
    # Missing numbers that an event already told of.
    Column("told", INT8MULTIRANGE, nullable=False, server_default=text("'{}'::int8multirange")),
    Column("missing_since", _moment),
    Column("newest_at", _moment, nullable=False),
    Index("ix_sender_sequences_newest", "newest_at"),
)

# Transactions that store what was received some time ago: drained from a spool, or at the end of a
# long body. Whoever asks what came since looks there, too.
late_arrivals = Table(
    "late_arrivals",
    metadata,
    Column("transaction_id", BigInteger, primary_key=True, autoincrement=False),
    Column("first_received_at", _moment, nullable=False),
    Column("last_received_at", _moment, nullable=False),
    Column("marked_at", _moment, nullable=False, server_default=func.now()),
)

# Up to which snapshot the tables below count.
counted_until = Table(
    "counted_until",
    metadata,
    Column("name", Text, primary_key=True),
    Column("snapshot", Text, nullable=False),
    Column("taken_at", _moment, nullable=False),
    # How long before `taken_at` a record may have been received that the snapshot does not hold.
    Column("look_back", Interval, nullable=False, server_default=text("'1 minute'::interval")),
    # The times at which records occurred that `record_counts` holds all of, up to the snapshot.
    Column("whole", TSTZMULTIRANGE, nullable=False, server_default=text("'{}'::tstzmultirange")),
)

# What records are counted by; the key is a hash of the rest, so that nobody need look it up.
record_kinds = Table(
    "record_kinds",
    metadata,
    Column("kind_id", Uuid, primary_key=True),
    Column("service", Text, nullable=False),
    Column("level", severity, nullable=False),
    Column("environment", Text),
    Column("release", Text),
    Column("instance", Text),
    Column("signature_id", Token),
)

# Records by the time at which they occurred, in minutes, quarters and hours.
record_counts = Table(
    "record_counts",
    metadata,
    Column("seconds", Integer, primary_key=True, autoincrement=False),
    Column("start", _moment, primary_key=True),
    Column("kind_id", Uuid, primary_key=True),
    Column("records", BigInteger, nullable=False),
)

# Records by the hour in which they were received; what a record does not name is empty.
service_hours = Table(
    "service_hours",
    metadata,
    Column("service", Text, primary_key=True),
    Column("hour", _moment, primary_key=True),
    Column("environment", Text, primary_key=True),
    Column("release", Text, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("records", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("last_at", _moment, nullable=False),
    Index("ix_service_hours_hour", "hour"),
)

signature_services = Table(
    "signature_services",
    metadata,
    Column("signature_id", Token, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("records", BigInteger, nullable=False),
    Column("first_at", _moment, nullable=False),
    Column("last_at", _moment, nullable=False),
)
