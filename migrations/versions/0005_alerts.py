"""Targets of alerts, thresholds of known issues, and the outbox of messages."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UPGRADE = """
CREATE TYPE alert_target_kind AS ENUM ('generic', 'slack');
CREATE TYPE alert_known_scope AS ENUM ('known', 'unknown', 'both');
CREATE TYPE alert_delivery_state AS ENUM ('waiting', 'delivered', 'dead', 'collapsed');

CREATE TABLE alert_targets (
    name            text CONSTRAINT pk_alert_targets PRIMARY KEY,
    kind            alert_target_kind NOT NULL,
    url             text NOT NULL,
    secret          text NOT NULL DEFAULT '',
    kinds           text[] NOT NULL,
    environments    text[] NOT NULL DEFAULT '{}'::text[],
    services        text[] NOT NULL DEFAULT '{}'::text[],
    known           alert_known_scope NOT NULL DEFAULT 'both',
    quiet           jsonb,
    urgent          text[] NOT NULL DEFAULT '{}'::text[],
    enabled         boolean NOT NULL DEFAULT true,
    disabled_reason text NOT NULL DEFAULT '',
    per_minute      integer NOT NULL,
    version         integer NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE alert_thresholds (
    known_issue_id  text CONSTRAINT pk_alert_thresholds PRIMARY KEY,
    chains_per_hour integer NOT NULL,
    breached_at     timestamptz,
    version         integer NOT NULL DEFAULT 1,
    changed_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE alert_deliveries (
    delivery_id    uuid CONSTRAINT pk_alert_deliveries PRIMARY KEY DEFAULT gen_random_uuid(),
    target         text NOT NULL,
    event_id       uuid,
    kind           text NOT NULL,
    incident_id    uuid,
    payload        jsonb NOT NULL,
    state          alert_delivery_state NOT NULL DEFAULT 'waiting',
    attempts       integer NOT NULL DEFAULT 0,
    due_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_at     timestamptz,
    status         integer,
    error          text NOT NULL DEFAULT '',
    collapsed_into uuid,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at       timestamptz
);
CREATE UNIQUE INDEX uq_alert_deliveries_event ON alert_deliveries (event_id, target);
CREATE UNIQUE INDEX uq_alert_deliveries_opened ON alert_deliveries (incident_id, target)
    WHERE kind = 'opened';
CREATE INDEX ix_alert_deliveries_waiting ON alert_deliveries (target, due_at)
    WHERE state = 'waiting'::alert_delivery_state;
CREATE INDEX ix_alert_deliveries_claimed ON alert_deliveries (target, claimed_at);
CREATE INDEX ix_alert_deliveries_incident ON alert_deliveries (incident_id);
CREATE INDEX ix_alert_deliveries_ended ON alert_deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX ix_alert_deliveries_state ON alert_deliveries (state, created_at, delivery_id);
CREATE INDEX ix_incidents_merged ON incidents (merged_into) WHERE merged_into IS NOT NULL
"""

DOWNGRADE = """
DROP INDEX ix_incidents_merged;
DROP TABLE alert_deliveries, alert_thresholds, alert_targets;
DROP TYPE alert_delivery_state;
DROP TYPE alert_known_scope;
DROP TYPE alert_target_kind
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
