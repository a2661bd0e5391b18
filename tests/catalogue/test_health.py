from datetime import UTC, datetime

import pytest

from app.catalogue.documents import compile_document
from app.catalogue.health import check_health
from app.catalogue.live import LiveCatalogue, compile_matcher
from app.catalogue.queries import sync_known_issues
from app.database import Database
from app.query.queries import known_issue
from app.store.writer import write_batch
from tests.catalogue.test_documents import ENTRY
from tests.store.test_writer import batch_of

pytestmark = pytest.mark.anyio
ISSUES = compile_document("guide.md", ENTRY.replace("broth spoiled", "order paid")).issues


async def store_healthy_chains(database: Database, message: str, count: int) -> None:
    records = ({"correlation_id": f"{message}-{n}".replace(" ", "-"), "message": message}
               for n in range(count))  # fmt: skip
    async with database.driver() as driver:
        await write_batch(driver, batch_of(*records, at=datetime.now(UTC)))


async def quarantined_after_check(database: Database) -> tuple[bool, int]:
    async with database.session() as session:
        await sync_known_issues(session, ISSUES)
        await check_health(session, compile_matcher(ISSUES))
    live = LiveCatalogue()
    async with database.session() as session:
        await live.refresh(session)
        view = await known_issue(session, "too-many-cooks")
    assert view is not None
    assert view.quarantined == (not live.matcher.issues)
    return view.quarantined, view.healthy_hits


async def test_an_entry_that_hits_healthy_chains_is_quarantined_and_says_so(
    database: Database,
) -> None:
    await store_healthy_chains(database, "order paid", 3)
    await store_healthy_chains(database, "order shipped", 217)

    assert await quarantined_after_check(database) == (True, 3)


async def test_one_hit_among_many_healthy_chains_is_borne(database: Database) -> None:
    await store_healthy_chains(database, "order paid", 2)
    await store_healthy_chains(database, "order shipped", 218)

    assert await quarantined_after_check(database) == (False, 2)


async def test_too_few_healthy_chains_say_nothing(database: Database) -> None:
    await store_healthy_chains(database, "order paid", 20)

    assert await quarantined_after_check(database) == (False, 20)


async def test_the_canarys_chains_do_not_count_as_healthy_ones(database: Database) -> None:
    await store_healthy_chains(database, "order paid", 3)
    await store_healthy_chains(database, "canary sings", 500)

    assert await quarantined_after_check(database) == (False, 3)
