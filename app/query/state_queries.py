"""What a person who looks after the service asks of its database. Read-only."""

from datetime import date, datetime
from typing import Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.query.rows import view
from app.store.partitions import Partition

MOST_COUNTED: Final = 100_000
_SERVER = text("""
    SELECT current_setting('server_version') AS server,
        (SELECT version_num FROM alembic_version) AS revision,
        clock_timestamp() AS clock,
        pg_database_size(current_database()) AS bytes,
        (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections,
        current_setting('max_connections')::int AS max_connections,
        (SELECT taken_at FROM counted_until WHERE name = 'services') AS counted_until
""")
# Rows as the last ANALYZE or VACUUM knew them: counting ten million takes seconds.
_PARTITIONS = text("""
    SELECT child.relname AS name, coalesce(pg_total_relation_size(child.oid), 0) AS bytes,
        nullif(greatest(child.reltuples, 0), 0)::bigint AS records
    FROM pg_inherits
    JOIN pg_class AS child ON child.oid = inhrelid
    WHERE inhparent = 'log_records'::regclass
    ORDER BY child.relname DESC
""")
_DEFAULT = text("SELECT count(*) FROM (SELECT FROM log_records_default LIMIT :most) AS counted")
_ALERTS = text("""
    SELECT count(*) FILTER (WHERE state = 'waiting') AS waiting,
        count(*) FILTER (WHERE state = 'dead') AS dead,
        min(created_at) FILTER (WHERE state = 'waiting') AS oldest_waiting,
        (SELECT count(*) FROM alert_targets) AS targets,
        (SELECT count(*) FROM alert_targets WHERE NOT enabled) AS disabled
    FROM alert_deliveries WHERE state IN ('waiting', 'dead')
""")


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    server: str
    revision: str | None
    clock: datetime
    bytes: int
    connections: int
    max_connections: int
    counted_until: datetime | None


class DayState(msgspec.Struct, frozen=True, kw_only=True):
    """A partition of log records."""

    name: str
    bytes: int
    records: int | None
    """About; None: PostgreSQL does not know yet."""

    @property
    def day(self) -> date | None:
        """None: the default partition, of clocks that are far off."""
        return Partition(name=self.name).day


class AlertState(msgspec.Struct, frozen=True, kw_only=True):
    waiting: int
    dead: int
    oldest_waiting: datetime | None
    targets: int
    disabled: int


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, read in one transaction."""

    server: ServerState
    days: tuple[DayState, ...]
    default_records: int
    """Counted up to 100,000."""
    alerts: AlertState


async def stored_state(session: AsyncSession) -> Stored:
    server = (await session.execute(_SERVER)).mappings().one()
    days = (await session.execute(_PARTITIONS)).mappings()
    outside = await session.execute(_DEFAULT, {"most": MOST_COUNTED})
    alerts = (await session.execute(_ALERTS)).mappings().one()
    return Stored(
        server=view(server, ServerState),
        days=tuple(view(row, DayState) for row in days),
        default_records=outside.scalar_one(),
        alerts=view(alerts, AlertState),
    )
