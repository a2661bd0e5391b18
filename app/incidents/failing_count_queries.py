"""Every statement that writes or checks `failing_counts`, by name."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.incidents.failing_counts import GRAINS, ORIGIN
from app.normalise.text import json_text

_ROWS = """
    jsonb_to_recordset(CAST(:rows AS jsonb)) AS new (
        seconds int, start timestamptz, roots text[], by_rule text[], chains bigint
    )
"""
# No two rounds wait for each other here: who counts a root holds its incident.
_ADD = text(f"""
    INSERT INTO failing_counts AS old (seconds, start, roots, by_rule, chains)
    SELECT * FROM {_ROWS}
    ON CONFLICT (seconds, start, roots, by_rule) DO UPDATE SET chains = old.chains + excluded.chains
""")  # noqa: S608 - a constant of this file
_DROP = text(f"""
    DELETE FROM failing_counts AS old USING {_ROWS}
    WHERE (old.seconds, old.start, old.roots, old.by_rule)
        = (new.seconds, new.start, new.roots, new.by_rule) AND old.chains <= 0
""")  # noqa: S608 - the same
_COUNTED = """
    SELECT seconds, date_bin(make_interval(secs => seconds), failed_at, :origin) AS start,
        roots, by_rule, count(*) AS chains
    FROM (
        SELECT min(root_at) AS failed_at,
            array_agg(root_signature_id ORDER BY root_signature_id) AS roots,
            coalesce(array_agg(root_signature_id ORDER BY root_signature_id)
                FILTER (WHERE findings <> '{}'), '{}') AS by_rule
        FROM incident_chains GROUP BY correlation_id
    ) AS failed
    CROSS JOIN unnest(CAST(:grains AS int[])) AS seconds
    GROUP BY 1, 2, 3, 4
"""
_FORGET = text("DELETE FROM failing_counts")
_RECOUNT = text(f"INSERT INTO failing_counts (seconds, start, roots, by_rule, chains) {_COUNTED}")
_DIFFERENCES = text(f"""
    SELECT stored.*, counted.chains AS counted
    FROM failing_counts AS stored
    FULL JOIN ({_COUNTED}) AS counted USING (seconds, start, roots, by_rule)
    WHERE stored.chains IS DISTINCT FROM counted.chains
    ORDER BY 1, 2
""")  # noqa: S608 - the same
_GRAINS = {"grains": list(GRAINS), "origin": ORIGIN}


async def add_failing(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Add to the counts, and drop those that count nothing any more."""
    if rows:
        await session.execute(_ADD, {"rows": json_text(rows)})
    if less := [row for row in rows if row["chains"] < 0]:
        await session.execute(_DROP, {"rows": json_text(less)})


async def recount_failing(session: AsyncSession) -> None:
    """Make every count anew from `incident_chains`; nothing may be digested meanwhile."""
    await session.execute(_FORGET)
    await session.execute(_RECOUNT, _GRAINS)


async def failing_differences(session: AsyncSession) -> list[Any]:
    """The rows that differ from what the chains say, as of one moment."""
    return list(await session.execute(_DIFFERENCES, _GRAINS))
