"""What came since a moment; counts by service; saved searches; what was forgotten."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# On the parent, so that partitions made later get it too.
UPGRADE = """
CREATE INDEX ix_log_records_received_at ON log_records USING brin (received_at)
    WITH (pages_per_range = 16);
CREATE INDEX ix_incident_chains_root_at
    ON incident_chains (root_at, correlation_id, root_signature_id);
CREATE INDEX ix_signatures_first_seen ON signatures (first_seen, signature_id);

CREATE TABLE late_arrivals (
    transaction_id    bigint CONSTRAINT pk_late_arrivals PRIMARY KEY,
    first_received_at timestamptz NOT NULL,
    last_received_at  timestamptz NOT NULL,
    marked_at         timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE counted_until (
    name     text CONSTRAINT pk_counted_until PRIMARY KEY,
    snapshot text NOT NULL,
    taken_at timestamptz NOT NULL
);
CREATE TABLE service_hours (
    service     text NOT NULL,
    hour        timestamptz NOT NULL,
    environment text NOT NULL,
    release     text NOT NULL,
    instance    text NOT NULL,
    records     bigint NOT NULL,
    errors      bigint NOT NULL,
    last_at     timestamptz NOT NULL,
    CONSTRAINT pk_service_hours PRIMARY KEY (service, hour, environment, release, instance)
);
CREATE INDEX ix_service_hours_hour ON service_hours (hour);
CREATE TABLE signature_services (
    signature_id text COLLATE "C" NOT NULL,
    service      text NOT NULL,
    records      bigint NOT NULL,
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    CONSTRAINT pk_signature_services PRIMARY KEY (signature_id, service)
);

CREATE TABLE saved_searches (
    name       text CONSTRAINT pk_saved_searches PRIMARY KEY,
    query      text NOT NULL,
    since      text NOT NULL DEFAULT '',
    until      text NOT NULL DEFAULT '',
    columns    text[] NOT NULL DEFAULT '{}'::text[],
    version    integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE forgettings (
    forgetting_id uuid CONSTRAINT pk_forgettings PRIMARY KEY DEFAULT gen_random_uuid(),
    requested_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_by       text NOT NULL,
    query         text,
    query_sha256  text NOT NULL,
    counts        jsonb NOT NULL DEFAULT '{}'::jsonb,
    unreached     text[] NOT NULL DEFAULT '{}'::text[],
    finished_at   timestamptz
);
CREATE INDEX ix_forgettings_requested_at ON forgettings (requested_at)
"""

DOWNGRADE = """
DROP TABLE forgettings, saved_searches, signature_services, service_hours, counted_until,
    late_arrivals;
DROP INDEX ix_signatures_first_seen;
DROP INDEX ix_incident_chains_root_at;
DROP INDEX ix_log_records_received_at
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
