"""Several roots a chain, incidents that are merged and split, their history, senders' numbering."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INCIDENTS = """
CREATE TYPE event_kind AS ENUM (
    'opened', 'regressed', 'worsened', 'unmuted', 'acknowledged', 'resolved', 'reopened', 'muted',
    'merged', 'split', 'noted', 'issue_rate', 'gap', 'canary_loss'
);
CREATE TYPE root_confidence AS ENUM ('certain', 'likely', 'unsure');

DROP INDEX uq_incidents_open_root;
ALTER TABLE incidents
    ADD COLUMN version             integer NOT NULL DEFAULT 1,
    ADD COLUMN root_services       text[] NOT NULL DEFAULT '{}'::text[],
    ADD COLUMN incomplete          bigint NOT NULL DEFAULT 0,
    ADD COLUMN resolved_in_release text,
    ADD COLUMN regressions         integer NOT NULL DEFAULT 0,
    ADD COLUMN regressed_at        timestamptz,
    ADD COLUMN muted_until         timestamptz,
    ADD COLUMN muted_until_chains  bigint,
    ADD COLUMN muted_above_hourly  integer,
    ADD COLUMN merged_into         uuid;

CREATE TABLE incident_roots (
    root_signature_id text COLLATE "C" CONSTRAINT pk_incident_roots PRIMARY KEY,
    incident_id       uuid NOT NULL
);
CREATE INDEX ix_incident_roots_incident ON incident_roots (incident_id);
INSERT INTO incident_roots
    SELECT DISTINCT ON (root_signature_id) root_signature_id, incident_id FROM incidents
    ORDER BY root_signature_id, status = 'resolved', last_seen DESC;

CREATE TABLE events (
    event_id    uuid CONSTRAINT pk_events PRIMARY KEY DEFAULT gen_random_uuid(),
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind        event_kind NOT NULL,
    incident_id uuid,
    done_by     text NOT NULL DEFAULT '',
    details     jsonb NOT NULL DEFAULT '{}'::jsonb,
    routed_at   timestamptz
);
CREATE INDEX ix_events_incident ON events (incident_id, happened_at);
CREATE INDEX ix_events_unrouted ON events (happened_at) WHERE routed_at IS NULL;

DROP INDEX ix_incident_chains_incident;
ALTER TABLE incident_chains DROP CONSTRAINT pk_incident_chains;
ALTER TABLE incident_chains
    ADD CONSTRAINT pk_incident_chains PRIMARY KEY (correlation_id, root_signature_id),
    ADD COLUMN root_at           timestamptz,
    ADD COLUMN errors_by_service jsonb NOT NULL DEFAULT '{}'::jsonb,
    ADD COLUMN confidence        root_confidence NOT NULL DEFAULT 'likely',
    ADD COLUMN reasons           text[] NOT NULL DEFAULT '{}'::text[],
    ADD COLUMN findings          text[] NOT NULL DEFAULT '{}'::text[],
    ADD COLUMN environments      text[] NOT NULL DEFAULT '{}'::text[],
    ADD COLUMN releases          text[] NOT NULL DEFAULT '{}'::text[],
    ADD COLUMN incomplete        boolean NOT NULL DEFAULT false;
UPDATE incident_chains SET root_at = first_at;
ALTER TABLE incident_chains ALTER COLUMN root_at SET NOT NULL;
CREATE INDEX ix_incident_chains_incident ON incident_chains (incident_id, root_at);

CREATE TABLE incident_hours (
    incident_id uuid NOT NULL,
    hour        timestamptz NOT NULL,
    service     text NOT NULL,
    chains      bigint NOT NULL,
    errors      bigint NOT NULL,
    CONSTRAINT pk_incident_hours PRIMARY KEY (incident_id, hour, service)
);
CREATE TABLE incident_findings (
    incident_id    uuid NOT NULL,
    known_issue_id text NOT NULL,
    chains         bigint NOT NULL,
    evidence       jsonb NOT NULL,
    CONSTRAINT pk_incident_findings PRIMARY KEY (incident_id, known_issue_id)
);
CREATE TABLE incident_evidence (
    incident_id    uuid NOT NULL,
    correlation_id text COLLATE "C" NOT NULL,
    kept_at        timestamptz NOT NULL DEFAULT now(),
    records        jsonb NOT NULL,
    CONSTRAINT pk_incident_evidence PRIMARY KEY (correlation_id, incident_id)
);
CREATE INDEX ix_incident_evidence_incident ON incident_evidence (incident_id, kept_at)
"""

SENDERS = """
CREATE TABLE sequence_marks (
    service   text NOT NULL,
    instance  text NOT NULL,
    mark_id   uuid NOT NULL,
    seen      int8multirange NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_sequence_marks PRIMARY KEY (mark_id, service, instance)
);
CREATE INDEX ix_sequence_marks_marked_at ON sequence_marks (marked_at);
CREATE TABLE sender_sequences (
    service       text NOT NULL,
    instance      text NOT NULL,
    received      int8multirange NOT NULL,
    told          int8multirange NOT NULL DEFAULT '{}'::int8multirange,
    missing_since timestamptz,
    newest_at     timestamptz NOT NULL,
    CONSTRAINT pk_sender_sequences PRIMARY KEY (service, instance)
);
CREATE INDEX ix_sender_sequences_newest ON sender_sequences (newest_at)
"""

DOWNGRADE = """
DROP TABLE sequence_marks, sender_sequences, incident_evidence, incident_findings, incident_hours,
    events, incident_roots;
DROP INDEX ix_incident_chains_incident;
ALTER TABLE incident_chains DROP CONSTRAINT pk_incident_chains;
DELETE FROM incident_chains AS other USING incident_chains AS kept
    WHERE other.correlation_id = kept.correlation_id
    AND other.root_signature_id > kept.root_signature_id;
ALTER TABLE incident_chains
    ADD CONSTRAINT pk_incident_chains PRIMARY KEY (correlation_id),
    DROP COLUMN root_at, DROP COLUMN errors_by_service, DROP COLUMN confidence,
    DROP COLUMN reasons, DROP COLUMN findings, DROP COLUMN environments, DROP COLUMN releases,
    DROP COLUMN incomplete;
CREATE INDEX ix_incident_chains_incident ON incident_chains (incident_id, last_at);
ALTER TABLE incidents
    DROP COLUMN version, DROP COLUMN root_services, DROP COLUMN incomplete,
    DROP COLUMN resolved_in_release, DROP COLUMN regressions, DROP COLUMN regressed_at,
    DROP COLUMN muted_until, DROP COLUMN muted_until_chains, DROP COLUMN muted_above_hourly,
    DROP COLUMN merged_into;
CREATE UNIQUE INDEX uq_incidents_open_root ON incidents (root_signature_id)
    WHERE status <> 'resolved'::incident_status;
DROP TYPE event_kind;
DROP TYPE root_confidence
"""


def upgrade() -> None:
    for part in (INCIDENTS, SENDERS):
        for statement in part.split(";\n"):
            op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
