"""Chains that are too long to be read beside others, and what is kept when records go."""

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from sqlalchemy import text

from app.correlate.sequence_queries import fold_sequences
from app.database import Database
from app.incidents.count_queries import count_differences
from app.incidents.digest import follow_senders
from app.settings import Settings
from tests.incidents.test_digest import all_incidents, digest, failing, store, store_at
from tests.query.test_api import post
from tests.store.test_writer import NOW

pytestmark = pytest.mark.anyio


def steps(chain: str, count: int) -> list[dict[str, Any]]:
    return [
        {"correlation_id": chain, "message": f"step {n}", "timestamp": 1_763_632_800 + n}
        for n in range(count)
    ]


async def test_long_chains_are_digested_one_in_a_round_and_short_ones_beside_them(
    database: Database, settings: Settings
) -> None:
    for name in ("a", "b"):
        await store(database, *steps(name, 300), failing(name, timestamp=1_763_633_200))
    await store(database, failing("short-1"), failing("short-2"))

    rounds = [await digest(database, settings) for _ in range(3)]

    assert rounds == [3, 1, 0]
    (incident,) = await all_incidents(database)
    assert (incident.chains, incident.records) == (4, 604)


async def test_a_capped_chain_is_read_as_it_was_digested(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    most = 10_000
    rows = [f"('c', now() - interval '1 hour' + {n} * interval '0.1 s')" for n in range(most + 50)]
    await connection.execute(
        "INSERT INTO log_records (correlation_id, occurred_at, record_id, received_at, service, "  # noqa: S608 - numbers of this test
        "level, message) SELECT id, at, gen_random_uuid(), at, 's', 'INFO', 'step' "
        f"FROM (VALUES {','.join(rows)}) AS steps (id, at)"
    )
    await post(client, {"service": "s", "message": "late", "correlation_id": "c"})

    chain = (await client.get("/api/chains/c")).json()

    assert chain["capped"] is True
    assert chain["records"][-1]["message"] == "late"


async def test_a_chain_as_long_as_the_limit_is_whole(
    database: Database, settings: Settings
) -> None:
    whole = msgspec.structs.replace(settings, max_chain_records=301)
    await store(database, *steps("c", 300), failing("c", timestamp=1_763_633_200))

    await digest(database, whole)

    (incident,) = await all_incidents(database)
    assert (incident.records, incident.incomplete) == (301, 0)


async def test_a_late_record_of_a_chain_whose_records_are_gone_leaves_what_was_kept(
    database: Database, settings: Settings
) -> None:
    await store(database, *steps("c", 3), failing("c", timestamp=1_763_632_900))
    await digest(database, settings)
    kept = text("SELECT jsonb_array_length(records) FROM incident_evidence")
    async with database.session() as session:
        assert (await session.execute(kept)).scalars().all() == [4]
        await session.execute(text("DELETE FROM log_records"))

    await store_at(database, NOW + timedelta(days=1), failing("c"))
    await digest(database, settings)

    async with database.session() as session:
        assert (await session.execute(kept)).scalars().all() == [4]
        assert await count_differences(session) == []


async def test_an_incident_that_people_were_told_of_and_that_never_was_one_is_resolved(
    database: Database, settings: Settings
) -> None:
    await store(database, failing("c", "502 from stove", timestamp="2026-11-20T11:00:02Z"))
    await digest(database, settings)
    async with database.session() as session:
        await session.execute(text("UPDATE events SET routed_at = now()"))
    await store(database, failing("c", timestamp="2026-11-20T11:00:01Z"))
    await digest(database, settings)

    found = {(one.status, one.chains) for one in await all_incidents(database)}

    assert found == {("resolved", 0), ("open", 1)}
    async with database.session() as session:
        kinds = await session.execute(text("SELECT kind::text FROM events ORDER BY happened_at"))
        assert kinds.scalars().all() == ["opened", "resolved", "opened"]


async def test_a_backlog_of_numbers_is_put_together_before_gaps_are_told(
    database: Database,
) -> None:
    for number in range(40):
        await store(
            database,
            *(
                {"service": f"s{sender}", "instance": "i", "sequence": number}
                for sender in range(200)
            ),
        )

    await follow_senders(database, grace_seconds=0)

    async with database.session() as session:
        assert await fold_sequences(session) is False
        holes = text("""
            SELECT count(*) FROM sender_sequences
            WHERE received <> int8multirange(range_merge(received))
        """)
        assert (await session.execute(holes)).scalar_one() == 0
        assert (await session.execute(text("SELECT count(*) FROM events"))).scalar_one() == 0
