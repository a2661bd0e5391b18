"""Whatever happens at once - batches, replicas, lost connections, people - the counts are true."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import pytest
import structlog
from sqlalchemy import text

from app.catalogue.queries import sync_known_issues
from app.database import Database, DatabaseUnavailable
from app.errors import AppError
from app.incidents.change_queries import roots_of
from app.incidents.changes import Author, change, merge_incidents, note, split_incident
from app.incidents.count_queries import count_differences
from app.incidents.digest import digest_now, digest_round
from app.incidents.failing_count_queries import failing_differences
from app.incidents.lifecycle import mute, reopen, resolve
from app.settings import Settings
from app.store.writer import write_batch
from tests.incidents.kitchen import CHAINS, LAWS, MATCHER, record_of
from tests.store.test_writer import batch_of

pytestmark = pytest.mark.anyio

STEPS: Final = 7
ROWS: Final = """
    SELECT correlation_id || ' ' || root_signature_id AS key,
        (to_jsonb(chain) - '{digested_at,services,reasons,confidence}'::text[])::text AS said
    FROM incident_chains AS chain
"""


WORKING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'
"""


class Kitchen:
    """One database, three replicas of the digest, a sender, people, and somebody with an axe."""

    def __init__(
        self, url: str, settings: Settings, connection: asyncpg.Connection, seed: int
    ) -> None:
        self.replicas = [Database(url, settings) for _ in range(3)]
        self.people = Database(url, settings)
        self.settings = settings
        self.connection = connection
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.forgets = seed % 2 == 0
        self.noted: set[UUID] = set()

    async def close(self) -> None:
        for database in (*self.replicas, self.people):
            await database.close()

    async def step(self) -> None:
        """Some of everything at once."""
        acts: list[Awaitable[None]] = [
            *(self.store(database) for database in self.replicas[:2]),
            *(self.digest(database) for database in self.replicas),
            *(self.person() for _ in range(2)),
        ]
        if self.chance.random() < 0.5:
            acts.append(self.terminate())
        if self.forgets and self.chance.random() < 0.3:
            acts.append(self.retain())
        self.chance.shuffle(acts)
        await asyncio.gather(*acts)

    async def store(self, database: Database) -> None:
        """Sent until it is acknowledged."""
        for _ in range(2):
            raw = [record_of(self.chance) for _ in range(self.chance.randint(1, 5))]
            batch = batch_of(*raw)
            stored = False
            while not stored:
                with contextlib.suppress(DatabaseUnavailable):
                    async with database.driver() as driver:
                        await write_batch(driver, batch, MATCHER.watch.chains_of)
                    stored = True

    async def digest(self, database: Database) -> None:
        for _ in range(self.chance.randint(1, 3)):
            with contextlib.suppress(DatabaseUnavailable):
                await digest_round(database, MATCHER, self.settings)
                name = f"chain-{self.chance.randrange(CHAINS)}"
                await digest_now(database, MATCHER, self.settings, name)

    async def terminate(self) -> None:
        await asyncio.sleep(self.chance.random() * 0.05)
        await self.connection.execute(
            """SELECT pg_terminate_backend(pid) FROM (
                   SELECT pid FROM pg_stat_activity
                   WHERE datname = current_database() AND pid <> pg_backend_pid()
                   AND state <> 'idle' ORDER BY random() LIMIT 2
               ) AS working"""
        )

    async def retain(self) -> None:
        old = text("DELETE FROM log_records WHERE occurred_at < '2026-11-20 06:53'")
        with contextlib.suppress(DatabaseUnavailable):
            async with self.people.session() as session:
                await session.execute(old)

    async def person(self) -> None:
        """Changes what is there; whatever cannot be changed so stays as it is."""
        with contextlib.suppress(AppError):
            async with self.people.session() as session:
                noted = await self._change(session)
            self.noted |= {noted} if noted else set()

    async def _change(self, session: Any) -> UUID | None:
        """The incident, if a note was written to it."""
        found = await session.execute(text("SELECT incident_id FROM incidents ORDER BY 1"))
        ids: list[UUID] = list(found.scalars())
        if not ids:
            return None
        one, author, now = self.chance.choice(ids), Author(done_by="ana", if_match="*"), _now()
        what = self.chance.choice(("resolve", "mute", "reopen", "note", "merge", "split", "split"))
        if what == "resolve":
            await change(session, one, author, lambda s: resolve(s, in_release=None, now=now))
        elif what == "mute":
            await change(session, one, author, lambda s: mute(s, now=now, chains=2))
        elif what == "reopen":
            await change(session, one, author, reopen)
        elif what == "note":
            await note(session, one, author)
            return one
        elif what == "merge":
            others = self.chance.sample(ids, min(2, len(ids)))
            await merge_incidents(session, one, others, author, now=now)
        else:
            roots = sorted(await roots_of(session, one))
            await split_incident(session, one, roots[:1], author)
        return None

    async def rest(self) -> None:
        """Until nothing waits, once those whose connections were cut have let go of their locks."""
        await self._wait_for_others()
        for _ in range(20):
            if not (await digest_round(self.people, MATCHER, self.settings)).chains:
                return
        raise AssertionError("the digest never comes to rest")

    async def _wait_for_others(self) -> None:
        """A client hears that its server process ends before that lets go of what it holds."""
        for _ in range(1_000):
            if not await self.connection.fetchval(WORKING):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("somebody still works who was not asked to")

    async def hold_the_law(self) -> None:
        async with self.people.session() as session:
            assert await count_differences(session) == []
            assert await failing_differences(session) == []
        for what, query in LAWS.items():
            assert await self.connection.fetch(query) == [], what
        told = await self.connection.fetch("SELECT incident_id FROM events WHERE kind = 'noted'")
        assert {row[0] for row in told} == self.noted

    async def digest_all_anew(self) -> None:
        await self.connection.execute(
            """INSERT INTO chain_marks (correlation_id)
               SELECT DISTINCT correlation_id FROM log_records WHERE signature_id IS NOT NULL
               UNION SELECT correlation_id FROM incident_chains"""
        )
        await self.look_again()

    async def look_again(self) -> None:
        """As if it were later: what is to be looked at again is looked at now."""
        await self.connection.execute("UPDATE chain_marks SET marked_at = now()")
        await self.rest()


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def kitchen(
    request: pytest.FixtureRequest, settings: Settings, connection: asyncpg.Connection
) -> AsyncIterator[Kitchen]:
    opened = Kitchen(settings.database_url, settings, connection, request.param)
    async with opened.people.session() as session:
        await sync_known_issues(session, MATCHER.issues.values())
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: _tell(handler, loop, context))
    yield opened
    await opened.close()
    loop.set_exception_handler(handler)


def _tell(handler: Any, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncpg leaves a waiter behind when the axe falls between two statements."""
    if not isinstance(context.get("exception"), asyncpg.ConnectionDoesNotExistError):
        handler(loop, context)


@pytest.mark.parametrize("kitchen", range(8), indirect=True)
async def test_any_interleaving_counts_what_a_recount_counts(kitchen: Kitchen) -> None:
    with structlog.testing.capture_logs() as logs:
        for _ in range(STEPS):
            await kitchen.step()
            await kitchen.rest()
            await kitchen.hold_the_law()
        await kitchen.look_again()
        await kitchen.rest()
        before = dict(await kitchen.connection.fetch(ROWS))
        await kitchen.digest_all_anew()

    assert _failures(logs) == []
    # What is left of a chain counts as a new one only when nothing else of it is left.
    assert kitchen.forgets or dict(await kitchen.connection.fetch(ROWS)) == before
    await kitchen.hold_the_law()


def _failures(logs: Sequence[Any]) -> list[str]:
    """Chains set aside, and rounds that began anew for another reason than a lost connection."""
    return [str(entry) for entry in logs if entry["log_level"] in ("warning", "error")
            and entry["event"] != "incident_regressed"]  # fmt: skip
