"""How PostgreSQL goes about a search, on partitions with text indexes and without."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ClauseElement, Executable

from app.database import Database
from app.query.log_queries import newest_of, window_bounds
from app.query.search import parse_search
from app.query.searching import marks_for
from app.query.slices import Span
from app.query.walking import walk
from tests.query.shelves import CLOSED, INDEXED, NOW, close_shelves, make_shelves

pytestmark = pytest.mark.anyio
CLOSED_DAY, HOT_DAY = "log_records_20261118", "log_records_20261120"


class Explained(Executable, ClauseElement):
    """The plan of a statement, with its parameters bound as they are when it runs."""

    inherit_cache = False

    def __init__(self, statement: Select[Any]) -> None:
        self.statement = statement


@compiles(Explained)
def _explain(element: Explained, compiler: Any, **options: Any) -> str:
    return f"EXPLAIN {compiler.process(element.statement, **options)}"


@pytest.fixture
async def filled(connection: asyncpg.Connection, database: Database) -> Database:
    """20,000 records of a closed day, and as many of the hot one."""
    await make_shelves(connection)
    await connection.execute(
        """
        INSERT INTO log_records (
            correlation_id, occurred_at, record_id, received_at, service, level, message,
            signature_id, attributes
        )
        SELECT 'c-' || n, moment - n * interval '1 second', gen_random_uuid(), now(), 's-' || n % 9,
            (CASE WHEN n % 10 = 0 THEN 'ERROR' ELSE 'INFO' END)::severity,
            'order o-' || n || ' was paid by card', CASE WHEN n % 10 = 0 THEN 'v1:' || n END,
            jsonb_build_object('order_id', 'o-' || n)
        FROM generate_series(1, 20000) AS n, unnest($1::timestamptz[]) AS moment
        """,
        [CLOSED, NOW],
    )
    await close_shelves(connection, window_rows=5_000)
    return database


async def plan_of(database: Database, q: str, span: Span) -> str:
    query = newest_of(parse_search(q), span, before=None, limit=10)
    async with database.reading(seconds=60) as session:
        rows = await session.execute(Explained(query))
        return "\n".join(row[0] for row in rows)


BOTH = Span(since=CLOSED.replace(hour=0), until=NOW)


@pytest.mark.parametrize(
    ("q", "closed", "hot"),
    [
        ("o-17", f"Bitmap Index Scan on {CLOSED_DAY}_search", f"Seq Scan on {HOT_DAY}"),
        ('"paid by zebra"', f"Bitmap Index Scan on {CLOSED_DAY}_search", f"Seq Scan on {HOT_DAY}"),
        ("zebr*", f"Bitmap Index Scan on {CLOSED_DAY}_search", f"Seq Scan on {HOT_DAY}"),
        ("o-17 OR zebra", f"Bitmap Index Scan on {CLOSED_DAY}_search", f"Seq Scan on {HOT_DAY}"),
        ("attr.order_id:o-17", f"Bitmap Index Scan on {CLOSED_DAY}_search", HOT_DAY),
        ("attr.n:17 OR o-17", f"Bitmap Index Scan on {CLOSED_DAY}_search", HOT_DAY),
        ("correlation:c-17", f"using {CLOSED_DAY}_pkey", f"using {HOT_DAY}_pkey"),
        ("correlation:c-17*", f"on {CLOSED_DAY}_pkey", f"on {HOT_DAY}_pkey"),
        (
            "service:s-3 level:>=error",
            f"Index Scan Backward using {CLOSED_DAY}_service_occurred_at_idx",
            f"Index Scan Backward using {HOT_DAY}_service_occurred_at_idx",
        ),
        ("service:s-3 level:critical", f"{CLOSED_DAY}_service", f"{HOT_DAY}_service"),
        ("signature:v1:50", f"{CLOSED_DAY}_service", f"{HOT_DAY}_service"),
    ],
)
async def test_a_search_uses_the_indexes_there_are(
    filled: Database, q: str, closed: str, hot: str
) -> None:
    plan = await plan_of(filled, q, BOTH)

    assert closed in plan, plan
    assert hot in plan, plan


async def test_a_slice_of_the_hot_day_reads_its_blocks_alone(filled: Database) -> None:
    slice_ = Span(since=NOW.replace(hour=11, minute=45), until=NOW)

    plan = await plan_of(filled, "zebra", slice_)

    assert f"Bitmap Index Scan on {HOT_DAY}_occurred_at_idx" in plan
    assert CLOSED_DAY not in plan
    # What is cheap comes first: only messages with these letters are taken apart.
    assert plan.index("lower(") < plan.index("to_tsvector")


async def test_a_slice_of_a_window_uses_its_index(filled: Database) -> None:
    slice_ = Span(since=INDEXED - timedelta(minutes=30), until=INDEXED)

    plan = await plan_of(filled, "zebra", slice_)

    assert f"Bitmap Index Scan on {HOT_DAY}_search_0_32700" in plan


async def test_the_errors_of_a_service_are_read_from_the_newest_on(filled: Database) -> None:
    plan = await plan_of(filled, "service:s-3 level:>=error", BOTH)

    assert "Incremental Sort" in plan
    assert "Presorted Key: log_records.occurred_at" in plan


async def test_only_what_text_indexes_find_is_read_window_by_window(filled: Database) -> None:
    async with filled.reading(seconds=60) as session:
        bounds = await window_bounds(session)

    assert bounds == (NOW.replace(hour=0), INDEXED)
    assert marks_for(parse_search("service:a (zebra OR level:error)")) is window_bounds
    assert marks_for(parse_search("service:a attr.n:17")) is window_bounds
    assert marks_for(parse_search("service:a level:error")) is None


async def test_slices_end_where_a_window_does(filled: Database) -> None:
    pieces: list[Span] = []

    async def fetch(_: AsyncSession, span: Span) -> None:
        pieces.append(span)

    span = Span(since=INDEXED - timedelta(hours=8), until=NOW)
    async for _ in walk(filled, span, fetch, seconds=60, marks=window_bounds):
        pass

    assert not [one for one in pieces if one.since < INDEXED < one.until]
    assert pieces[-1].since == span.since
