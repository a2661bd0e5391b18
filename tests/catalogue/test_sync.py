import pytest
from sqlalchemy import select

from app.catalogue.documents import compile_document
from app.catalogue.model import KnownIssue
from app.catalogue.queries import Synced, current_versions, sync_known_issues
from app.catalogue.tables import known_issues
from app.database import Database
from tests.catalogue.test_documents import ENTRY

pytestmark = pytest.mark.anyio


def entry(text: str = ENTRY) -> KnownIssue:
    (issue,) = compile_document("guide.md", text).issues
    return issue


async def sync(database: Database, *issues: KnownIssue) -> Synced:
    async with database.session() as session:
        return await sync_known_issues(session, issues)


async def versions(database: Database) -> dict[str, int]:
    async with database.session() as session:
        return await current_versions(session)


async def test_importing_twice_changes_nothing(database: Database) -> None:
    assert await sync(database, entry()) == Synced(new=("too-many-cooks",))
    assert await sync(database, entry()) == Synced()


async def test_a_changed_paragraph_is_a_new_version(database: Database) -> None:
    await sync(database, entry())

    changed = await sync(database, entry(ENTRY.replace("Send some home", "Send most home")))

    assert changed == Synced(changed=("too-many-cooks",))
    assert await versions(database) == {"too-many-cooks": 2}


async def test_a_moved_entry_is_the_same_version_at_its_new_place(database: Database) -> None:
    await sync(database, entry())

    moved = await sync(database, entry("\n\n" + ENTRY))

    assert moved == Synced()
    async with database.session() as session:
        row = (await session.execute(select(known_issues))).one()
    assert row.first_line == 7


async def test_a_deleted_entry_is_retired_and_may_come_back(database: Database) -> None:
    await sync(database, entry())

    assert await sync(database) == Synced(retired=("too-many-cooks",))
    assert await versions(database) == {}
    assert await sync(database, entry()) == Synced()
    assert await versions(database) == {"too-many-cooks": 1}


async def test_rules_are_stored_as_json(database: Database) -> None:
    await sync(database, entry())

    async with database.session() as session:
        row = (await session.execute(select(known_issues))).one()

    assert row.rules == {"signature": {"message": "broth spoiled"}, "chain": []}
