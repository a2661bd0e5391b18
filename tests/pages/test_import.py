"""Documents in: the look before, the import, its report."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.pages.documents import entry, form, import_shown, in_force, preview, shown_text
from tests.pages.payloads import dangers

pytestmark = pytest.mark.anyio
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def names(client: httpx.AsyncClient) -> set[str]:
    return {one["known_issue_id"] for one in (await client.get("/api/known-issues")).json()}


async def test_a_preview_names_what_would_be_and_saves_nothing(
    client: httpx.AsyncClient,
) -> None:
    await import_shown(client, await preview(client, kitchen_md=entry("kettle") + entry("pan")))
    before = await names(client)

    shown = await preview(
        client, kitchen_md=entry("kettle", fix="Buy one.") + entry("cup", title="Cups")
    )

    told = shown_text(shown.text)
    assert shown.status_code == 200
    for line in ("1 new cup", "1 changed kettle", "1 retired: gone from their document pan"):
        assert line in told
    assert await names(client) == before


async def test_a_preview_counts_the_errors_that_would_be_explained(
    client: httpx.AsyncClient,
) -> None:
    record = {"service": "kitchen", "level": "error", "message": "kettle exploded"}
    await client.post("/ingest/logs", json=record)

    shown = await preview(client, kitchen_md=entry("kettle"))

    assert "+1 −0 of the errors stored now" in shown_text(shown.text)  # noqa: RUF001


async def test_what_was_looked_at_is_imported_and_its_report_has_an_address(
    client: httpx.AsyncClient,
) -> None:
    shown = await preview(client, kitchen_md=entry("kettle"), cellar_txt=entry("barrel"))

    report = await import_shown(client, shown)
    again = await client.get(report.url)

    assert {"kettle", "barrel"} <= await names(client)
    assert shown_text(again.text).count("new") >= 2
    assert (await in_force(client, "kettle exploded"))["source"]["document"] == "kitchen.md"
    stored = (await client.get("/api/known-issues/kettle")).json()["source"]
    assert f"kitchen.md:{stored['first_line']}" in again.text


async def test_a_text_comes_through_the_preview_byte_for_byte(client: httpx.AsyncClient) -> None:
    # A line feed at the very beginning is what a browser takes from a text area.
    text = "\n\n" + entry("kettle", fix='Say "a & b" </textarea> \\ &amp; ä\n\n\n    four')

    fields = form((await preview(client, kitchen_md=text)).text, "/catalogue/documents")

    assert fields == [("name", "kitchen.md"), ("text", text.replace("\n", "\r\n"))]


async def test_problems_are_named_by_file_and_line_and_cost_no_other(
    client: httpx.AsyncClient,
) -> None:
    broken = entry("broken").replace("text:", "massage:")
    files = [
        ("files", ("kitchen.md", (broken + entry("kettle")).encode(), "text/markdown")),
        ("files", ("plan.png", b"\x89PNG", "image/png")),
        ("files", ("zeros.md", b"a\0b", "text/markdown")),
        ("files", ("kitchen.md", entry("twice").encode(), "text/markdown")),
    ]

    shown = await client.post("/catalogue/documents/preview", files=files)
    report = await import_shown(client, shown)

    told = shown_text(shown.text)
    assert "kitchen.md:15 the rule cannot be used" in told
    assert "plan.png:1 its name ends in none of" in told
    assert "zeros.md:1 the file is not text" in told
    assert "kitchen.md:1 a file of this name came before" in told
    assert "kettle" in await names(client)
    assert not {"broken", "twice"} & await names(client)
    assert "kitchen.md:15: the rule cannot be used" in shown_text(report.text)


async def test_an_id_that_another_document_holds_is_a_problem_before_the_import(
    client: httpx.AsyncClient,
) -> None:
    shown = await preview(client, kitchen_md=entry("raw-sql-text"))

    assert "the id 'raw-sql-text' is taken by python-services.md" in shown_text(shown.text)
    assert 'action="/catalogue/documents"' not in shown.text


async def test_a_text_written_into_the_form_is_previewed_and_stands_there_again(
    client: httpx.AsyncClient,
) -> None:
    fields = {"name": (None, "../notes/mine.md"), "text": (None, entry("kettle"))}

    shown = await client.post("/catalogue/documents/preview", files=fields)

    assert form(shown.text, "/catalogue/documents")[0] == ("name", "mine.md")
    assert "Send some home." in shown.text


@pytest.mark.parametrize("files", [{"files": ("", b"")}, {"text": (None, "  ")}])
async def test_nothing_chosen_is_said(client: httpx.AsyncClient, files: dict[str, object]) -> None:
    shown = await client.post("/catalogue/documents/preview", files=files)  # type: ignore[arg-type]
    sent = await client.post("/catalogue/documents", files=files)  # type: ignore[arg-type]

    assert "Nothing was chosen." in shown.text
    assert sent.headers["location"] == "/catalogue/documents/new"


async def test_a_document_without_an_entry_says_what_makes_one(client: httpx.AsyncClient) -> None:
    shown = await preview(client, kitchen_md="# Only words\n\nabout cooking\n")

    assert "A section becomes an entry when" in shown_text(shown.text)


async def test_an_entry_that_comes_back_is_in_the_report(client: httpx.AsyncClient) -> None:
    for text in (entry("kettle"), "# nothing\n", entry("kettle")):
        report = await import_shown_or_send(client, text)

    told = shown_text(report.text)
    assert "returned kettle" in told


async def import_shown_or_send(client: httpx.AsyncClient, text: str) -> httpx.Response:
    parts = {"name": (None, "kitchen.md"), "text": (None, text)}
    answer = await client.post("/catalogue/documents", files=parts)
    return await client.get(answer.headers["location"])


async def test_a_report_with_made_up_words_shows_them_as_text(client: httpx.AsyncClient) -> None:
    asked = {"at": "2026-11-21T10:00:00Z", "problem": "<img src=x>", "new": "<script>x</script>"}

    report = await client.get("/catalogue/documents/imported", params=asked)
    nonsense = await client.get("/catalogue/documents/imported", params={"at": "yesterday"})

    assert report.status_code == 200
    assert dangers(report.text) == []
    assert nonsense.status_code == 400


async def test_forms_of_other_sites_import_nothing(client: httpx.AsyncClient) -> None:
    parts = {"name": (None, "kitchen.md"), "text": (None, entry("kettle"))}

    answer = await client.post(
        "/catalogue/documents", files=parts, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status_code == 403
    assert "kettle" not in await names(client)


async def test_a_report_address_is_bounded_however_much_is_wrong(
    client: httpx.AsyncClient,
) -> None:
    broken = "\n".join(entry(f"broken-{n}").replace("text:", "massage:") for n in range(60))
    parts = {"name": (None, "kitchen.md"), "text": (None, broken)}

    answer = await client.post("/catalogue/documents", files=parts)

    location = answer.headers["location"]
    assert len(parse_qs(urlsplit(location).query)["problem"]) == 20
    assert len(location) < 8_000
    assert (await client.get(location)).status_code == 200
