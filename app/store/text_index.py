"""Text indexes of closed partitions. The hot one has none: a GIN index halves its COPY."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import structlog

from app.database import is_unavailable
from app.store import queries
from app.store.partitions import Partition, start_of

log = structlog.get_logger(__name__)

# Late records come within minutes: resent ones, a sender's own buffer, a clock a little slow. What
# comes later still pays for the index, record by record.
CLOSED_AFTER: Final = timedelta(hours=1)


def closed(partitions: Iterable[Partition], *, now: datetime) -> list[Partition]:
    """Partitions whose day has been over for an hour; the newest first, as people ask for them."""
    latest = (now - CLOSED_AFTER).astimezone(UTC)
    days = [(p.day, p) for p in partitions if p.day]
    over = [(day, p) for day, p in days if start_of(day + timedelta(days=1)) <= latest]
    return [partition for _, partition in sorted(over, key=lambda pair: pair[0], reverse=True)]


def index_names(partition: str) -> dict[str, str]:
    """Name of each text index of a partition -> what it is on."""
    return {
        template.format(name=partition): columns
        for template, columns in queries.TEXT_INDEXES.items()
    }


async def missing_indexes(driver: Any, partition: str) -> dict[str, str]:
    """Those that are not there, or were left unfinished by a process that died."""
    rows = await driver.fetch(queries.INDEXES_OF, partition)
    valid = {row["name"] for row in rows if row["valid"]}
    return {name: on for name, on in index_names(partition).items() if name not in valid}


async def build_indexes(driver: Any, partition: str) -> tuple[list[str], list[str]]:
    """Build what is missing, one at a time, while records are written: what was, what failed.

    `driver` is a connection of its own, without a statement_timeout that fits requests.
    """
    built, failed = [], []
    for index, columns in (await missing_indexes(driver, partition)).items():
        try:
            await driver.execute(queries.DROP_INDEX.format(index=index))
            await driver.execute(
                queries.CREATE_INDEX.format(index=index, name=partition, columns=columns)
            )
            built.append(index)
        except asyncpg.PostgresError as error:
            if is_unavailable(error):
                raise
            log.warning("index_not_built", index=index, reason=repr(error))
            failed.append(index)
    if built:
        await driver.execute(queries.ANALYZE.format(name=partition))
    return built, failed
