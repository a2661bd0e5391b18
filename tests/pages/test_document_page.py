"""`/catalogue/documents/{name}`: the lines that a fix comes from, as they are written."""

import re
from datetime import UTC, datetime
from html import unescape

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.documents import DEFAULT_DOCUMENTS, compile_document
from app.pages.document_lines import lines_of
from app.pages.document_page import MOST_LINES
from app.query.document_queries import Passage
from tests.pages.documents import entry, hostile_document, import_shown, preview
from tests.pages.payloads import PAYLOADS
from tests.pages.test_incident import ERROR, sent

pytestmark = pytest.mark.anyio
_LINE = re.compile(
    r'<li id="line-(\d+)"( class="cited")?><a[^>]*>\d+</a><code>(.*?)</code></li>', re.DOTALL
)


def shown_lines(page: str) -> dict[int, tuple[str, bool]]:
    """Number -> text and whether it is marked."""
    return {int(n): (unescape(text), bool(cited)) for n, cited, text in _LINE.findall(page)}


async def test_the_fix_leads_to_its_lines_in_the_document(client: httpx.AsyncClient) -> None:
    incident = await (await sent(client, ERROR)).page()
    address = unescape(re.search(r'href="(/catalogue/documents/[^"]+)"', incident)[1])  # type: ignore[index]
    page = (await client.get(address)).text

    shown = shown_lines(page)
    written = (DEFAULT_DOCUMENTS / "python-services.md").read_text().splitlines()
    first = int(address.rpartition("#line-")[2])
    assert shown[first] == (written[first - 1], True)
    assert "{#raw-sql-text}" in shown[first][0]
    assert all(text == written[n - 1] for n, (text, _) in shown.items())
    assert any(not cited for _, cited in shown.values())


async def test_every_line_that_a_page_names_is_there_to_be_looked_at(
    client: httpx.AsyncClient,
) -> None:
    incident = await (await sent(client, ERROR)).page()
    entry_page = (await client.get("/catalogue/raw-sql-text")).text
    markdown = await client.get(f"{re.search('/incidents/[0-9a-f-]{36}', incident)[0]}.md")  # type: ignore[index]

    found = re.findall(
        r"/catalogue/documents/[^\s\"<]+#line-\d+", incident + entry_page + markdown.text
    )
    assert len(found) >= 4
    for address in map(unescape, found):
        shown = shown_lines((await client.get(address)).text)
        assert shown[int(address.rpartition("#line-")[2])][1]


async def test_a_changed_document_still_shows_the_version_that_was_cited(
    client: httpx.AsyncClient,
) -> None:
    await import_shown(client, await preview(client, a_md=entry("oven-off", fix="Light it.")))
    await import_shown(client, await preview(client, a_md=entry("oven-off", fix="Buy a new one.")))

    past = (await client.get("/catalogue/documents/a.md?entry=oven-off&version=1")).text
    now = (await client.get("/catalogue/documents/a.md?entry=oven-off")).text

    assert ("Light it.", True) in shown_lines(past).values()
    assert "The document was changed since" in past
    assert ("Buy a new one.", True) in shown_lines(now).values()


async def test_what_no_entry_was_made_from_says_that_it_is_not_stored(
    client: httpx.AsyncClient,
) -> None:
    text = f"# Kitchen\n\nAbout ovens.\n\n{entry('oven-off')}"
    await import_shown(client, await preview(client, a_md=text))

    page = (await client.get("/catalogue/documents/a.md")).text

    assert "lines 1\N{EN DASH}4 belong to no entry" in page
    assert min(shown_lines(page)) == 5


async def test_whatever_a_document_says_is_shown_as_text(client: httpx.AsyncClient) -> None:
    await import_shown(client, await preview(client, bad_md=hostile_document()))

    page = (await client.get("/catalogue/documents/bad.md?entry=hostile-0")).text

    texts = [text for text, _ in shown_lines(page).values()]
    for payload in PAYLOADS:
        for line in filter(str.strip, payload.splitlines()):
            assert line in texts or any(line.strip() in text for text in texts), line
    assert "<script>alert" not in page


async def test_a_very_long_document_comes_in_parts(client: httpx.AsyncClient) -> None:
    many = "\n".join(entry(f"oven-{n}") for n in range(120))
    await import_shown(client, await preview(client, a_md=many))

    first = (await client.get("/catalogue/documents/a.md")).text
    later = (await client.get(re.search(r'href="([^"]+)" rel="next"', first)[1])).text  # type: ignore[index]
    cited = (await client.get("/catalogue/documents/a.md?entry=oven-119")).text

    assert len(shown_lines(first)) <= MOST_LINES
    assert shown_lines(first).keys().isdisjoint(shown_lines(later))
    assert any("{#oven-119}" in text and marked for text, marked in shown_lines(cited).values())


@pytest.mark.parametrize("name", ["nobody.md", "%00", "x" * 300, "..%5C..%5Cetc"])
async def test_a_document_that_is_not_there_says_so(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/catalogue/documents/{name}")

    assert answer.status_code == 404
    assert "No entry of the catalogue comes from a document with this name" in answer.text


@given(
    st.lists(st.text(alphabet="ab \t-#", max_size=12), min_size=1, max_size=12), st.integers(1, 50)
)
def test_lines_keep_their_numbers_and_gaps_fill_the_rest(texts: list[str], first: int) -> None:
    passage = _passage("\n".join(texts), first)

    lines = lines_of([passage], passage)

    assert (
        sum(max(line.left_out, 1) for line in lines) == first + len(texts) - 1
        or not passage.written
    )
    assert [line.text for line in lines if not line.left_out] == (texts if passage.written else [])


def test_an_entry_holds_the_lines_that_its_provenance_names() -> None:
    for path in sorted(DEFAULT_DOCUMENTS.glob("*.md")):
        text = path.read_text()
        for issue in compile_document(path.name, text).issues:
            place = issue.provenance
            expected = text.splitlines()[place.first_line - 1 : place.last_line]
            assert issue.written.split("\n") == expected


def _passage(written: str, first: int) -> Passage:
    return Passage(
        known_issue_id="a", version=1, title="A", collection="imported", document="a.md",
        first_line=first, last_line=first + written.count("\n"), written=written,
        imported_at=datetime(2026, 1, 1, tzinfo=UTC), retired_at=None,
    )  # fmt: skip
