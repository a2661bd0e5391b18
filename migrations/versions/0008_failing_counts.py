"""Failing chains by the time at which they failed, so that a chart need not read every chain."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# What was digested before is counted here, and nothing is digested meanwhile.
UPGRADE = """
CREATE TABLE failing_counts (
    seconds integer NOT NULL,
    start   timestamptz NOT NULL,
    roots   text[] NOT NULL,
    by_rule text[] NOT NULL,
    chains  bigint NOT NULL,
    CONSTRAINT pk_failing_counts PRIMARY KEY (seconds, start, roots, by_rule)
) WITH (fillfactor = 80);
LOCK TABLE incident_chains IN SHARE MODE;
INSERT INTO failing_counts (seconds, start, roots, by_rule, chains)
SELECT seconds, date_bin(make_interval(secs => seconds), failed_at, '1970-01-05 00:00:00+00'),
    roots, by_rule, count(*)
FROM (
    SELECT min(root_at) AS failed_at,
        array_agg(root_signature_id ORDER BY root_signature_id) AS roots,
        coalesce(array_agg(root_signature_id ORDER BY root_signature_id)
            FILTER (WHERE findings <> '{}'), '{}') AS by_rule
    FROM incident_chains GROUP BY correlation_id
) AS failed
CROSS JOIN unnest(ARRAY[300, 3600]) AS seconds
GROUP BY 1, 2, 3, 4
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE failing_counts")
