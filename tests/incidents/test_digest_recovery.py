"""What the digest does about errors that pass, and about what is told later than it should be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from app.database import Database
from app.incidents.changes import Author, note
from app.incidents.count_queries import count_differences
from app.incidents.digest import digest_round, follow_senders
from app.settings import Settings
from app.store.writer import write_batch
from tests.incidents.kitchen import MATCHER
from tests.incidents.test_digest import all_incidents, digest, failing, store
from tests.store.test_writer import NOW, batch_of

pytestmark = pytest.mark.anyio


async def count_holds(database: Database) -> None:
    async with database.session() as session:
        assert await count_differences(session) == []


async def test_what_only_a_chain_that_left_had_told_leaves_with_it(
    database: Database, settings: Settings
) -> None:
    first = failing("c", "502 from stove", service="web", release="9", environment="prod")
    await store(database, {**first, "timestamp": "2026-11-20T10:00:02Z"})
    await store(database, failing("d", "502 from stove", timestamp="2026-11-20T11:00:00Z"))
    await digest(database, settings)
    await store(database, failing("c", timestamp="2026-11-20T10:00:01Z", service="stove"))
    await digest(database, settings)

    left, _ = await all_incidents(database)

    assert (left.chains, left.services, left.root_services) == (1, ["payment"], ["stove"])
    assert (left.releases, left.environments) == ([], [])
    assert left.first_seen == left.last_seen == NOW - timedelta(hours=1)
    await count_holds(database)


async def test_an_incident_with_a_note_outlives_its_only_chain(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    await store(database, failing("c", "502 from stove", timestamp="2026-11-20T11:00:02Z"))
    await digest(database, settings)
    (first,) = await all_incidents(database)
    async with database.session() as session:
        await note(session, first.incident_id, Author(done_by="ana", note="seen last week too"))
    await store(database, failing("c", timestamp="2026-11-20T11:00:01Z"))
    await digest(database, settings)

    left, _ = await all_incidents(database)

    assert (left.incident_id, left.chains) == (first.incident_id, 0)
    assert await connection.fetchval("SELECT count(*) FROM events WHERE kind = 'noted'") == 1
    await count_holds(database)


async def test_a_chain_that_waited_too_long_for_a_lock_is_tried_again(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    await store(database, failing("c1"))
    await digest(database, settings)
    await store(database, failing("c2"))
    impatient = msgspec.structs.replace(settings, statement_timeout_seconds=0.3)
    hasty = Database(settings.database_url, impatient)

    async with connection.transaction():
        await connection.execute("SELECT FROM incidents FOR UPDATE")
        with pytest.raises(Exception, match="timeout"):
            await digest_round(hasty, MATCHER, impatient)
    await hasty.close()
    await connection.execute("UPDATE chain_marks SET marked_at = now()")
    await digest(database, settings)

    (incident,) = await all_incidents(database)
    assert incident.chains == 2


async def test_a_gap_that_another_chain_closes_is_looked_at_again_after_late_records(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    await store(database, failing("c", instance="one", sequence=1))
    await store(database, {"correlation_id": "c", "instance": "one", "sequence": 3})
    await follow_senders(database)
    await digest(database, settings)
    await store(database, {"correlation_id": "c", "message": "late"})
    await digest(database, settings)
    await store(database, {"correlation_id": "other", "instance": "one", "sequence": 2})
    await follow_senders(database)
    await connection.execute("UPDATE chain_marks SET marked_at = now()")
    await digest(database, settings)

    (incident,) = await all_incidents(database)

    assert (incident.chains, incident.incomplete) == (1, 0)


async def test_late_records_of_a_chain_that_only_a_rule_is_about_are_counted(
    database: Database, settings: Settings
) -> None:
    slow = {"correlation_id": "c", "message": "baked", "attributes": {"took_ms": 900}}
    async with database.driver() as driver:
        await write_batch(driver, batch_of(slow), MATCHER.watch.chains_of)
    await digest(database, settings, MATCHER)
    async with database.driver() as driver:
        await write_batch(driver, batch_of({"correlation_id": "c"}), MATCHER.watch.chains_of)
    await digest(database, settings, MATCHER)

    (incident,) = await all_incidents(database)

    assert (incident.chains, incident.records) == (1, 2)


async def test_each_run_of_a_chain_that_is_used_again_counts_though_the_first_is_gone(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    words = ("kettle", "broth", "oven", "waiter", "plate")
    for day, word in enumerate(words):
        at = datetime(2026, 11, 14 + day, 3, tzinfo=UTC)
        await store(database, failing("nightly", f"{word} is gone", timestamp=at.isoformat()))
        await connection.execute(
            "DELETE FROM log_records WHERE occurred_at < $1", at - timedelta(days=2, hours=1)
        )
        await digest(database, settings)

    incidents = await all_incidents(database)

    assert [(one.chains, one.records) for one in incidents] == [(1, n) for n in (3, 3, 3, 1, 1)]
    await count_holds(database)


async def test_every_error_of_runs_that_failed_alike_is_counted(
    database: Database, settings: Settings, connection: asyncpg.Connection
) -> None:
    await store(
        database, *(failing("c", timestamp=f"2026-11-{10 + day}T03:00:00Z") for day in range(7))
    )

    await digest(database, settings)

    hour = await connection.fetchrow("SELECT chains, errors FROM incident_hours")
    assert tuple(hour) == (1, 7)
    await count_holds(database)


async def missing_events(connection: asyncpg.Connection) -> list[Any]:
    rows = await connection.fetch("SELECT details FROM events WHERE kind = 'gap' ORDER BY 1")
    return [msgspec.json.decode(row[0]) for row in rows]


async def test_a_hole_in_the_first_batch_of_a_sender_is_told(
    database: Database, connection: asyncpg.Connection
) -> None:
    await store(database, *({"instance": "one", "sequence": n} for n in (1, 2, 5)))

    await follow_senders(database, grace_seconds=0)
    await follow_senders(database, grace_seconds=0)

    (told,) = await missing_events(connection)
    assert (told["records"], told["ranges"]) == (2, [[3, 4]])


async def test_numbers_on_their_way_are_not_told_because_others_were_too(
    database: Database, connection: asyncpg.Connection
) -> None:
    """Of a busy sender some number is always on its way: none of them for long."""
    await store(database, *({"instance": "one", "sequence": n} for n in (1, 3)))
    await follow_senders(database)
    await connection.execute("UPDATE sender_sequences SET missing_since = now() - interval '1 h'")
    await store(database, *({"instance": "one", "sequence": n} for n in (2, 5)))

    await follow_senders(database)

    assert await missing_events(connection) == []


@pytest.mark.parametrize("number", [0, 2**63 - 2, 2**63 - 1])
async def test_a_failing_chain_is_digested_whatever_its_numbers(
    database: Database, settings: Settings, number: int
) -> None:
    await store(database, failing("c", instance="one", sequence=number))
    await store(database, failing("c", instance="one", sequence=7))
    await follow_senders(database, grace_seconds=0)
    await follow_senders(database, grace_seconds=0)

    await digest(database, settings)

    (incident,) = await all_incidents(database)
    assert incident.chains == 1
