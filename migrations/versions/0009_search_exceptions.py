"""Free words search what an error raised as well as what it says."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Message, type, what was raised with, and the stack: raw, or the values of its frames without
# their keys, since `module` is a word of every frame. A message is never cut off for the rest.
UPGRADE = r"""
CREATE FUNCTION searched_text(message text, exception jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN exception IS NULL THEN message ELSE
        message || E'\n' || coalesce(exception ->> 'type', '')
        || E'\n' || coalesce(exception ->> 'message', '')
        || E'\n' || CASE jsonb_typeof(exception -> 'stacktrace')
            WHEN 'array' THEN jsonb_path_query_array(exception, '$.stacktrace[*].*')::text
            ELSE coalesce(exception ->> 'stacktrace', '')
        END
    END
"""
DOWNGRADE = "DROP FUNCTION searched_text(text, jsonb) CASCADE"


def upgrade() -> None:
    op.execute(UPGRADE)


def downgrade() -> None:
    op.execute(DOWNGRADE)
