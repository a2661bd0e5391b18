"""`/incidents/{id}`: what it shows, and that its forms work without a script."""

import asyncio
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest

from app.catalogue.live import LiveCatalogue
from app.database import Database
from app.incidents.count_queries import recount
from app.pages.incident_reading import read_page
from tests.incidents.seeded import add_chain, add_counted
from tests.query.test_incidents import statements

pytestmark = pytest.mark.anyio
ERROR = (
    "sqlalchemy.exc.ArgumentError: Textual SQL expression 'SELECT 1' should be explicitly "
    "declared as text('SELECT 1')"
)


class Visitor:
    """Somebody who has no script, and reads what the API says of it."""

    def __init__(self, client: httpx.AsyncClient, incident_id: UUID | str) -> None:
        self.client = client
        self.path = f"/incidents/{incident_id}"

    async def api(self) -> Any:
        return (await self.client.get(f"/api{self.path}")).json()

    async def page(self, query: str = "") -> str:
        answer = await self.client.get(f"{self.path}{query}")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def post(self, what: str, **form: Any) -> httpx.Response:
        version = (await self.api())["version"]
        if what == "verdict":
            version = verdicts_version(await self.page())
        given = {"done_by": "Ada", "version": version, **form}
        return await self.client.post(f"{self.path}/{what}", data=given)


def verdicts_version(page: str) -> str:
    """As the forms of the page carry it; without one nobody has said anything."""
    form = r'/verdict"[^>]*>\s*(?:<input[^>]*>\s*)*?<input[^>]*"version" value="(\d+)"'
    found = re.search(form, page)
    return found[1] if found else "0"


async def sent(client: httpx.AsyncClient, message: str, **more: Any) -> Visitor:
    """The incident that this error opened."""
    record: dict[str, Any] = {
        "service": "shop",
        "level": "error",
        "message": message,
        "release": "1.2",
    }
    record |= more
    await client.post("/ingest/logs", json=record)
    for _ in range(600):
        if found := (await client.get("/api/incidents")).json()["incidents"]:
            return Visitor(client, found[0]["incident_id"])
        await asyncio.sleep(0.05)
    raise AssertionError("no incident was opened")


@pytest.fixture
async def known(client: httpx.AsyncClient) -> Visitor:
    return await sent(client, ERROR)


@pytest.fixture
async def unknown(client: httpx.AsyncClient) -> Visitor:
    return await sent(client, "zone QX has no tariff in the moon table")


async def test_the_fix_stands_there_rendered_with_its_evidence_and_its_place(
    known: Visitor,
) -> None:
    page = await known.page()

    assert "<h1>A plain string where SQLAlchemy expects SQL</h1>" in page
    assert "<p>Wrap the statement, and give values as parameters:</p>" in page
    assert "<mark>Textual SQL expression &#39;SELECT 1&#39; should be explicitly" in page
    assert "python-services.md:" in page
    assert 'href="/catalogue/raw-sql-text"' in page
    assert page.index('id="root-title"') < page.index('id="fix-title"') < page.index("why-title")


async def test_an_unknown_error_asks_for_an_entry_first_and_suggests_when_asked(
    unknown: Visitor,
) -> None:
    page, asked = await unknown.page(), await unknown.page("?suggest=yes")

    assert "No document explains this yet" in page
    assert page.index("Write an entry from here") < page.index("Suggest entries")
    assert ("words in common" in page, "words in common" in asked) == (False, True)


async def test_an_incident_that_is_gone_says_so(client: httpx.AsyncClient) -> None:
    for name in (uuid4(), "made-up", f"{uuid4()}.md", "%00"):
        answer = await client.get(f"/incidents/{name}", headers={"Accept": "text/html"})

        assert answer.status_code == 404
        assert "No incident has this ID" in answer.text


async def test_a_merged_incident_leads_to_the_one_it_is_part_of(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = await add_counted(connection, database, "v1:a", chains=1)
    other = await add_counted(connection, database, "v1:b", chains=1)
    target = Visitor(client, one)

    merged = await target.post("merge", other=f"https://sentinel.example/incidents/{other}?a=b")
    led = await client.get(f"/incidents/{other}", follow_redirects=True)

    assert merged.status_code == 303
    assert str(led.url).endswith(f"/incidents/{one}?merged={other}")
    assert "was merged into this one" in led.text


async def test_a_root_is_split_off_into_an_incident_of_its_own(
    client: httpx.AsyncClient, connection: asyncpg.Connection, database: Database
) -> None:
    one = Visitor(client, await add_counted(connection, database, "v1:a", chains=1))
    other = await add_counted(connection, database, "v1:b", chains=1)
    await one.post("merge", other=str(other))

    answer = await one.post("split", root="v1:b")

    fresh = Visitor(client, answer.headers["location"].removeprefix("/incidents/"))
    assert (await fresh.api())["root_signature_id"] == "v1:b"
    assert [root["signature_id"] for root in (await one.api())["roots"]] == ["v1:a"]


async def test_forms_change_what_the_api_says_and_lead_back(known: Visitor) -> None:
    steps: list[tuple[str, dict[str, str], str]] = [
        ("acknowledge", {}, "acknowledged"),
        ("mute", {"end": "8h"}, "muted"),
        ("unmute", {}, "open"),
        ("mute", {"end": "10 chains"}, "muted"),
        ("mute", {"end": "worse"}, "muted"),
        ("resolve", {"in_release": "1.3", "note": "bound the value"}, "resolved"),
        ("reopen", {}, "open"),
    ]
    for what, form, status in steps:
        answer = await known.post(what, **form)

        assert (answer.status_code, answer.headers["location"]) == (303, known.path), answer.text
        assert (await known.api())["status"] == status
    assert "in release 1.3" in await known.page()
    assert "bound the value" in await known.page()


async def test_two_people_at_once_see_each_other_and_the_second_may_go_on(
    known: Visitor,
) -> None:
    read = (await known.api())["version"]
    await known.post("acknowledge", done_by="Bob", note="on it")

    late = await known.post("resolve", version=read, note="mine")
    status = (await known.api())["status"]
    again = await known.post("resolve", note="mine")

    assert late.status_code == 412
    assert "Bob changed this incident" in late.text
    assert "on it" in late.text
    assert 'name="note" value="mine"' in late.text
    assert (status, again.status_code) == ("acknowledged", 303)


@pytest.mark.parametrize("wanted", ["acknowledge", "resolve", "mute"])
async def test_two_people_at_once_see_each_other_without_a_name_or_a_word(
    known: Visitor, wanted: str
) -> None:
    read = (await known.api())["version"]
    await known.post("resolve")

    late = await known.post(wanted, version=read)

    assert late.status_code == 412
    assert "changed this incident while you were reading it" in late.text


async def test_a_change_that_is_not_possible_says_why_on_the_page(known: Visitor) -> None:
    await known.post("resolve")

    twice = await known.post("resolve")
    itself = await known.post("merge", other=known.path)
    nothing = await known.post("merge", other="the other one")

    assert [one.status_code for one in (twice, itself, nothing)] == [409, 409, 409]
    assert "This incident is resolved" in twice.text
    assert "merged into itself" in itself.text
    assert "neither the ID nor the address" in nothing.text


@pytest.mark.parametrize(
    "form",
    [
        {"done_by": ""},
        {"done_by": "   "},
        {"done_by": "a\0b"},
        {"version": "latest"},
        {"version": "9" * 40},
        {"note": "n" * 2001},
        {"note": "a\0b"},
    ],
)
async def test_a_form_that_cannot_be_read_changes_nothing(
    known: Visitor, form: dict[str, str]
) -> None:
    answer = await known.post("resolve", **form)

    assert answer.status_code == 400
    assert (await known.api())["status"] == "open"


async def test_a_note_needs_no_version_and_the_browser_remembers_who_wrote_it(
    known: Visitor,
) -> None:
    answer = await known.client.post(
        f"{known.path}/notes", data={"done_by": "Ada Ö; <b>", "note": "line one\nline two"}
    )

    page = await known.page()
    assert answer.status_code == 303
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert 'name="done_by" value="Ada Ö; &lt;b&gt;"' in page
    assert "line one\nline two" in page


async def test_a_rejected_fix_is_gone_and_can_be_taken_back(known: Visitor) -> None:
    await known.post("verdict", say="reject", known_issue_id="raw-sql-text")
    without, page = (await known.api())["match"], await known.page()
    await known.post("verdict", say="confirm", known_issue_id="raw-sql-text")

    assert without is None
    assert "No document explains this yet" in page
    assert "Ada rejected" in page
    assert (await known.api())["match"]["known_issue_id"] == "raw-sql-text"
    assert "Confirmed by Ada" in await known.page()


async def test_two_people_who_judge_at_once_see_each_other(known: Visitor) -> None:
    both_read = verdicts_version(await known.page())
    form = {"known_issue_id": "raw-sql-text", "version": both_read}
    first = await known.post("verdict", **form, say="reject", done_by="Grace", note="other pool")
    late = await known.post("verdict", **form, say="confirm")
    stands = (await known.api())["match"]
    again = await known.post(
        "verdict", **{**form, "version": verdicts_version(late.text)}, say="confirm"
    )

    assert (first.status_code, late.status_code, again.status_code) == (303, 412, 303)
    assert (
        "Grace changed this incident while you were reading it: rejected raw-sql-text" in late.text
    )
    assert "other pool" in late.text
    assert "Do it all the same: confirm raw-sql-text" in late.text
    assert stands is None
    assert "Confirmed by Ada" in await known.page()


async def test_of_many_verdicts_on_one_version_one_counts(known: Visitor) -> None:
    form = {"known_issue_id": "raw-sql-text", "version": 0}

    answers = await asyncio.gather(
        *(known.post("verdict", **form, say=say) for say in ("confirm", "reject") * 4)
    )

    assert sorted(one.status_code for one in answers) == [303] + [412] * 7


async def test_a_verdict_without_a_version_is_refused(known: Visitor) -> None:
    form = {"known_issue_id": "raw-sql-text", "say": "confirm"}

    answer = await known.client.post(f"{known.path}/verdict", data=form)

    assert answer.status_code == 400
    assert (await known.api())["match"] is not None


async def test_an_entry_that_does_not_hold_cannot_be_confirmed(known: Visitor) -> None:
    answer = await known.post("verdict", say="confirm", known_issue_id="enum-drift")

    assert answer.status_code == 409
    assert "does not explain this error" in answer.text


OTHER = """## Text that nobody bound {#text-nobody-bound}

### Symptoms
An error.

### Causes
Nobody bound it.

### Fix
Bind it.

### Rules
```yaml rule
text: Textual SQL
```
"""


async def test_the_runner_up_is_named_with_why_it_lost_and_can_be_chosen(
    known: Visitor,
) -> None:
    document = {"name": "other.md", "text": OTHER}
    await known.client.post("/api/catalogue/documents", json={"documents": [document]})
    page = ""
    for _ in range(600):
        page = await known.page()
        if "text-nobody-bound" in page:
            break
        await asyncio.sleep(0.05)

    answer = await known.post("verdict", say="choose", known_issue_id="text-nobody-bound")

    assert "less specific: it accounts for 11 characters" in page
    assert answer.status_code == 303
    assert (await known.api())["match"]["known_issue_id"] == "text-nobody-bound"


EXPLAINING = OTHER.replace("Textual SQL", "has no tariff in the moon")


async def test_a_draft_is_previewed_with_its_effect_and_saved_as_the_fix(
    unknown: Visitor,
) -> None:
    draft = await unknown.page("/draft")
    form = {"document": "tariff.md", "text": EXPLAINING}

    looked = await unknown.client.post(f"{unknown.path}/draft", data={**form, "step": "effect"})
    before = (await unknown.api())["known"]
    saved = await unknown.client.post(f"{unknown.path}/draft", data={**form, "step": "save"})

    assert "zone QX has no tariff" in draft
    assert "Explains the error of this incident" in looked.text
    assert '<strong class="num good">+1</strong>' in looked.text
    assert (before, saved.status_code) == (False, 303)
    assert "<p>Bind it.</p>" in await unknown.page()


async def test_the_heading_names_the_type_and_the_service_of_the_error(
    client: httpx.AsyncClient,
) -> None:
    raised = {"type": "app.table.ZoneMissing", "message": f"no tariff for zone 7 {'in it ' * 90}"}
    visitor = await sent(client, "tariff table has no row", exception=raised)

    (heading,) = re.findall(r"<h1>(.*?)</h1>", await visitor.page())
    assert heading.startswith("ZoneMissing: no tariff for zone … in it")
    assert heading.endswith(("in… (shop)", "it… (shop)"))
    assert len(heading) < 160


async def test_a_draft_as_it_is_begun_passes_its_own_check_once_it_says_what_to_do(
    client: httpx.AsyncClient,
) -> None:
    raised = {"type": "LedgerClosed", "message": "ledger of 2026-10 is closed"}
    visitor = await sent(client, "invoice not drawn", exception=raised)
    (text,) = re.findall(
        r"<textarea[^>]*>(.*?)</textarea>", await visitor.page("/draft"), re.DOTALL
    )
    text = unescape(text).replace("[what to do]", "Open it.")
    form = {"document": "ledger.md", "step": "save"}

    broken = await visitor.client.post(
        f"{visitor.path}/draft",
        data={**form, "text": text.replace("invoice not drawn\nLedger", "L")},
    )
    saved = await visitor.client.post(f"{visitor.path}/draft", data={**form, "text": text})

    assert (broken.status_code, saved.status_code) == (400, 303)
    assert "sample 1 of 1 matches nothing" in unescape(broken.text)
    assert "<p>Open it.</p>" in await visitor.page()


async def test_a_draft_names_the_lines_of_the_entry_that_it_took_from(unknown: Visitor) -> None:
    draft = await unknown.page("/draft?entry=raw-sql-text")

    assert "/catalogue/documents/python-services.md?entry=raw-sql-text" in draft


async def test_a_draft_takes_the_fix_of_another_entry_along(unknown: Visitor) -> None:
    draft = await unknown.page("/draft?entry=raw-sql-text")

    assert "Wrap the statement, and give values as parameters" in draft
    assert "[what to do]" not in draft


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no entry in it"),
        ("# Only a title", "there is no entry in it"),
        (OTHER.replace("text: Textual SQL", "text_re2: '('"), "Line "),
        (EXPLAINING.replace("text-nobody-bound", "raw-sql-text"), "is taken by"),
        (EXPLAINING.replace("Bind it.", "[what to do]"), "write what helps in its place"),
        (OTHER, "its rules do not hold for the error of this incident"),
    ],
)
async def test_a_draft_that_cannot_be_stored_says_in_which_line_and_stores_nothing(
    unknown: Visitor, text: str, said: str
) -> None:
    form = {"document": "broken.md", "text": text, "step": "save"}

    answer = await unknown.client.post(f"{unknown.path}/draft", data=form)

    assert answer.status_code == 400
    assert said in answer.text
    assert "Nothing was saved" in answer.text
    assert (await unknown.api())["known"] is False


async def test_an_incident_is_copied_as_markdown_that_is_never_a_page(known: Visitor) -> None:
    answer = await known.client.get(f"{known.path}.md")

    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text.startswith("# A plain string where SQLAlchemy expects SQL\n")
    assert "Wrap the statement, and give values as parameters" in answer.text
    assert f"http://test{known.path}" in answer.text


async def test_a_page_is_read_with_as_many_statements_however_much_it_holds(
    connection: asyncpg.Connection, database: Database
) -> None:
    sent_for = []
    for root, chains in (("v1:few", 1), ("v1:many", 60)):
        incident_id = await add_counted(connection, database, root, chains=chains)
        for n in range(chains):
            await add_chain(connection, incident_id, root, symptoms=[f"v1:s{n}"])
        async with database.session() as session:
            await recount(session, [incident_id])
        with statements(database) as sent:
            async with database.session() as session:
                await read_page(
                    session, incident_id, LiveCatalogue(), now=datetime.now(UTC), suggest=True
                )
        sent_for.append(len(sent))

    assert sent_for[0] == sent_for[1] <= 12
