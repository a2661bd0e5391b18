"""The catalogue's list, its entries, and the documentation debt."""

import asyncio
from typing import Any

import asyncpg
import httpx
import pytest

from app.database import Database
from app.query import catalogue_queries
from app.query.catalogue_views import EntryFilter, EntryOrder, EntryState
from tests.incidents.seeded import START, add_incident
from tests.pages.documents import entry, hostile_document, import_shown, in_force, preview
from tests.pages.payloads import PAYLOADS, dangers, words
from tests.query.test_incidents import statements

pytestmark = pytest.mark.anyio
KNOWN = "raw-sql-text"


async def explain(connection: asyncpg.Connection, signature: str, known_issue_id: str) -> None:
    await connection.execute(
        "INSERT INTO matches (signature_id, catalogue_hash, known_issue_id, known_issue_version, "
        "tier, score) VALUES ($1, '', $2, 1, 'exact', 0.98)",
        signature, known_issue_id,
    )  # fmt: skip


async def import_all(client: httpx.AsyncClient, **documents: str) -> None:
    await import_shown(client, await preview(client, **documents))


async def test_the_list_shows_each_entry_with_its_place(client: httpx.AsyncClient) -> None:
    page = await client.get("/catalogue")

    listed = (await client.get("/api/known-issues")).json()
    assert page.status_code == 200
    assert len(listed) > 20
    for one in listed:
        assert f'href="/catalogue/{one["known_issue_id"]}"' in page.text
        assert f"{one['source']['document']}:{one['source']['first_line']}" in page.text


async def test_the_list_is_filtered_by_words_document_and_state(
    client: httpx.AsyncClient,
) -> None:
    await import_all(client, kitchen_md=entry("kettle", title="The kettle is gone"))

    by_words = await client.get("/catalogue", params={"q": "KETTLE gone"})
    by_document = await client.get("/catalogue", params={"document": "kitchen.md"})
    none = await client.get("/catalogue", params={"q": "kettle walrus"})
    seen = await client.get("/catalogue", params={"show": "seen"})
    nonsense = await client.get("/catalogue", params={"show": "x", "order": "; DROP TABLE"})

    for page in (by_words, by_document):
        assert "/catalogue/kettle" in page.text
        assert f"/catalogue/{KNOWN}" not in page.text
    assert "No entry has these words" in none.text
    assert "/catalogue/kettle" not in seen.text
    assert f"/catalogue/{KNOWN}" in nonsense.text


@pytest.mark.usefixtures("client")
async def test_entries_are_sorted_by_what_they_explain(
    connection: asyncpg.Connection, database: Database
) -> None:
    await add_incident(connection, "v1:few", chains=2)
    await add_incident(connection, "v1:many", chains=9)
    await explain(connection, "v1:few", KNOWN)
    await explain(connection, "v1:many", "enum-drift")

    async with database.session() as session:
        first, second, *others = await catalogue_queries.list_entries(
            session, EntryFilter(order=EntryOrder.CHAINS), limit=100
        )
        seen = await catalogue_queries.list_entries(
            session, EntryFilter(state=EntryState.SEEN), limit=100
        )

    assert (first.known_issue_id, first.chains, first.signatures) == ("enum-drift", 9, 1)
    assert (second.known_issue_id, second.chains, second.last_seen) == (KNOWN, 2, START)
    assert {one.chains for one in others} == {0}
    assert {one.known_issue_id for one in seen} == {KNOWN, "enum-drift"}


async def test_what_people_said_is_an_entrys_precision(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    for n, verdict in enumerate(["confirmed", "confirmed", "confirmed", "rejected"]):
        await connection.execute(
            "INSERT INTO match_verdicts (signature_id, known_issue_id, verdict, decided_by, note, "
            "sample) VALUES ($1, $2, $3, 'on call', 'looked at it', '{}')",
            f"v1:{n}", KNOWN, verdict,
        )  # fmt: skip

    listed = words((await client.get("/catalogue")).text)
    page = words((await client.get(f"/catalogue/{KNOWN}")).text)

    assert "75 %" in listed
    assert "75 % 3 confirmed, 1 rejected" in page
    assert "looked at it" in page


async def test_an_entry_in_quarantine_says_why(
    client: httpx.AsyncClient, connection: asyncpg.Connection
) -> None:
    await connection.execute(
        "INSERT INTO entry_health (known_issue_id, version, healthy_chains, hits) "
        "VALUES ($1, 1, 400, 40) ON CONFLICT (known_issue_id, version) "
        "DO UPDATE SET healthy_chains = 400, hits = 40",
        KNOWN,
    )

    page = words((await client.get(f"/catalogue/{KNOWN}")).text)
    listed = (await client.get("/catalogue?show=quarantined")).text

    assert "Its rules hold for 40 of 400 chains in which nothing failed (10 %)" in page
    assert f"/catalogue/{KNOWN}" in listed


async def test_an_entry_shows_its_words_rules_samples_and_place(
    client: httpx.AsyncClient,
) -> None:
    page = (await client.get(f"/catalogue/{KNOWN}")).text
    stored = (await client.get(f"/api/known-issues/{KNOWN}")).json()

    told = words(page)
    place = stored["source"]
    assert "<h2>Fix</h2>" in page
    assert "Wrap the statement, and give values as parameters:" in told
    assert "message_re2" in told
    assert f"{place['first_line']}\N{EN DASH}{place['last_line']}" in told
    assert " \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join(place["heading_path"]) in told
    assert "8 samples it must match" in told


async def test_a_changed_entry_shows_what_changed(client: httpx.AsyncClient) -> None:
    await import_all(client, kitchen_md=entry("kettle"))
    await import_all(client, kitchen_md=entry("kettle", fix="Buy a new kettle."))

    page = (await client.get("/catalogue/kettle")).text
    first = (await client.get("/catalogue/kettle?version=2")).text
    never = (await client.get("/catalogue/kettle?version=7")).text

    for shown in (page, first):
        assert "<del>Send some home.</del><ins>Buy a new kettle.</ins>" in shown
    assert "What version 2 changed of version 1." in words(page)
    assert "<del>" not in never


async def test_a_retired_entry_says_so_and_stands_where_it_stood(
    client: httpx.AsyncClient,
) -> None:
    await import_all(client, kitchen_md=entry("kettle"))
    await import_all(client, kitchen_md=entry("teapot"))

    page = await client.get("/catalogue/kettle")
    listed = (await client.get("/catalogue?show=retired")).text

    assert "it is gone from its document" in words(page.text)
    assert "/catalogue/kettle" in listed


async def test_an_entry_that_never_was_is_a_page_that_says_so(client: httpx.AsyncClient) -> None:
    for name in ("never-was", "%00", "a%2Fb", "..%2f"):
        answer = await client.get(f"/catalogue/{name}", headers={"Accept": "text/html"})

        assert answer.status_code == 404
        assert "There is nothing here" in answer.text


async def test_no_document_gets_an_element_into_a_page(client: httpx.AsyncClient) -> None:
    shown = await preview(client, hostile_md=hostile_document())
    report = await import_shown(client, shown)
    listed = await client.get("/catalogue?order=imported")

    for page in (shown, report, listed):
        assert page.status_code == 200
        assert dangers(page.text) == []
    for number, payload in enumerate(PAYLOADS):
        page = await client.get(f"/catalogue/hostile-{number}")
        assert page.status_code == 200, payload
        assert dangers(page.text) == [], payload


async def test_an_entry_is_read_with_as_many_statements_however_much_it_holds(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    async def count() -> tuple[int, int]:
        async with database.session() as session:
            with statements(database) as of_entry:
                await catalogue_queries.find_entry(session, KNOWN, now=START)
            with statements(database) as of_list:
                await catalogue_queries.list_entries(session, EntryFilter(), limit=100)
                await catalogue_queries.totals(session)
        return len(of_entry), len(of_list)

    before = await count()
    for n in range(30):
        await add_incident(connection, f"v1:{n}", chains=n)
        await explain(connection, f"v1:{n}", KNOWN)
    await import_all(client, kitchen_md="\n".join(entry(f"kettle-{n}") for n in range(30)))

    assert await count() == before == (6, 2)


async def test_debt_names_the_error_and_leads_to_its_draft(client: httpx.AsyncClient) -> None:
    record = {"service": "kitchen <b>", "level": "error", "message": "teapot <i> cracked"}
    await client.post("/ingest/logs", json={**record, "correlation_id": "c"})
    (debt,) = await until_told(client)

    page = await client.get("/catalogue/documents/missing")
    draft = await client.get("/catalogue/documents/new", params={"draft": debt["signature_id"]})

    assert "teapot <i> cracked" in words(page.text)
    assert dangers(page.text) == dangers(draft.text) == []
    assert "## teapot" in draft.text
    assert (await client.get("/catalogue/documents/new?draft=v1:none")).status_code == 404


async def until_told(client: httpx.AsyncClient) -> Any:
    for _ in range(400):
        if debts := (await client.get("/api/documentation-debt")).json():
            return debts
        await asyncio.sleep(0.05)
    pytest.fail("no debt after 20 s")


async def test_an_imported_entry_explains_an_error(client: httpx.AsyncClient) -> None:
    await import_all(client, kitchen_md=entry("kettle"))

    match = await in_force(client, "Error: kettle exploded")

    assert match["known_issue_id"] == "kettle"
