"""Documents from several places, verdicts of people, and how entries fare on healthy chains."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TYPE verdict AS ENUM ('confirmed', 'rejected');
ALTER TABLE known_issues ADD COLUMN collection text NOT NULL DEFAULT 'default';
ALTER TABLE known_issues ADD COLUMN entry jsonb;
ALTER TABLE known_issues DROP COLUMN rules;
ALTER TABLE matches ADD COLUMN borrowed_from text NOT NULL DEFAULT '';

CREATE TABLE match_verdicts (
    signature_id   text COLLATE "C" NOT NULL,
    known_issue_id text NOT NULL,
    verdict        verdict NOT NULL,
    decided_by     text NOT NULL,
    note           text NOT NULL,
    sample         jsonb NOT NULL,
    decided_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_match_verdicts PRIMARY KEY (signature_id, known_issue_id)
);
CREATE INDEX ix_match_verdicts_known_issue ON match_verdicts (known_issue_id);

CREATE TABLE entry_health (
    known_issue_id text NOT NULL,
    version        integer NOT NULL,
    healthy_chains bigint NOT NULL,
    hits           bigint NOT NULL,
    checked_at     timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_entry_health PRIMARY KEY (known_issue_id, version)
)
"""
DOWNGRADE = """
ALTER TABLE matches DROP COLUMN borrowed_from;
DROP TABLE entry_health;
DROP TABLE match_verdicts;
ALTER TABLE known_issues ADD COLUMN rules jsonb NOT NULL DEFAULT '{}'::jsonb;
ALTER TABLE known_issues DROP COLUMN entry;
ALTER TABLE known_issues DROP COLUMN collection;
DROP TYPE verdict
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
