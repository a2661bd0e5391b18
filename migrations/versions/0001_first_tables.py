"""The first tables: records, signatures, chains, catalogue, incidents.

Plain SQL, because partitions, ENUM types and partial indexes are PostgreSQL's own.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TYPES = """
CREATE TYPE severity AS ENUM ('TRACE', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL');
CREATE TYPE match_tier AS ENUM ('exact', 'probable', 'suggested');
CREATE TYPE incident_status AS ENUM ('open', 'acknowledged', 'resolved', 'muted');
"""

STORE = """
CREATE TABLE log_records (
    correlation_id text COLLATE "C" NOT NULL,
    occurred_at    timestamptz NOT NULL,
    record_id      uuid NOT NULL,
    received_at    timestamptz NOT NULL,
    service        text NOT NULL,
    level          severity NOT NULL,
    message        text NOT NULL,
    environment    text,
    release        text,
    instance       text,
    span_id        text,
    parent_span_id text,
    sequence       bigint,
    signature_id   text COLLATE "C",
    exception      jsonb,
    attributes     jsonb NOT NULL DEFAULT '{}'::jsonb,
    annotations    text[] NOT NULL DEFAULT '{}'::text[],
    CONSTRAINT pk_log_records PRIMARY KEY (correlation_id, occurred_at, record_id)
) PARTITION BY RANGE (occurred_at);
CREATE INDEX ix_log_records_occurred_at ON log_records USING brin (occurred_at);
CREATE INDEX ix_log_records_errors ON log_records (service, occurred_at)
    WHERE level >= 'ERROR'::severity;
CREATE TABLE log_records_default PARTITION OF log_records DEFAULT;

CREATE TABLE signatures (
    signature_id   text COLLATE "C" CONSTRAINT pk_signatures PRIMARY KEY,
    version        text NOT NULL,
    exception_type text NOT NULL,
    title          text NOT NULL,
    message        text NOT NULL,
    culprit        text NOT NULL,
    callee         text NOT NULL,
    caller         text NOT NULL,
    explanation    jsonb NOT NULL,
    sample         jsonb NOT NULL,
    first_seen     timestamptz NOT NULL,
    last_seen      timestamptz NOT NULL,
    records        bigint NOT NULL
);

CREATE TABLE failing_chains (
    correlation_id  text COLLATE "C" CONSTRAINT pk_failing_chains PRIMARY KEY,
    first_marked_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE chain_marks (
    correlation_id text COLLATE "C" NOT NULL,
    mark_id        uuid NOT NULL DEFAULT gen_random_uuid(),
    marked_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_chain_marks PRIMARY KEY (correlation_id, mark_id)
);
CREATE INDEX ix_chain_marks_marked_at ON chain_marks (marked_at);
"""

CATALOGUE = """
CREATE TABLE known_issues (
    known_issue_id text NOT NULL,
    version        integer NOT NULL,
    title          text NOT NULL,
    severity       text,
    tags           text[] NOT NULL DEFAULT '{}'::text[],
    symptoms       text NOT NULL,
    causes         text NOT NULL,
    fix            text NOT NULL,
    lesson         text NOT NULL,
    caution        text NOT NULL,
    affected_files text[] NOT NULL DEFAULT '{}'::text[],
    rules          jsonb NOT NULL,
    origin         text NOT NULL,
    document       text NOT NULL,
    heading_path   text[] NOT NULL,
    first_line     integer NOT NULL,
    last_line      integer NOT NULL,
    content_hash   text NOT NULL,
    imported_at    timestamptz NOT NULL DEFAULT now(),
    retired_at     timestamptz,
    CONSTRAINT pk_known_issues PRIMARY KEY (known_issue_id, version)
);

CREATE TABLE matches (
    signature_id        text COLLATE "C" CONSTRAINT pk_matches PRIMARY KEY,
    catalogue_hash      text NOT NULL,
    known_issue_id      text,
    known_issue_version integer,
    tier                match_tier,
    score               double precision,
    evidence            jsonb NOT NULL DEFAULT '[]'::jsonb,
    matched_at          timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT fk_matches_known_issue FOREIGN KEY (known_issue_id, known_issue_version)
        REFERENCES known_issues (known_issue_id, version)
);
CREATE INDEX ix_matches_known_issue ON matches (known_issue_id);
"""

INCIDENTS = """
CREATE TABLE incidents (
    incident_id       uuid CONSTRAINT pk_incidents PRIMARY KEY DEFAULT gen_random_uuid(),
    root_signature_id text COLLATE "C" NOT NULL,
    status            incident_status NOT NULL DEFAULT 'open',
    services          text[] NOT NULL DEFAULT '{}'::text[],
    environments      text[] NOT NULL DEFAULT '{}'::text[],
    releases          text[] NOT NULL DEFAULT '{}'::text[],
    first_seen        timestamptz NOT NULL,
    last_seen         timestamptz NOT NULL,
    chains            bigint NOT NULL,
    records           bigint NOT NULL,
    opened_at         timestamptz NOT NULL DEFAULT now(),
    resolved_at       timestamptz
);
CREATE UNIQUE INDEX uq_incidents_open_root ON incidents (root_signature_id)
    WHERE status <> 'resolved'::incident_status;
CREATE INDEX ix_incidents_last_seen ON incidents (last_seen, incident_id);

CREATE TABLE incident_chains (
    correlation_id    text COLLATE "C" CONSTRAINT pk_incident_chains PRIMARY KEY,
    incident_id       uuid NOT NULL,
    root_record_id    uuid NOT NULL,
    root_signature_id text COLLATE "C" NOT NULL,
    root_service      text NOT NULL,
    symptoms          text[] NOT NULL DEFAULT '{}'::text[],
    services          text[] NOT NULL DEFAULT '{}'::text[],
    records           integer NOT NULL,
    errors            integer NOT NULL,
    first_at          timestamptz NOT NULL,
    last_at           timestamptz NOT NULL,
    digested_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ix_incident_chains_incident ON incident_chains (incident_id, last_at);
"""


def upgrade() -> None:
    for part in (TYPES, STORE, CATALOGUE, INCIDENTS):
        for statement in filter(str.strip, part.split(";\n")):
            op.execute(statement)


def downgrade() -> None:
    op.execute(
        "DROP TABLE incident_chains, incidents, matches, known_issues, chain_marks,"
        " failing_chains, signatures, log_records"
    )
    op.execute("DROP TYPE incident_status, match_tier, severity")
