from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select, text, update

from app.catalogue.documents import compile_document
from app.catalogue.matcher import Matcher
from app.catalogue.queries import sync_known_issues
from app.catalogue.tables import matches
from app.correlate.queries import (
    claim_settled,
    take_marks,
)
from app.database import Database
from app.incidents.digest import digest_round
from app.incidents.tables import EventKind, IncidentStatus, events, incident_chains, incidents
from app.settings import Settings
from app.store.tables import signatures
from app.store.writer import write_batch
from tests.catalogue.test_documents import ENTRY
from tests.store.test_writer import NOW, batch_of

pytestmark = pytest.mark.anyio
MATCHER = Matcher(compile_document("guide.md", ENTRY).issues)


async def store(database: Database, *records: dict[str, Any]) -> None:
    async with database.driver() as driver:
        await write_batch(driver, batch_of(*records))


async def store_at(database: Database, at: datetime, *records: dict[str, Any]) -> None:
    async with database.driver() as driver:
        await write_batch(driver, batch_of(*records, at=at))


async def digest(database: Database, settings: Settings, matcher: Matcher = MATCHER) -> int:
    async with database.session() as session:
        await sync_known_issues(session, matcher.issues.values())
    return (await digest_round(database, matcher, settings)).chains


async def all_incidents(database: Database) -> list[Any]:
    async with database.session() as session:
        return list(await session.execute(select(incidents).order_by(incidents.c.opened_at)))


def failing(correlation_id: str, message: str = "broth spoiled", **fields: Any) -> dict[str, Any]:
    return {"correlation_id": correlation_id, "level": "error", "message": message, **fields}


async def test_a_failing_chain_opens_an_incident_with_its_known_issue(
    database: Database, settings: Settings
) -> None:
    await store(database, {"correlation_id": "c"}, failing("c", environment="prod", release="1"))

    assert await digest(database, settings) == 1

    (incident,) = await all_incidents(database)
    assert (incident.chains, incident.records) == (1, 2)
    assert incident.status is IncidentStatus.OPEN
    assert (incident.environments, incident.releases) == (["prod"], ["1"])
    async with database.session() as session:
        match = (await session.execute(select(matches))).one()
    assert match.known_issue_id == "too-many-cooks"


async def test_an_error_nobody_wrote_about_is_stored_as_unknown(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c", "kettle exploded"))

    await digest(database, settings)

    async with database.session() as session:
        match = (await session.execute(select(matches))).one()
    assert match.known_issue_id is None
    assert match.tier is None


async def test_further_chains_of_one_root_extend_the_incident(
    database: Database, settings: Settings
) -> None:
    for number in range(3):
        await store(database, failing(f"c{number}", service=f"s{number}"))
        await digest(database, settings)

    (incident,) = await all_incidents(database)
    assert (incident.chains, incident.records) == (3, 3)
    assert sorted(incident.services) == ["s0", "s1", "s2"]


async def test_a_service_that_reports_its_callees_failure_opens_no_second_incident(
    database: Database, settings: Settings
) -> None:
    await store(
        database,
        failing("c", service="inventory", timestamp="2026-11-20T11:00:01Z"),
        failing("c", "502 from inventory", service="payment", timestamp="2026-11-20T11:00:02Z"),
    )

    await digest(database, settings)

    (incident,) = await all_incidents(database)
    async with database.session() as session:
        chain = (await session.execute(select(incident_chains))).one()
    assert chain.root_service == "inventory"
    assert len(chain.symptoms) == 1
    assert incident.chains == 1


async def test_late_records_are_added_once(database: Database, settings: Settings) -> None:
    await store(database, failing("c"))
    await digest(database, settings)
    await store(database, {"correlation_id": "c"}, {"correlation_id": "c"})
    await digest(database, settings)

    (incident,) = await all_incidents(database)

    assert (incident.chains, incident.records) == (1, 3)


async def test_a_late_earlier_error_moves_the_chain_to_its_own_incident(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c", "502 from stove", timestamp="2026-11-20T11:00:02Z"))
    await digest(database, settings)
    await store(database, failing("c", timestamp="2026-11-20T11:00:01Z"))
    await digest(database, settings)

    (incident,) = await all_incidents(database)

    assert (incident.chains, incident.records) == (1, 2)


async def test_late_records_of_a_resolved_incident_do_not_open_it_again(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c"))
    await digest(database, settings)
    async with database.session() as session:
        await session.execute(update(incidents).values(status=IncidentStatus.RESOLVED))
    await store(database, {"correlation_id": "c"})
    await digest(database, settings)

    (incident,) = await all_incidents(database)

    assert incident.status is IncidentStatus.RESOLVED
    assert incident.records == 2


async def test_records_that_retention_dropped_take_nothing_from_their_incident(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c", timestamp="2026-11-19T10:30:00Z"))
    await store(database, failing("c", "kettle exploded", timestamp="2026-11-19T10:40:00Z"))
    await digest(database, settings)
    async with database.session() as session:
        await session.execute(
            text("DELETE FROM log_records WHERE occurred_at < '2026-11-19 10:35'")
        )
    await store(database, failing("c", "kettle exploded", timestamp="2026-11-19T10:50:00Z"))
    await digest(database, settings)

    (incident,) = await all_incidents(database)
    async with database.session() as session:
        await session.execute(text("DELETE FROM log_records"))
    await store(database, failing("c", "kettle exploded", timestamp="2026-11-20T11:00:00Z"))
    await digest(database, settings)
    first, second = await all_incidents(database)

    assert (incident.chains, incident.records) == (1, 2)
    assert (first.chains, first.records) == (1, 2)
    assert (second.chains, second.records) == (1, 1)
    assert first.root_signature_id != second.root_signature_id


async def test_a_chain_without_records_is_taken_off_the_queue(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c"))
    async with database.session() as session:
        await session.execute(text("DELETE FROM log_records"))

    assert await digest(database, settings) == 1
    assert await digest(database, settings) == 0


async def test_a_new_chain_after_resolving_opens_the_incident_again(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c1"))
    await digest(database, settings)
    async with database.session() as session:
        values = {"status": IncidentStatus.RESOLVED, "resolved_at": NOW}
        await session.execute(update(incidents).values(values))
    await store_at(database, NOW + timedelta(minutes=1), failing("c2"))
    await digest(database, settings)

    (incident,) = await all_incidents(database)
    assert (incident.status, incident.chains) == (IncidentStatus.OPEN, 2)
    assert (incident.regressions, incident.resolved_at) == (1, None)
    async with database.session() as session:
        kinds = (await session.execute(select(events.c.kind).order_by(events.c.happened_at))).all()
    assert [row.kind for row in kinds] == [EventKind.OPENED, EventKind.REGRESSED]


async def test_a_chain_is_left_alone_until_it_is_quiet(
    database: Database, database_url: str
) -> None:
    await store(database, failing("c"))

    waiting = Settings(database_url=database_url, quiet_seconds=60)

    assert await digest(database, waiting) == 0


async def test_a_round_that_fails_gives_its_work_back(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c"))
    async with database.session() as session:
        names = (await claim_settled(session, quiet_seconds=0, limit=9)).names
        await take_marks(session, names)
        await session.rollback()

    assert names == ["c"]
    assert await digest(database, settings) == 1


async def test_a_chain_that_cannot_be_digested_does_not_hold_up_the_others(
    database: Database, settings: Settings
) -> None:
    async with database.session() as session:
        await session.execute(
            text("ALTER TABLE incident_chains ADD CHECK (correlation_id <> 'poison')")
        )
    await store(database, failing("c1"), failing("poison"), failing("c2"))

    assert await digest(database, settings) == 2
    assert await digest(database, settings) == 0

    (incident,) = await all_incidents(database)
    assert incident.chains == 2


async def test_an_error_far_down_a_long_chain_is_found(
    database: Database, settings: Settings
) -> None:
    quiet = [{"correlation_id": "c", "timestamp": 1763632800 + n} for n in range(300)]
    await store(database, *quiet, failing("c", timestamp=1763633800))

    await digest(database, msgspec.structs.replace(settings, max_chain_records=100))

    (incident,) = await all_incidents(database)
    assert incident.records == 200  # the first hundred and the last


async def test_a_replica_goes_past_the_chains_that_another_one_has(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c"))

    async with database.session() as first:
        assert (await claim_settled(first, quiet_seconds=0, limit=9)).names == ["c"]
        await store(database, failing("d"))
        assert await digest(database, settings) == 1

    assert await digest(database, settings) == 1
    assert await digest(database, settings) == 0


async def test_late_records_tell_their_environment_and_release(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c"))
    await digest(database, settings)
    await store(database, {"correlation_id": "c", "environment": "prod", "release": "9"})
    await digest(database, settings)

    (incident,) = await all_incidents(database)

    assert (incident.environments, incident.releases) == (["prod"], ["9"])


async def test_a_clock_far_ahead_does_not_put_an_incident_into_the_future(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c", timestamp="2099-01-01T00:00:00Z"))

    await digest(database, settings)

    (incident,) = await all_incidents(database)
    assert incident.last_seen == NOW


async def test_more_signatures_than_one_round_of_matching_are_all_matched(
    database: Database, settings: Settings
) -> None:
    words = [a + b + c for a in "abcdefghij" for b in "klmnopqr" for c in "stuvwxyz"]
    await store(database, *(failing("c", f"the {word} broke") for word in words))

    await digest(database, settings)

    async with database.session() as session:
        counts = select(func.count()).select_from
        assert (await session.execute(counts(signatures))).scalar_one() == len(words)
        assert (await session.execute(counts(matches))).scalar_one() == len(words)


async def test_counts_equal_a_fresh_recount(database: Database, settings: Settings) -> None:
    for number in range(12):
        await store(
            database,
            failing(f"c{number % 5}", ["broth spoiled", "kettle exploded"][number % 2]),
            {"correlation_id": f"c{number % 5}"},
        )
        await digest(database, settings)

    counted = {i.incident_id: (i.chains, i.records) for i in await all_incidents(database)}

    chains = incident_chains.c
    query = select(chains.incident_id, func.count(), func.sum(chains.records))
    async with database.session() as session:
        rows = await session.execute(query.group_by(chains.incident_id))
        assert counted == {row[0]: (row[1], row[2]) for row in rows}


async def test_a_changed_catalogue_is_held_against_what_is_stored(
    database: Database, settings: Settings
) -> None:
    from app.catalogue.matching import match_signatures

    await store(database, failing("c"))
    await digest(database, settings, Matcher(()))
    async with database.session() as session:
        await sync_known_issues(session, MATCHER.issues.values())
        assert (await match_signatures(session, MATCHER)).total() == 1
        assert (await match_signatures(session, MATCHER)).total() == 0
        match = (await session.execute(select(matches))).one()

    assert match.known_issue_id == "too-many-cooks"
