"""Counts by the time at which records occurred, and for which times they are whole."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# What stands here already is counted in the background, hour by hour: until then no time is whole.
# Each grain is a table: among the minutes the hours would stand one on a page. The counts of this
# hour are updated again and again: in place, with room on their page.
UPGRADE = """
ALTER TABLE counted_until
    ADD COLUMN look_back interval NOT NULL DEFAULT '1 minute',
    ADD COLUMN whole tstzmultirange NOT NULL DEFAULT '{}'::tstzmultirange;

CREATE TABLE record_kinds (
    kind_id      uuid CONSTRAINT pk_record_kinds PRIMARY KEY,
    service      text NOT NULL,
    level        severity NOT NULL,
    environment  text,
    release      text,
    instance     text,
    signature_id text COLLATE "C"
);
CREATE TABLE record_counts (
    seconds integer NOT NULL,
    start   timestamptz NOT NULL,
    kind_id uuid NOT NULL,
    records bigint NOT NULL,
    CONSTRAINT pk_record_counts PRIMARY KEY (seconds, start, kind_id)
) PARTITION BY LIST (seconds);
CREATE TABLE record_counts_60 PARTITION OF record_counts FOR VALUES IN (60) WITH (fillfactor = 80);
CREATE TABLE record_counts_900 PARTITION OF record_counts FOR VALUES IN (900)
    WITH (fillfactor = 80);
CREATE TABLE record_counts_3600 PARTITION OF record_counts FOR VALUES IN (3600)
    WITH (fillfactor = 80)
"""

DOWNGRADE = """
DROP TABLE record_counts, record_kinds;
ALTER TABLE counted_until DROP COLUMN look_back, DROP COLUMN whole
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
