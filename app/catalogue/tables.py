"""Tables of the catalogue room: reference tables under Citus, so they carry no shard key."""

from sqlalchemy import (
    ARRAY,
    Column,
    DateTime,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ENUM, JSONB

from app.catalogue.model import Tier
from app.database import Token, metadata

match_tier = ENUM(
    Tier,
    name="match_tier",
    metadata=metadata,
    values_callable=lambda tiers: [t.value for t in tiers],
)
_moment = DateTime(timezone=True)
_empty_texts = text("'{}'::text[]")

known_issues = Table(
    "known_issues",
    metadata,
    Column("known_issue_id", Text, primary_key=True),
    # A changed paragraph is a new version; matches keep pointing to what was shown then.
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("title", Text, nullable=False),
    Column("severity", Text),
    Column("tags", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("symptoms", Text, nullable=False),
    Column("causes", Text, nullable=False),
    Column("fix", Text, nullable=False),
    Column("lesson", Text, nullable=False),
    Column("caution", Text, nullable=False),
    Column("affected_files", ARRAY(Text), nullable=False, server_default=_empty_texts),
    Column("rules", JSONB, nullable=False),
    Column("origin", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("heading_path", ARRAY(Text), nullable=False),
    Column("first_line", Integer, nullable=False),
    Column("last_line", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("imported_at", _moment, nullable=False, server_default=func.now()),
    Column("retired_at", _moment),
)

matches = Table(
    "matches",
    metadata,
    Column("signature_id", Token, primary_key=True),
    Column("catalogue_hash", Text, nullable=False),
    # All null: held against this catalogue, and none of its entries explains it.
    Column("known_issue_id", Text),
    Column("known_issue_version", Integer),
    Column("tier", match_tier),
    Column("score", Float),
    Column("evidence", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("matched_at", _moment, nullable=False, server_default=func.now()),
    ForeignKeyConstraint(
        ["known_issue_id", "known_issue_version"],
        ["known_issues.known_issue_id", "known_issues.version"],
        name="fk_matches_known_issue",
    ),
    Index("ix_matches_known_issue", "known_issue_id"),
)
