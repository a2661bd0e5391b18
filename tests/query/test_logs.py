"""Searching over HTTP: pages, counts, values, surroundings, exports, and what is refused."""

import asyncio
import csv
import io
import json
import tracemalloc
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest

from app.database import Database
from app.main import create_app
from app.query.exporting import record_pages, writer_of
from app.query.search import parse_search
from app.query.searching import Asked
from app.query.slices import Span
from app.settings import Settings
from tests.conftest import running
from tests.query.shelves import CLOSED, HOT, NOW, close_shelves, make_shelves, put, row

pytestmark = pytest.mark.anyio
ALL = {"from": "2026-11-17", "to": NOW.isoformat()}


def numbers(page: dict[str, Any]) -> list[int]:
    return [UUID(record["record_id"]).int for record in page["records"]]


async def logs(client: httpx.AsyncClient, q: str = "", **params: Any) -> dict[str, Any]:
    answer = await client.get("/api/logs", params={"q": q, **ALL, **params})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


@pytest.fixture
async def shelves(connection: asyncpg.Connection) -> asyncpg.Connection:
    await make_shelves(connection)
    return connection


async def test_records_come_newest_first_from_all_days(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(shelves, row(1, CLOSED), row(2, HOT), row(3, HOT), row(4, CLOSED, service="gateway"))
    await close_shelves(shelves)

    page = await logs(client, "service:payment")

    assert numbers(page) == [3, 2, 1]
    assert page["records"][0] == {
        "correlation_id": "c-3", "record_id": str(UUID(int=3)), "service": "payment",
        "occurred_at": "2026-11-20T09:00:00Z", "received_at": "2026-11-20T09:00:00Z",
        "level": "INFO", "message": "message 3", "environment": None, "release": None,
        "instance": None, "span_id": None, "parent_span_id": None, "sequence": None,
        "signature_id": None, "exception": None, "attributes": {}, "annotations": [],
    }  # fmt: skip
    assert (page["next"], page["stopped_at"]) == (None, None)
    assert page["query"] == "service:payment"


async def test_without_a_time_seven_days_are_searched_and_told(client: httpx.AsyncClient) -> None:
    before = datetime.now(UTC)

    page = (await client.get("/api/logs")).json()

    since, until = (datetime.fromisoformat(page[name]) for name in ("from", "to"))
    assert until - since == timedelta(days=7)
    assert before + timedelta(minutes=5) <= until <= datetime.now(UTC) + timedelta(minutes=5)


async def test_a_record_can_be_searched_as_soon_as_it_is_taken(client: httpx.AsyncClient) -> None:
    record = {"service": "payment", "message": "card o-17 declined", "attributes": {"n": 5}}
    await client.post("/ingest/logs", json=record)

    for q in ("declined", '"o-17 declined"', "attr.n:5", "service:payment level:info -refused"):
        assert len((await client.get("/api/logs", params={"q": q})).json()["records"]) == 1


async def test_pages_hold_each_record_once_while_others_are_written(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    same = [row(n, HOT) for n in range(1, 30)]  # one moment: only the ID tells them apart
    await put(shelves, *same, *(row(n, CLOSED) for n in range(30, 60)))
    seen, after, more = [], None, 1_000

    while True:
        page = await logs(client, "message", limit=7, **({"after": after} if after else {}))
        seen += numbers(page)
        await put(shelves, row(more, HOT + timedelta(seconds=1)))
        more += 1
        after = page["next"]
        if after is None:
            break

    assert seen == [*range(29, 0, -1), *range(59, 29, -1)]


async def test_behind_a_cursor_the_time_is_that_of_the_first_page(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(shelves, *(row(n, HOT) for n in range(5)))
    first = await logs(client, limit=2)

    second = (await client.get("/api/logs", params={"limit": 2, "after": first["next"]})).json()

    assert (second["from"], second["to"]) == (first["from"], first["to"])
    assert numbers(second) == [2, 1]


async def test_a_cursor_that_was_altered_is_refused(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(shelves, *(row(n, HOT) for n in range(5)))
    cursor = (await logs(client, limit=2))["next"]
    middle = len(cursor) // 2
    altered = cursor[:middle] + ("A" if cursor[middle] != "A" else "B") + cursor[middle + 1 :]

    for q, after in (
        ("", altered),
        ("", cursor[:-4]),
        ("", cursor + "AAAA"),
        ("other", cursor),
        ("", "é"),
        ("", "="),
    ):
        answer = await client.get("/api/logs", params={"q": q, "after": after})
        assert answer.status_code == 400, after
        assert "cursor" in answer.json()["detail"]


SQL = "x'; DROP TABLE log_records; --"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"q": 'a "b'}, "column 3: this quote is never closed"),
        ({"q": "serice:payment"}, 'the nearest is "service"'),
        ({"q": "a OR " * 5_000}, "at most 16,000 characters"),
        ({"q": "a OR " * 3_000}, "something to search for must follow"),
        ({"q": "(" * 200 + "a" + ")" * 200}, "go into each other"),
        ({"q": "message:/a(/"}, "RE2 does not compile"),
        ({"q": "x" * 60_000}, "at most 16,000 characters"),
        ({"q": "a\0b"}, "NUL"),
        ({"from": "now", "to": "-1h"}, "`from` must be before `to`"),
        ({"from": "yesterday"}, "as -15m, now-1d"),
        ({"from": SQL}, "as -15m, now-1d"),
        ({"to": "0001-01-01T00:00:00Z"}, "must be before"),
        ({"limit": "1000000000"}, "`limit`: Expected `int` <= 1000"),
        ({"limit": "0"}, "`limit`: Expected `int` >= 1"),
        ({"limit": SQL}, "`limit`: Expected `int`, got `str`"),
        ({"after": SQL}, "cursor"),
        ({"after": "x" * 2_000}, "`after`: Expected `str` of length <= 1000"),
    ],
)
async def test_a_wrong_search_gets_a_400_that_says_what_to_change(
    client: httpx.AsyncClient, params: dict[str, str], said: str
) -> None:
    answer = await client.get("/api/logs", params=params)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


async def test_a_problem_with_a_search_points_at_the_column(client: httpx.AsyncClient) -> None:
    problem = (await client.get("/api/logs", params={"q": "a levl:error"})).json()

    assert problem["errors"][0]["key"] == "q"
    assert problem["errors"][0]["column"] == 3


FIELDS = (
    "service",
    "env",
    "release",
    "instance",
    "correlation",
    "signature",
    "issue",
    "attr.x",
    "span",
    "message",
)


@pytest.mark.parametrize("field", FIELDS)
async def test_sql_in_a_field_is_a_value_like_any_other(
    client: httpx.AsyncClient, shelves: asyncpg.Connection, field: str
) -> None:
    await put(shelves, row(1, HOT))

    page = await logs(client, f'{field}:"{SQL}"')

    assert page["records"] == []
    assert await shelves.fetchval("SELECT count(*) FROM log_records") == 1


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("histogram", {"split": "message"}),
        ("histogram", {"buckets": "1000000000"}),
        ("histogram", {"q": "a OR"}),
        ("facets", {"attribute": ["a"] * 6}),
        ("facets", {"attribute": "a\0"}),
        ("facets", {"top": "0"}),
        ("context", {}),
        ("context", {"correlation_id": "c", "occurred_at": "now", "record_id": "x"}),
    ],
)
async def test_other_wrong_requests_get_a_400(
    client: httpx.AsyncClient, path: str, params: dict[str, Any]
) -> None:
    answer = await client.get(f"/api/logs/{path}", params=params)

    assert answer.status_code == 400, answer.text


async def test_far_times_are_searched_like_any_others(client: httpx.AsyncClient) -> None:
    params = {"from": "0001-01-01T00:00:00Z", "to": "9999-12-31T23:59:59Z"}

    for path in ("", "/histogram", "/facets"):
        answer = await client.get(f"/api/logs{path}", params=params)
        assert answer.status_code == 200, answer.text


async def test_a_histogram_counts_by_time_and_value_and_fills_what_is_empty(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(
        shelves,
        *(row(n, HOT + timedelta(minutes=n)) for n in range(10)),
        row(20, HOT, level="ERROR"),
        row(21, CLOSED, level="ERROR", environment="prod"),
    )

    counted = (
        await client.get(
            "/api/logs/histogram",
            params={"from": "2026-11-18", "to": NOW.isoformat(), "split": "level", "buckets": 60},
        )
    ).json()

    buckets = {bucket["start"]: bucket for bucket in counted["buckets"]}
    assert counted["bucket_seconds"] == 3600
    assert len(buckets) == 60
    assert counted["values"] == ["INFO", "ERROR"]
    assert counted["total"] == sum(bucket["count"] for bucket in buckets.values()) == 12
    assert buckets["2026-11-20T09:00:00Z"] == {
        "start": "2026-11-20T09:00:00Z", "count": 11, "others": 0,
        "values": {"INFO": 10, "ERROR": 1},
    }  # fmt: skip
    assert buckets["2026-11-18T12:00:00Z"]["values"] == {"INFO": 0, "ERROR": 1}
    assert buckets["2026-11-19T12:00:00Z"]["count"] == 0


async def test_a_histogram_tells_the_most_frequent_values_and_counts_the_others(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(shelves, *(row(n, HOT, service=f"s-{n % 5}") for n in range(12)))

    counted = (
        await client.get("/api/logs/histogram", params={**ALL, "split": "service", "top": 2})
    ).json()

    full = [bucket for bucket in counted["buckets"] if bucket["count"]]
    assert counted["values"] == ["s-0", "s-1"]
    assert [(one["values"], one["others"]) for one in full] == [({"s-0": 3, "s-1": 3}, 6)]


async def test_known_errors_are_counted_against_unknown_ones(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    known = (await client.get("/api/known-issues")).json()[0]["known_issue_id"]
    await shelves.execute(
        "INSERT INTO matches (signature_id, catalogue_hash, known_issue_id, known_issue_version)"
        " VALUES ('v1:a', '', $1, 1)",
        known,
    )
    await put(
        shelves,
        row(1, HOT, level="ERROR", signature_id="v1:a"),
        row(2, HOT, level="ERROR", signature_id="v1:b"),
        row(3, HOT, level="CRITICAL", signature_id="v1:b"),
        row(4, HOT),
    )

    counted = (await client.get("/api/logs/histogram", params={**ALL, "split": "known"})).json()
    explained = await logs(client, f"issue:{known}")
    unexplained = await logs(client, "has:signature -has:issue")

    assert counted["values"] == ["unknown", "known"]
    assert counted["total"] == 3
    assert numbers(explained) == [1]
    assert numbers(unexplained) == [3, 2]


async def test_facets_name_the_most_frequent_values(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(
        shelves,
        *(row(n, HOT, attributes={"order_id": "o-17", "http": {"status": 500}}) for n in range(3)),
        row(3, HOT, service="gateway", environment="prod", attributes={"http.status": "200"}),
        row(4, CLOSED, service="gateway", level="ERROR"),
    )

    found = (
        await client.get(
            "/api/logs/facets", params={**ALL, "attribute": ["order_id", "http.status"], "top": 2}
        )
    ).json()

    assert found["total"] == 5
    assert found["facets"] == {
        "service": [{"value": "payment", "count": 3}, {"value": "gateway", "count": 2}],
        "level": [{"value": "INFO", "count": 4}, {"value": "ERROR", "count": 1}],
        "environment": [{"value": None, "count": 4}, {"value": "prod", "count": 1}],
        "release": [{"value": None, "count": 5}],
        "instance": [{"value": None, "count": 5}],
        "signature": [{"value": None, "count": 5}],
        "attr.order_id": [{"value": "o-17", "count": 3}, {"value": None, "count": 2}],
        "attr.http.status": [{"value": "500", "count": 3}, {"value": "200", "count": 1}],
    }


async def test_an_attribute_that_no_record_has_has_no_values(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(shelves, *(row(n, HOT, attributes={"order_id": None} if n else {}) for n in range(3)))
    asked = {**ALL, "attribute": ["order_id", "nobodys"]}

    found = (await client.get("/api/logs/facets", params=asked)).json()
    nothing = (await client.get("/api/logs/facets", params={**asked, "q": "absent"})).json()

    assert found["total"] == 3
    assert (found["facets"]["attr.order_id"], found["facets"]["attr.nobodys"]) == ([], [])
    assert found["facets"]["release"] == [{"value": None, "count": 3}]
    assert nothing["total"] == 0
    assert not any(nothing["facets"].values())


async def test_the_context_of_a_record_is_what_its_instance_logged_around_it(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(
        shelves,
        *(row(n, HOT + timedelta(minutes=10 * n), instance="a") for n in range(9)),
        *(row(20 + n, HOT + timedelta(minutes=10 * n), instance="b") for n in range(9)),
        row(40, HOT + timedelta(minutes=40), instance="a", service="gateway"),
    )
    place = {
        "correlation_id": "c-4",
        "occurred_at": (HOT + timedelta(minutes=40)).isoformat(),
        "record_id": str(UUID(int=4)),
    }

    around = (await client.get("/api/logs/context", params={**place, "limit": 3})).json()

    ids = {side: numbers({"records": around[side]}) for side in ("before", "after")}
    assert ids == {"before": [1, 2, 3], "after": [5, 6, 7]}
    assert UUID(around["record"]["record_id"]).int == 4


async def test_the_context_of_no_record_is_not_found(client: httpx.AsyncClient) -> None:
    place = {"correlation_id": "c", "occurred_at": NOW.isoformat(), "record_id": str(UUID(int=1))}

    for correlation_id in ("c", "with a blank", "'"):
        answer = await client.get(
            "/api/logs/context", params={**place, "correlation_id": correlation_id}
        )
        assert answer.status_code == 404


async def test_an_export_holds_every_record_as_ndjson(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    await put(shelves, *(row(n, (HOT, CLOSED)[n % 2] + timedelta(seconds=n)) for n in range(1_203)))

    answer = await client.post("/api/logs/export", json={"q": "message", **ALL})
    lines = [json.loads(line) for line in answer.text.splitlines()]

    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert sorted(numbers({"records": lines})) == list(range(1_203))
    assert [line["occurred_at"] for line in lines] == sorted(
        (line["occurred_at"] for line in lines), reverse=True
    )


async def test_an_export_as_csv_reads_back(
    client: httpx.AsyncClient, shelves: asyncpg.Connection
) -> None:
    said = 'a "quoted", text\nof two lines'
    await put(shelves, row(1, HOT, message=said, attributes={"n": 1}), row(2, CLOSED))

    answer = await client.post("/api/logs/export", json={"format": "csv", "limit": 1, **ALL})
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))

    assert answer.headers["content-disposition"] == 'attachment; filename="logs.csv"'
    assert len(rows) == 1
    assert (rows[0]["message"], rows[0]["level"], rows[0]["release"]) == (said, "INFO", "")
    assert json.loads(rows[0]["attributes"]) == {"n": 1}
    assert rows[0]["occurred_at"] == "2026-11-20T09:00:00Z"


@pytest.mark.parametrize(
    "body",
    [{"q": "a OR"}, {"q": "x" * 100_000}, {"from": "now", "to": "-1h"}, {"format": "xml"},
     {"limit": 10**10}, {"query": "a"}, [], None],
)  # fmt: skip
async def test_a_wrong_export_is_refused_before_it_begins(
    client: httpx.AsyncClient, body: Any
) -> None:
    answer = await client.post("/api/logs/export", json=body)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_export_needs_the_same_memory_whatever_its_size(
    database: Database, shelves: asyncpg.Connection
) -> None:
    text = "x" * 2_000
    for start in range(0, 20_000, 5_000):
        await put(
            shelves,
            *(
                row(n, HOT + timedelta(milliseconds=n), message=text)
                for n in range(start, start + 5_000)
            ),
        )
    span = Span(since=CLOSED, until=NOW)
    asked = Asked(search=parse_search(""), span=span, seconds=60)

    async def export(limit: int) -> tuple[int, int]:
        """Bytes written, and the most that was held meanwhile."""
        write, written = writer_of("ndjson"), 0
        tracemalloc.start()
        async for page in record_pages(database, asked, limit=limit):
            written += len(write(page))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return written, peak

    small, small_peak = await export(2_000)
    large, large_peak = await export(20_000)

    assert large > 9.9 * small > 40_000_000 * 9.9 / 10
    assert large_peak < small_peak * 1.5


@pytest.fixture
async def slow(shelves: asyncpg.Connection, settings: Settings) -> Settings:
    """Every row that a search reads by its words takes a fiftieth of a second."""
    await shelves.execute("""
        CREATE OR REPLACE FUNCTION search_words(text) RETURNS tsvector LANGUAGE plpgsql IMMUTABLE
        AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN to_tsvector('simple', $1); END $$
    """)
    await put(shelves, *(row(n, HOT + timedelta(seconds=2 * n)) for n in range(1_000)))
    return msgspec.structs.replace(settings, search_seconds=4, search_connections=1)


async def test_a_search_that_runs_out_of_time_tells_how_far_it_came_and_goes_on(
    slow: Settings,
) -> None:
    newest = HOT + timedelta(seconds=2_000)

    async with running(create_app(slow)) as client:
        first = await logs(client, "message", to=newest.isoformat(), limit=1_000)
        second = await logs(client, "message", after=first["next"], limit=1_000)

    stopped = datetime.fromisoformat(first["stopped_at"])
    assert HOT < stopped < newest
    assert first["records"]
    assert all(datetime.fromisoformat(one["occurred_at"]) >= stopped for one in first["records"])
    both = numbers(first) + numbers(second)
    assert both == list(range(999, 999 - len(both), -1))
    assert second["records"]


async def test_a_histogram_that_runs_out_of_time_shows_what_it_counted(slow: Settings) -> None:
    newest = HOT + timedelta(seconds=2_000)
    params: dict[str, Any] = {
        "q": "message",
        "from": "2026-11-20",
        "to": newest.isoformat(),
        "buckets": 500,
    }

    async with running(create_app(slow)) as client:
        counted = (await client.get("/api/logs/histogram", params=params)).json()

    stopped = datetime.fromisoformat(counted["stopped_at"])
    starts = [datetime.fromisoformat(bucket["start"]) for bucket in counted["buckets"]]
    assert HOT < stopped < newest
    assert starts[0] + timedelta(seconds=counted["bucket_seconds"]) > stopped
    assert 0 < counted["total"] < 1_000


async def test_a_search_that_comes_nowhere_says_how_to_narrow_it(
    slow: Settings, connection: asyncpg.Connection
) -> None:
    await put(connection, *(row(2_000 + n, NOW - timedelta(seconds=0.5)) for n in range(500)))

    async with running(create_app(slow)) as client:
        answer = await client.get("/api/logs", params={"q": "message", **ALL})

    assert answer.status_code == 503
    assert "narrow it" in answer.json()["detail"]
    assert answer.headers["retry-after"]


RUNNING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'prodsentinel-search'
    AND state = 'active' AND query LIKE '%search_words%'
"""


async def wait_for(connection: asyncpg.Connection, count: int) -> None:
    async with asyncio.timeout(20):
        while await connection.fetchval(RUNNING) != count:  # noqa: ASYNC110 - another process's
            await asyncio.sleep(0.02)


async def test_a_search_ends_in_the_database_when_its_client_leaves(
    slow: Settings, connection: asyncpg.Connection
) -> None:
    patient = msgspec.structs.replace(slow, search_seconds=600)
    app = create_app(patient)
    leaves = asyncio.Event()
    scope = {
        "type": "http", "method": "GET", "path": "/api/logs", "raw_path": b"/api/logs",
        "query_string": b"q=message&from=2026-11-20&to=2026-11-21", "headers": [],
        "http_version": "1.1",
        "scheme": "http", "server": ("test", 80), "client": ("test", 1), "root_path": "",
        "asgi": {"version": "3.0"}, "state": {}, "extensions": {},
    }  # fmt: skip
    asked = False

    async def receive() -> Any:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(_: Any) -> None:
        return

    async with running(app) as client:
        searching = asyncio.ensure_future(app(scope, receive, send))  # type: ignore[arg-type]
        await wait_for(connection, 1)
        leaves.set()
        await wait_for(connection, 0)
        await searching
        next_one = await client.get("/api/logs", params={"q": "service:payment", **ALL})

    assert next_one.status_code == 200
    assert len(next_one.json()["records"]) == 100


async def test_searches_that_hold_all_their_connections_hold_up_no_record(
    slow: Settings, connection: asyncpg.Connection
) -> None:
    impatient = msgspec.structs.replace(slow, search_seconds=600, pool_timeout_seconds=0.2)
    async with running(create_app(impatient)) as client:
        searching = asyncio.ensure_future(client.get("/api/logs", params={"q": "message", **ALL}))
        await wait_for(connection, 1)
        refused = await client.get("/api/logs", params={"q": "message", **ALL})
        stored = await client.post("/ingest/logs", json={"service": "s", "message": "m"})
        searching.cancel()

    assert refused.status_code == 503
    assert "Other searches" in refused.json()["detail"]
    assert stored.status_code == 202
