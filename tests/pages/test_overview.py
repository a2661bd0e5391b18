import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from html import unescape

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database import Database
from app.incidents.failing_count_queries import recount_failing
from app.query.failing_queries import hurting, trend
from app.query.service_queries import ServiceSum, sum_services
from app.query.situation import state_of
from tests.incidents.seeded import add_chain, add_counted
from tests.pages.sent import statements

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)


def this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


async def stored(client: httpx.AsyncClient) -> None:
    """One record, so that it is no first visit."""
    answer = await client.post("/ingest/logs", json={"service": "a", "message": "m"})
    assert answer.status_code == 202


async def test_the_number_of_statements_does_not_grow_with_what_is_stored(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    await stored(client)
    await add_counted(connection, database, "v1:first", root_at=this_hour())
    counts = []
    for more in (0, 12):
        for number in range(more):
            await add_counted(connection, database, f"v1:{number}", chains=3, root_at=this_hour())
        await client.get("/")  # the state of the service is now known for two seconds
        for path in ("/", "/incidents"):
            with statements() as sent:
                page = await client.get(path)
            counts.append((path, len(sent)))
            assert page.status_code == 200

    assert counts[:2] == counts[2:]
    assert all(number > 1 for _, number in counts)


async def test_a_chain_of_two_roots_fails_once_and_is_known_only_when_both_are(
    connection: asyncpg.Connection, database: Database
) -> None:
    start = this_hour()
    one = await add_counted(connection, database, "v1:a", "v1:b", chains=0)
    for root, findings in (("v1:a", ["raw-sql-text"]), ("v1:b", [])):
        await add_chain(
            connection, one, root, correlation_id="both", root_at=start, findings=findings
        )
    await add_chain(connection, one, "v1:a", root_at=start + HOUR, findings=["raw-sql-text"])
    await add_chain(connection, one, "v1:a", root_at=start - HOUR)

    async with database.session() as session:
        await recount_failing(session)
        found = await trend(session, [start, start + HOUR, start + 2 * HOUR], HOUR)

    assert [(t.known, t.unknown) for t in found] == [(0, 1), (1, 0), (0, 0)]
    assert [t.start for t in found] == [start, start + HOUR, start + 2 * HOUR]


async def test_what_hurts_is_open_and_failed_lately_the_worst_first(
    connection: asyncpg.Connection, database: Database
) -> None:
    start = this_hour()
    little = await add_counted(connection, database, "v1:a", chains=1, root_at=start)
    much = await add_counted(connection, database, "v1:b", chains=3, root_at=start)
    await add_counted(connection, database, "v1:c", chains=9, root_at=start - HOUR)
    await add_counted(
        connection, database, "v1:d", chains=9, root_at=start, columns={"status": "muted"}
    )

    async with database.session() as session:
        found = await hurting(session, since=start, limit=10)

    assert [(one.incident_id, one.chains) for one in found] == [(much, 3), (little, 1)]


async def test_an_incident_of_the_overview_leads_to_its_page(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    await stored(client)
    one = await add_counted(connection, database, "v1:a", chains=2, root_at=this_hour())

    page = (await client.get("/")).text

    assert f'href="/incidents/{one}"' in page
    assert "title of v1:a" in page


async def test_nothing_stored_shows_how_to_send_the_first_record_to_this_very_address(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/")

    assert page.status_code == 200
    assert "http://test/ingest/logs" in page.text


async def test_a_chain_that_no_example_names_is_not_waited_for(client: httpx.AsyncClient) -> None:
    for chain in ("order-1", "first-", "first-0123456Z", "first-01234567' OR 1"):
        answer = await client.get("/first-record/arrival", params={"chain": chain})

        assert answer.status_code == 400


async def test_settings_lead_to_a_test_record(client: httpx.AsyncClient) -> None:
    assert 'href="/first-record"' in (await client.get("/settings")).text


async def test_what_is_not_written_down_leads_to_the_draft_of_its_incident(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    await stored(client)
    one = await add_counted(connection, database, "v1:a", chains=2, root_at=this_hour())

    for path in ("/", "/catalogue/documents/missing"):
        page = (await client.get(path)).text

        assert f'href="/incidents/{one}/draft"' in page


async def test_the_record_that_the_first_visit_proposes_is_taken_and_seen_to_arrive(
    client: httpx.AsyncClient,
) -> None:
    first = unescape((await client.get("/")).text)
    (proposed,) = re.findall(r"-d '(\{.*?\})'</code>", first, re.DOTALL)
    address = re.search(r"/first-record/arrival\?chain=first-[0-9a-f]{8}", first)
    assert address
    await stored(client)
    waiting = await client.get(address[0])
    await client.post("/ingest/logs", json=json.loads(proposed))
    arrived = await client.get(address[0], headers={"HX-Request": "true"})

    assert "Waiting for the record" in waiting.text
    assert "It came." in arrived.text
    assert "charge failed" in arrived.text
    assert "<html" in waiting.text
    assert "<html" not in arrived.text


def service(**fields: object) -> ServiceSum:
    shared = {
        "service": "a", "records": 100, "errors": 0, "error_share": 0.0, "release": "",
        "missing_records": 0,
    }  # fmt: skip
    return ServiceSum(**{**shared, **fields})  # type: ignore[arg-type]


@given(st.floats(0, 1), st.timedeltas(timedelta(0), timedelta(days=3)))
def test_a_service_that_is_not_heard_of_is_silent_whatever_it_said(
    share: float, quiet: timedelta
) -> None:
    now = datetime(2026, 11, 21, tzinfo=UTC)

    state = state_of(service(last_seen=now - quiet, error_share=share), now=now)

    assert (state == "silent") == (quiet > timedelta(minutes=15))
    assert (state == "failing") == (quiet <= timedelta(minutes=15) and share >= 0.05)


async def test_a_service_is_shown_with_its_newest_release_and_the_sum_of_its_parts(
    connection: asyncpg.Connection, database: Database
) -> None:
    hour = this_hour()
    rows = [
        ("a", hour - HOUR, "1.0", "one", 10, 1),
        ("a", hour, "1.1", "one", 20, 2),
        ("a", hour, "", "two", 30, 3),
        ("a", hour - 2 * HOUR, "0.9", "one", 40, 4),
    ]
    await connection.executemany(
        """INSERT INTO service_hours
           (service, hour, environment, release, instance, records, errors, last_at)
           VALUES ($1, $2, 'prod', $3, $4, $5, $6, $2)""",
        rows,
    )

    async with database.session() as session:
        (found,) = await sum_services(session, since=hour - HOUR, limit=10)

    assert (found.release, found.records, found.errors) == ("1.1", 60, 6)
    assert (found.last_seen, found.error_share) == (hour, 0.1)


async def test_a_window_that_is_no_window_is_refused_on_a_page(client: httpx.AsyncClient) -> None:
    answers = Counter(
        [
            (await client.get("/", params={"hours": hours})).status_code
            for hours in ("0", "169", "x", "-1", "24", "")
        ]
    )

    assert answers == {400: 5, 200: 1}
