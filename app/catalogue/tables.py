"""Tables of the catalogue room: reference tables under Citus, so they carry no shard key."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
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

from app.catalogue.model import Tier, Verdict
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
    Column("origin", Text, nullable=False),
    Column("document", Text, nullable=False),
    Column("heading_path", ARRAY(Text), nullable=False),
    Column("first_line", Integer, nullable=False),
    Column("last_line", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("imported_at", _moment, nullable=False, server_default=func.now()),
    Column("retired_at", _moment),
    # Where it came from: `default` (the service's own folders) or `imported`.
    Column("collection", Text, nullable=False, server_default="default"),
    # The whole entry, as the matcher wants it.
    Column("entry", JSONB),
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
    Column("borrowed_from", Text, nullable=False, server_default=""),
    Column("matched_at", _moment, nullable=False, server_default=func.now()),
    ForeignKeyConstraint(
        ["known_issue_id", "known_issue_version"],
        ["known_issues.known_issue_id", "known_issues.version"],
        name="fk_matches_known_issue",
    ),
    Index("ix_matches_known_issue", "known_issue_id"),
)

verdict = ENUM(
    Verdict,
    name="verdict",
    metadata=metadata,
    values_callable=lambda verdicts: [one.value for one in verdicts],
)

# What engineers said of matches; each is a sample for or against an entry.
match_verdicts = Table(
    "match_verdicts",
    metadata,
    Column("signature_id", Token, primary_key=True),
    Column("known_issue_id", Text, primary_key=True),
    Column("verdict", verdict, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("sample", JSONB, nullable=False),
    Column("decided_at", _moment, nullable=False, server_default=func.now()),
    Index("ix_match_verdicts_known_issue", "known_issue_id"),
)

# How often a rule holds where nothing failed.
entry_health = Table(
    "entry_health",
    metadata,
    Column("known_issue_id", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("healthy_chains", BigInteger, nullable=False),
    Column("hits", BigInteger, nullable=False),
    Column("checked_at", _moment, nullable=False, server_default=func.now()),
)
