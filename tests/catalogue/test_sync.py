import msgspec
import pytest
from sqlalchemy import select

from app.catalogue.documents import compile_document
from app.catalogue.model import KnownIssue
from app.catalogue.queries import IMPORTED, Synced, current_versions, sync_known_issues
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
    assert await sync(database, entry()) == Synced(unchanged=("too-many-cooks",))


async def test_a_changed_paragraph_is_a_new_version(database: Database) -> None:
    await sync(database, entry())

    changed = await sync(database, entry(ENTRY.replace("Send some home", "Send most home")))

    assert changed == Synced(changed=("too-many-cooks",))
    assert await versions(database) == {"too-many-cooks": 2}


async def test_a_moved_entry_is_the_same_version_at_its_new_place(database: Database) -> None:
    await sync(database, entry())

    moved = await sync(database, entry("\n\n" + ENTRY))

    assert not moved.anything()
    async with database.session() as session:
        row = (await session.execute(select(known_issues))).one()
    assert row.first_line == 7


async def test_a_deleted_entry_is_retired_and_may_come_back(database: Database) -> None:
    await sync(database, entry())

    assert await sync(database) == Synced(retired=("too-many-cooks",))
    assert await versions(database) == {}
    assert await sync(database, entry()) == Synced(new=("too-many-cooks",))
    assert await versions(database) == {"too-many-cooks": 1}


async def test_the_whole_entry_is_stored(database: Database) -> None:
    await sync(database, entry())

    async with database.session() as session:
        row = (await session.execute(select(known_issues))).one()

    assert msgspec.convert(row.entry, KnownIssue) == entry()


async def test_an_id_of_another_collection_is_a_problem_and_stays_as_it_is(
    database: Database,
) -> None:
    await sync(database, entry())
    async with database.session() as session:
        synced = await sync_known_issues(
            session, [entry(ENTRY.replace("Send", "Drive"))], collection=IMPORTED
        )

    assert synced.problems[0].reason.startswith("the id 'too-many-cooks' is taken by guide.md")
    assert await versions(database) == {"too-many-cooks": 1}


async def test_importing_one_document_retires_only_its_own_entries(database: Database) -> None:
    other = entry(ENTRY.replace("too-many-cooks", "too-few-cooks"))
    one = msgspec.structs.replace(
        other, provenance=msgspec.structs.replace(other.provenance, document="other.md")
    )
    async with database.session() as session:
        await sync_known_issues(session, [entry(), one], collection=IMPORTED)
        synced = await sync_known_issues(session, [], collection=IMPORTED, documents={"other.md"})

    assert synced.retired == ("too-few-cooks",)
    assert await versions(database) == {"too-many-cooks": 1}
