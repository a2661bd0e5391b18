"""Tables of the query room: what people keep of their asking."""

from sqlalchemy import ARRAY, Column, DateTime, Index, Integer, Table, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB

from app.database import metadata

_moment = DateTime(timezone=True)
_empty_texts = text("'{}'::text[]")

saved_searches = Table(
    "saved_searches",
    metadata,
    Column("name", Text, primary_key=True),
    Column("query", Text, nullable=False),
    # As given: `-15m` means another moment each time.
    Column("since", Text, nullable=False, server_default=""),
    Column("until", Text, nullable=False, server_default=""),
    Column("columns", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("created_at", _moment, nullable=False, server_default=func.clock_timestamp()),
    Column("changed_at", _moment, nullable=False, server_default=func.clock_timestamp()),
)

# What was deleted for privacy, by whom: the audit. Written before the first record is deleted.
forgettings = Table(
    "forgettings",
    metadata,
    Column("forgetting_id", Uuid, primary_key=True, server_default=text("gen_random_uuid()")),
    Column("requested_at", _moment, nullable=False, server_default=func.clock_timestamp()),
    Column("done_by", Text, nullable=False),
    # Null when it was itself personal: then its hash alone tells whether it was this one.
    Column("query", Text),
    Column("query_sha256", Text, nullable=False),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("unreached", ARRAY(Text), nullable=False, server_default=_empty_texts),
    # Null: under way, or broken off.
    Column("finished_at", _moment),
    Index("ix_forgettings_requested_at", "requested_at"),
)
