"""Free words search what an error raised as well as what it says."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Message, type, what was raised with, and the stack: raw, or the texts of its frames. As JSON it
# would bring words that nobody wrote: `module` of every frame, `null`, the n of a line's end.
# Cheap, as the planner is told: few records have frames, and were it dear for all of them, it would
# rather read a whole index than the blocks of a slice.
UPGRADE = r"""
CREATE FUNCTION frames_text(frames jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1
    RETURN (
        SELECT coalesce(string_agg(
            (frame ->> 'module') || ' ' || (frame ->> 'function') || E'\n'
            || coalesce(frame ->> 'source', ''), E'\n'), '')
        FROM jsonb_array_elements(frames) AS frame
    );
CREATE FUNCTION searched_text(message text, exception jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN exception IS NULL THEN message ELSE
        message || E'\n' || coalesce(exception ->> 'type', '')
        || E'\n' || coalesce(exception ->> 'message', '')
        || E'\n' || CASE jsonb_typeof(exception -> 'stacktrace')
            WHEN 'array' THEN frames_text(exception -> 'stacktrace')
            ELSE coalesce(exception ->> 'stacktrace', '')
        END
    END
"""
DOWNGRADE = """
DROP FUNCTION searched_text(text, jsonb) CASCADE;
DROP FUNCTION frames_text(jsonb)
"""


def upgrade() -> None:
    for statement in UPGRADE.split(";\n"):
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWNGRADE.split(";\n"):
        op.execute(statement)
