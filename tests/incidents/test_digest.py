from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update

from app.catalogue.documents import compile_document
from app.catalogue.matcher import Matcher
from app.catalogue.queries import sync_known_issues
from app.catalogue.tables import matches
from app.database import Database
from app.incidents.digest import digest_round
from app.incidents.queries import recount
from app.incidents.tables import IncidentStatus, incident_chains, incidents
from app.settings import Settings
from app.store.writer import write_batch
from tests.catalogue.test_documents import ENTRY
from tests.store.test_writer import batch_of

pytestmark = pytest.mark.anyio
MATCHER = Matcher(compile_document("guide.md", ENTRY).issues)


async def store(database: Database, *records: dict[str, Any]) -> None:
    async with database.driver() as driver:
        await write_batch(driver, batch_of(*records))


async def digest(database: Database, settings: Settings, matcher: Matcher = MATCHER) -> int:
    async with database.session() as session:
        await sync_known_issues(session, matcher.issues.values())
    return await digest_round(database, matcher, settings)


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


async def test_a_new_chain_after_resolving_opens_a_new_incident(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c1"))
    await digest(database, settings)
    async with database.session() as session:
        await session.execute(update(incidents).values(status=IncidentStatus.RESOLVED))
    await store(database, failing("c2"))
    await digest(database, settings)

    assert [i.status for i in await all_incidents(database)] == [
        IncidentStatus.RESOLVED,
        IncidentStatus.OPEN,
    ]


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
        await session.execute(text("ALTER TABLE incident_chains RENAME TO hidden"))
    with pytest.raises(Exception, match="incident_chains"):
        await digest(database, settings)
    async with database.session() as session:
        await session.execute(text("ALTER TABLE hidden RENAME TO incident_chains"))

    assert await digest(database, settings) == 1


async def test_counts_equal_a_fresh_recount(database: Database, settings: Settings) -> None:
    for number in range(12):
        await store(
            database,
            failing(f"c{number % 5}", ["broth spoiled", "kettle exploded"][number % 2]),
            {"correlation_id": f"c{number % 5}"},
        )
        await digest(database, settings)

    counted = {i.incident_id: (i.chains, i.records) for i in await all_incidents(database)}

    async with database.session() as session:
        fresh: dict[UUID, tuple[int, int]] = await recount(session)
    assert counted == fresh


async def test_a_changed_catalogue_is_held_against_what_is_stored(
    database: Database, settings: Settings
) -> None:
    from app.catalogue.matching import match_signatures

    await store(database, failing("c"))
    await digest(database, settings, Matcher(()))
    async with database.session() as session:
        await sync_known_issues(session, MATCHER.issues.values())
        assert await match_signatures(session, MATCHER) == 1
        assert await match_signatures(session, MATCHER) == 0
        match = (await session.execute(select(matches))).one()

    assert match.known_issue_id == "too-many-cooks"
