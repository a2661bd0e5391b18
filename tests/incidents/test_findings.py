"""Chain rules on live chains: behaviour that no error tells of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text, update

from app.catalogue.live import default_catalogue
from app.catalogue.matcher import Matcher
from app.catalogue.tables import matches
from app.database import Database
from app.incidents.count_queries import count_differences
from app.incidents.failing_count_queries import failing_differences
from app.incidents.tables import incident_chains, incident_findings, incidents
from app.settings import Settings
from app.store.writer import write_batch
from tests.incidents.test_digest import all_incidents, digest, failing
from tests.store.test_writer import NOW, batch_of

pytestmark = pytest.mark.anyio
MATCHER = Matcher(default_catalogue().issues)
STATEMENT = {"db.statement": "SELECT * FROM stock WHERE id = ?"}


async def store(database: Database, *records: dict[str, Any], at: datetime = NOW) -> None:
    async with database.driver() as driver:
        await write_batch(driver, batch_of(*records, at=at), MATCHER.watch.chains_of)


def queries(chain: str, count: int) -> list[dict[str, Any]]:
    one = {"correlation_id": chain, "service": "orders", "attributes": STATEMENT}
    return [{**one, "message": "query"} for _ in range(count)]


async def test_a_chain_without_an_error_whose_chain_rule_holds_opens_an_incident(
    database: Database, settings: Settings
) -> None:
    await store(database, {"correlation_id": "c", "service": "gateway"}, *queries("c", 12))
    await store(database, *queries("d", 12))

    assert await digest(database, settings, MATCHER) == 2

    (incident,) = await all_incidents(database)
    assert incident.root_signature_id == "chain:slow-api-responses"
    assert (incident.chains, incident.root_services) == (2, ["orders"])
    async with database.session() as session:
        match = (await session.execute(select(matches))).one()
        assert (match.known_issue_id, match.tier) == ("slow-api-responses", "exact")
        assert match.evidence[0]["quote"].startswith("12 times: ")
        assert await count_differences(session) == []
        assert await failing_differences(session) == []


async def test_a_watched_chain_in_which_no_rule_holds_opens_none(
    database: Database, settings: Settings
) -> None:
    await store(database, *queries("c", 3))

    assert await digest(database, settings, MATCHER) == 1

    assert await all_incidents(database) == []


async def test_a_chain_rule_explains_an_error_that_nobody_wrote_about(
    database: Database, settings: Settings
) -> None:
    hook = {"correlation_id": "c", "message": "webhook received", "attributes": {"event_id": "e"}}
    await store(database, hook, hook, failing("c", "the ledger does not balance"))

    await digest(database, settings, MATCHER)

    (incident,) = await all_incidents(database)
    assert incident.root_signature_id.startswith("v1:")
    async with database.session() as session:
        found = (await session.execute(select(incident_findings))).one()
        assert (found.known_issue_id, found.chains) == ("webhook-retry-delays", 1)


async def test_slowness_explains_no_error(database: Database, settings: Settings) -> None:
    slow = {"correlation_id": "c", "message": "answered", "attributes": {"duration_ms": 9_000}}
    await store(database, slow, failing("c", "the ledger does not balance"))

    await digest(database, settings, MATCHER)

    async with database.session() as session:
        assert (await session.execute(select(incident_findings))).all() == []


async def test_what_never_came_is_found_when_its_time_is_over(
    database: Database, settings: Settings
) -> None:
    now = datetime.now(UTC)
    pushed = {"correlation_id": "c", "message": "STK push sent", "timestamp": now.isoformat()}
    await store(database, pushed, at=now)

    assert await digest(database, settings, MATCHER) == 1
    assert await all_incidents(database) == []
    async with database.session() as session:
        due = (await session.execute(text("SELECT marked_at FROM chain_marks"))).scalar_one()
        assert abs(due - now - timedelta(seconds=120)) < timedelta(seconds=1)
        # Two minutes pass.
        earlier = now - timedelta(seconds=121)
        await session.execute(text("UPDATE log_records SET occurred_at = :at"), {"at": earlier})
        await session.execute(text("UPDATE chain_marks SET marked_at = now()"))
    assert await digest(database, settings, MATCHER) == 1

    (incident,) = await all_incidents(database)
    assert incident.root_signature_id == "chain:mpesa-timeout"


async def test_an_answer_that_comes_late_takes_the_finding_back(
    database: Database, settings: Settings
) -> None:
    pushed = {"correlation_id": "c", "message": "STK push sent"}
    answer = {"correlation_id": "c", "message": "mpesa callback received"}
    await store(database, {**pushed, "timestamp": "2026-11-20T11:00:00Z"})
    await digest(database, settings, MATCHER)
    assert len(await all_incidents(database)) == 1

    await store(database, {**answer, "timestamp": "2026-11-20T11:01:00Z"})
    await digest(database, settings, MATCHER)

    assert await all_incidents(database) == []
    async with database.session() as session:
        assert (await session.execute(select(incident_chains))).all() == []


async def test_two_independent_failures_of_a_chain_are_counted_in_two_incidents(
    database: Database, settings: Settings
) -> None:
    top = {"correlation_id": "c", "service": "gateway", "span_id": "g"}
    left = {"service": "stock", "span_id": "l", "parent_span_id": "g"}
    right = {"service": "mail", "span_id": "r", "parent_span_id": "g"}
    await store(
        database,
        top,
        failing("c", "broth spoiled", timestamp="2026-11-20T11:00:01Z", **left),
        failing("c", "kettle exploded", timestamp="2026-11-20T11:00:02Z", **right),
    )

    await digest(database, settings, MATCHER)

    found = {tuple(one.root_services): one for one in await all_incidents(database)}
    assert set(found) == {("stock",), ("mail",)}
    assert {one.chains for one in found.values()} == {1}


async def test_the_first_three_chains_of_an_incident_are_kept(
    database: Database, settings: Settings
) -> None:
    for number in range(5):
        await store(database, failing(f"c{number}"))
        await digest(database, settings, MATCHER)

    async with database.session() as session:
        kept = text("SELECT correlation_id FROM incident_evidence ORDER BY correlation_id")
        assert (await session.execute(kept)).scalars().all() == ["c0", "c1", "c2"]


async def test_chains_of_a_resolved_incident_in_an_older_release_do_not_open_it_again(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c1", release="1.0"))
    await digest(database, settings, MATCHER)
    resolved = {"status": "resolved", "resolved_at": NOW, "resolved_in_release": "1.1"}
    async with database.session() as session:
        await session.execute(update(incidents).values(resolved))

    later = NOW + timedelta(hours=1)
    await store(database, failing("c2", release="1.0"), at=later)
    await digest(database, settings, MATCHER)
    (incident,) = await all_incidents(database)
    assert (incident.status, incident.chains) == ("resolved", 2)

    await store(database, failing("c3", release="1.1"), at=later)
    await digest(database, settings, MATCHER)
    (incident,) = await all_incidents(database)
    assert (incident.status, incident.chains, incident.regressions) == ("open", 3, 1)
