import asyncio
import random
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.incidents import lifecycle
from app.incidents.change_queries import lock_incidents
from app.incidents.changes import Author, InvalidMove, change, merge_incidents, split_incident
from app.incidents.count_queries import count_differences, recount
from app.incidents.lifecycle import ImpossibleChange
from tests.incidents.seeded import add_chain, add_counted

pytestmark = pytest.mark.anyio
ANA = Author(done_by="ana", if_match="*")
NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
ROOTS = "SELECT root_signature_id, incident_id FROM incident_roots"
CHAINS = """
    SELECT correlation_id, root_signature_id, records FROM incident_chains ORDER BY 1, 2
"""
ASTRAY = """
    SELECT root_signature_id FROM incident_chains JOIN incident_roots USING (root_signature_id)
    WHERE incident_chains.incident_id <> incident_roots.incident_id
    UNION
    SELECT incident_roots.root_signature_id FROM incident_roots JOIN incidents USING (incident_id)
    WHERE merged_into IS NOT NULL
    UNION
    SELECT root_signature_id FROM incidents WHERE merged_into IS NULL AND NOT EXISTS (
        SELECT FROM incident_roots AS root WHERE root.incident_id = incidents.incident_id
        AND root.root_signature_id = incidents.root_signature_id
    )
"""


async def anything(session: AsyncSession, chance: random.Random, known: dict[str, UUID]) -> None:
    """One change that may well be impossible."""
    incidents = list(known.values())
    one, other = chance.choice(incidents), chance.choice(incidents)
    roots = chance.sample(sorted(known), k=chance.randint(1, 3))
    match chance.randrange(4):
        case 0:
            await change(session, one, ANA, lambda s: lifecycle.mute(s, now=NOW, chains=5))
        case 1:
            await merge_incidents(session, one, [other, chance.choice(incidents)], ANA, now=NOW)
        case _:
            own = [root for root in roots if known[root] == one] or roots[:1]
            await split_incident(session, known[own[0]], own, ANA)


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_is_merged_and_split_no_chain_is_lost_and_all_counts_hold(
    connection: asyncpg.Connection, database: Database, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    for number in range(6):
        one = await add_counted(connection, database, f"v1:{number}", chains=number)
        await add_chain(connection, one, f"v1:{number}", correlation_id="in-all", findings=["f"])
    chains = await connection.fetch(CHAINS)
    async with database.session() as session:
        await recount(session, dict(await connection.fetch(ROOTS)).values())
    done = 0

    for _ in range(40):
        known: dict[str, UUID] = dict(await connection.fetch(ROOTS))
        try:
            async with database.session() as session:
                await anything(session, chance, known)
                done += 1
        except (ImpossibleChange, InvalidMove):
            continue

    async with database.session() as session:
        differences = await count_differences(session)
    assert done > 10
    assert await connection.fetch(CHAINS) == chains
    assert await connection.fetch(ASTRAY) == []
    assert differences == []


async def test_a_merge_waits_for_the_round_of_the_digest(
    connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(connection, database, "v1:a")
    other = await add_counted(connection, database, "v1:b")

    async with database.session() as digest:
        assert other in await lock_incidents(digest, [other])
        merging = asyncio.create_task(merge(database, one, other))
        await until_somebody_waits(connection)
        # What a round adds to the incident that its root has now must not be left behind there.
        await add_chain(connection, other, "v1:b")
    await merging

    async with database.session() as session:
        assert await count_differences(session) == []
    counts = await connection.fetch("SELECT incident_id, chains FROM incidents")
    assert dict(counts) == {one: 3, other: 0}


async def merge(database: Database, into: UUID, other: UUID) -> None:
    async with database.session() as session:
        await merge_incidents(session, into, [other], ANA, now=NOW)


async def until_somebody_waits(connection: asyncpg.Connection) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(20):
        while True:
            if await connection.fetchval(waiting):
                return
            await asyncio.sleep(0.02)
