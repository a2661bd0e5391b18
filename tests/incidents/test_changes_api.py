import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app.database import Database
from app.incidents.count_queries import count_differences
from tests.incidents.seeded import START, add_chain, add_counted

pytestmark = pytest.mark.anyio
SOON = (datetime.now(UTC) + timedelta(days=1)).isoformat()


class Incident:
    """One incident as a person works on it over HTTP."""

    def __init__(self, client: httpx.AsyncClient, incident_id: UUID) -> None:
        self.client = client
        self.path = f"/api/incidents/{incident_id}"

    async def read(self) -> Any:
        answer = await self.client.get(self.path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def tag(self) -> str:
        return (await self.client.get(self.path)).headers["ETag"]

    async def change(self, what: str, *, if_match: str | None = "*", **body: Any) -> httpx.Response:
        headers = {"If-Match": if_match} if if_match is not None else {}
        return await self.client.post(
            f"{self.path}/{what}", json={"done_by": "ana", **body}, headers=headers
        )


@pytest.fixture
async def incident_id(connection: asyncpg.Connection, database: Database) -> UUID:
    return await add_counted(connection, database, "v1:a", chains=3)


@pytest.fixture
async def incident(client: httpx.AsyncClient, incident_id: UUID) -> Incident:
    return Incident(client, incident_id)


@pytest.fixture
async def counts_hold(database: Database) -> AsyncIterator[None]:
    yield
    async with database.session() as session:
        assert await count_differences(session) == []


async def test_an_incident_is_resolved_in_a_release_by_who_read_it_last(
    incident: Incident,
) -> None:
    tag = await incident.tag()

    answer = await incident.change("resolve", if_match=tag, in_release="1.2.0", note="index added")

    now = await incident.read()
    assert answer.status_code == 200, answer.text
    assert answer.headers["ETag"] == await incident.tag() == '"2"'
    assert answer.json()["status"] == now["status"] == "resolved"
    assert now["resolved_in_release"] == "1.2.0"
    assert now["resolved_at"]
    assert (now["history"][0]["kind"], now["history"][0]["done_by"]) == ("resolved", "ana")
    assert now["history"][0]["details"] == {
        "from": "open", "to": "resolved", "release": "1.2.0", "note": "index added",
    }  # fmt: skip


async def test_of_two_who_resolve_at_once_one_is_told_of_the_other(incident: Incident) -> None:
    tag = await incident.tag()

    answers = await asyncio.gather(
        incident.change("resolve", if_match=tag, done_by="ana"),
        incident.change("resolve", if_match=tag, done_by="ben"),
    )

    won, lost = sorted(answers, key=lambda answer: answer.status_code)
    winner = (await incident.read())["history"][0]["done_by"]
    assert (won.status_code, lost.status_code) == (200, 412)
    assert f"resolved by {winner} at" in lost.json()["detail"]
    assert lost.json()["newest"]["done_by"] == winner
    assert lost.headers["ETag"] == won.headers["ETag"]
    assert len((await incident.read())["history"]) == 1


async def test_a_change_without_if_match_is_told_what_to_send(incident: Incident) -> None:
    answer = await incident.change("resolve", if_match=None)

    assert answer.status_code == 428
    assert "`If-Match`" in answer.json()["detail"]
    assert (await incident.read())["status"] == "open"


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("*", 200),
        ('"1"', 200),
        ('"7", "1"', 200),
        ('W/"1"', 412),
        ('"2"', 412),
        ('""', 412),
        ("1", 400),
        ("", 400),
        ('"1" "2"', 400),
    ],
)
async def test_if_match_is_read_as_rfc_9110_says(
    incident: Incident, if_match: str, status: int
) -> None:
    answer = await incident.change("acknowledge", if_match=if_match)

    assert answer.status_code == status, answer.text


async def test_if_match_may_come_in_several_lines(incident: Incident) -> None:
    answer = await incident.client.post(
        f"{incident.path}/acknowledge",
        json={"done_by": "ana"},
        headers=[("If-Match", '"7"'), ("If-Match", '"1"')],
    )

    assert answer.status_code == 200, answer.text


async def test_a_note_needs_no_if_match_and_makes_nobody_read_again(incident: Incident) -> None:
    tag = await incident.tag()

    noted = await incident.change("notes", if_match=None, note="asked the team")
    resolved = await incident.change("resolve", if_match=tag)

    history = (await incident.read())["history"]
    assert (noted.status_code, resolved.status_code) == (201, 200)
    assert noted.headers["ETag"] == tag
    assert [event["kind"] for event in history] == ["resolved", "noted"]
    assert history[1]["details"] == {"note": "asked the team"}


async def test_an_incident_goes_through_its_life(incident: Incident) -> None:
    steps: list[tuple[str, dict[str, Any], str]] = [
        ("acknowledge", {}, "acknowledged"),
        ("mute", {"until": SOON}, "muted"),
        ("unmute", {}, "open"),
        ("resolve", {}, "resolved"),
        ("reopen", {}, "open"),
    ]
    for what, body, status in steps:
        answer = await incident.change(what, if_match=await incident.tag(), **body)
        assert (answer.status_code, answer.json()["status"]) == (200, status)

    now = await incident.read()
    assert (now["version"], now["chains"], now["regressions"]) == (6, 3, 0)
    assert (now["resolved_at"], now["muted_until"]) == (None, None)
    assert len(now["history"]) == 5


@pytest.mark.parametrize(
    ("body", "columns"),
    [
        ({"chains": 10}, {"muted_until_chains": 13}),
        ({"above_hourly": 5}, {"muted_above_hourly": 5}),
        ({"worse": True}, {"muted_above_hourly": 2}),
        ({"until": "2999-01-01T01:00:00+01:00"}, {"muted_until": "2999-01-01T00:00:00Z"}),
    ],
)
async def test_a_silence_ends_where_it_was_said_to(
    client: httpx.AsyncClient,
    connection: asyncpg.Connection,
    database: Database,
    body: dict[str, Any],
    columns: dict[str, Any],
) -> None:
    yesterday = datetime.now(UTC).replace(minute=5, second=0, microsecond=0) - timedelta(days=1)
    one = await add_counted(connection, database, "v1:a", chains=2, root_at=yesterday)
    await add_chain(connection, one, "v1:a", root_at=yesterday - timedelta(hours=1))
    await connection.execute("UPDATE incidents SET chains = 3")
    incident = Incident(client, one)

    answer = await incident.change("mute", **body)

    now = await incident.read()
    ends = ("muted_until", "muted_until_chains", "muted_above_hourly")
    assert answer.status_code == 200, answer.text
    assert {name: now[name] for name in ends if now[name] is not None} == columns


@pytest.mark.parametrize(
    ("what", "body", "status", "says"),
    [
        ("reopen", {}, 409, "open"),
        ("unmute", {}, 409, "open"),
        ("mute", {}, 400, "needs an end"),
        ("mute", {"until": "2020-01-01T00:00:00Z"}, 400, "past"),
        ("mute", {"until": "2999-01-01T00:00:00"}, 400, ""),
        ("mute", {"until": "9999-12-31T23:59:59-12:00"}, 400, "needs an end"),
        ("mute", {"chains": 0}, 400, ""),
        ("resolve", {"release": "1.2"}, 400, ""),
        ("resolve", {"in_release": "a\0b"}, 400, ""),
        ("resolve", {"in_release": ""}, 400, ""),
        ("acknowledge", {"done_by": ""}, 400, ""),
        ("acknowledge", {"done_by": " \n"}, 400, ""),
        ("acknowledge", {"done_by": "a" * 201}, 400, ""),
        ("acknowledge", {"note": "a" * 2001}, 400, ""),
        ("notes", {}, 400, ""),
        ("notes", {"note": " "}, 400, ""),
        ("merge", {"incident_ids": []}, 400, ""),
        ("merge", {"incident_ids": ["x"]}, 400, ""),
        ("merge", {"incident_ids": [str(UUID(int=5))]}, 400, str(UUID(int=5))),
        ("split", {"root_signature_ids": ["v1:zzz"]}, 400, "v1:zzz"),
        ("split", {"root_signature_ids": ["v1:a"]}, 400, "at least one"),
        ("split", {"root_signature_ids": []}, 400, ""),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    incident: Incident, what: str, body: dict[str, Any], status: int, says: str
) -> None:
    answer = await incident.change(what, **body)

    now = await incident.read()
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert (now["version"], now["status"], now["history"]) == (1, "open", [])


async def test_an_unknown_incident_cannot_be_changed(client: httpx.AsyncClient) -> None:
    answer = await Incident(client, uuid4()).change("resolve")

    assert answer.status_code == 404


@pytest.mark.usefixtures("counts_hold")
async def test_merged_incidents_go_on_as_one(
    incident: Incident, connection: asyncpg.Connection, database: Database
) -> None:
    target = UUID((await incident.read())["incident_id"])
    other = await add_counted(
        connection, database, "v1:b", chains=2, findings=["slow-query"], releases=["2.0"]
    )
    await connection.execute('UPDATE incident_findings SET evidence = \'[{"clause": "c"}]\'')
    await keep_evidence(connection, target, "both")
    await keep_evidence(connection, other, "both", "only")

    answer = await incident.change("merge", incident_ids=[str(other)])

    now, gone = await incident.read(), await Incident(incident.client, other).read()
    assert answer.status_code == 200, answer.text
    assert (now["chains"], now["records"], now["releases"]) == (5, 15, ["2.0"])
    assert [(root["signature_id"], root["chains"]) for root in now["roots"]] == [
        ("v1:a", 3), ("v1:b", 2),
    ]  # fmt: skip
    assert now["history"][0]["details"] == {"incident_ids": [str(other)]}
    assert (gone["status"], gone["merged_into"], gone["chains"]) == ("resolved", str(target), 0)
    assert gone["history"][0]["details"]["into"] == str(target)
    assert await roots(connection) == {"v1:a": target, "v1:b": target}
    evidence = await connection.fetch("SELECT correlation_id, incident_id FROM incident_evidence")
    assert {tuple(row) for row in evidence} == {("both", target), ("only", target)}
    finding = await connection.fetchrow("SELECT * FROM incident_findings")
    assert (finding["incident_id"], json.loads(finding["evidence"])) == (target, [{"clause": "c"}])


async def test_a_merged_incident_is_read_only_and_says_where_it_went(
    incident: Incident, connection: asyncpg.Connection, database: Database
) -> None:
    target = (await incident.read())["incident_id"]
    other = await add_counted(connection, database, "v1:b")
    third = await add_counted(connection, database, "v1:c")
    await incident.change("merge", incident_ids=[str(other)])
    merged = Incident(incident.client, other)

    answers = [
        await merged.change("reopen"),
        await merged.change("unmute"),
        await merged.change("merge", incident_ids=[str(third)]),
        await merged.change("split", root_signature_ids=["v1:b"]),
        await Incident(incident.client, third).change("merge", incident_ids=[str(other)]),
    ]

    assert [answer.status_code for answer in answers] == [409] * 5
    assert all(target in answer.json()["detail"] for answer in answers)


async def test_nothing_is_merged_into_itself_or_into_a_resolved_one(
    incident: Incident, connection: asyncpg.Connection, database: Database
) -> None:
    own = (await incident.read())["incident_id"]
    other = await add_counted(connection, database, "v1:b")

    itself = await incident.change("merge", incident_ids=[own])
    await incident.change("resolve")
    resolved = await incident.change("merge", incident_ids=[str(other)])

    assert (itself.status_code, resolved.status_code) == (400, 409)
    assert "itself" in itself.json()["detail"]
    assert "reopen" in resolved.json()["detail"]
    assert (await roots(connection))["v1:b"] == other


@pytest.mark.usefixtures("counts_hold")
async def test_two_that_are_merged_into_each_other_at_once_end_as_one(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(connection, database, "v1:a", chains=2)
    two = await add_counted(connection, database, "v1:b", chains=2)

    answers = await asyncio.gather(
        Incident(client, one).change("merge", incident_ids=[str(two)]),
        Incident(client, two).change("merge", incident_ids=[str(one)]),
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert len(set((await roots(connection)).values())) == 1
    assert await connection.fetchval("SELECT max(chains) FROM incidents") == 4


@pytest.mark.usefixtures("counts_hold")
async def test_a_split_takes_its_roots_and_chains_along(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(
        connection, database, "v1:a", "v1:b", "v1:c", chains=2, findings=["slow-query"]
    )
    both = [await add_chain(connection, one, root, correlation_id="x") for root in ("v1:a", "v1:b")]
    left = await add_chain(connection, one, "v1:a")
    await keep_evidence(connection, one, both[0], left, "forgotten")
    incident = Incident(client, one)

    answer = await incident.change("split", root_signature_ids=["v1:a", "v1:a"])

    new = UUID(answer.json()["split_off"])
    now, fresh = await incident.read(), await Incident(client, new).read()
    assert answer.status_code == 200, answer.text
    assert (now["chains"], now["root_signature_id"]) == (5, "v1:b")
    assert (fresh["chains"], fresh["root_signature_id"], fresh["status"]) == (4, "v1:a", "open")
    assert await roots(connection) == {"v1:a": new, "v1:b": one, "v1:c": one}
    assert now["history"][0]["details"]["into"] == str(new)
    assert fresh["history"][0]["details"]["out_of"] == str(one)
    evidence = await connection.fetch("SELECT correlation_id, incident_id FROM incident_evidence")
    assert {tuple(row) for row in evidence} == {
        ("x", one), ("x", new), (left, new), ("forgotten", one),
    }  # fmt: skip


@pytest.mark.usefixtures("counts_hold")
async def test_what_was_merged_and_split_again_counts_as_before(
    incident: Incident, connection: asyncpg.Connection, database: Database
) -> None:
    other = await add_counted(connection, database, "v1:b", chains=2, root_at=START)
    before = await incident.read(), await Incident(incident.client, other).read()

    await incident.change("merge", incident_ids=[str(other)])
    split = await incident.change("split", root_signature_ids=["v1:b"])

    apart = Incident(incident.client, UUID(split.json()["split_off"]))
    after = await incident.read(), await apart.read()
    for name in ("chains", "records", "services", "first_seen", "last_seen", "roots"):
        assert [one[name] for one in after] == [one[name] for one in before], name


async def test_muted_for_further_chains_stays_so_whatever_is_merged_into_it(
    incident: Incident, connection: asyncpg.Connection, database: Database
) -> None:
    other = await add_counted(connection, database, "v1:b", chains=2)
    await incident.change("mute", chains=10)

    await incident.change("merge", incident_ids=[str(other)])

    now = await incident.read()
    assert (now["status"], now["chains"], now["muted_until_chains"]) == ("muted", 5, 15)


async def keep_evidence(connection: asyncpg.Connection, incident_id: UUID, *names: str) -> None:
    await connection.executemany(
        "INSERT INTO incident_evidence (correlation_id, incident_id, records) VALUES ($1, $2, $3)",
        [(name, incident_id, "[]") for name in names],
    )


async def roots(connection: asyncpg.Connection) -> dict[str, UUID]:
    return dict(await connection.fetch("SELECT root_signature_id, incident_id FROM incident_roots"))
