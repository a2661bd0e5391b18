"""The catalogue in a browser: documents in by choosing and by dropping, entries, versions."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Page, expect

from tests.browser.looking import PHONE, sideways
from tests.browser.stage import Service

KETTLE: Final = """## The kettle is gone {{#{name}}}
### Symptoms
`Error: {name} exploded`
### Causes
Cooks.
### Fix
{fix}
### Rules
```yaml rule
text: {name} exploded
```
"""
_DROP: Final = """([name, text]) => {
    const moved = new DataTransfer();
    moved.items.add(new File([text], name, { type: "text/markdown" }));
    for (const type of ["dragenter", "dragover", "drop"])
        document.querySelector(".drop").dispatchEvent(
            new DragEvent(type, { dataTransfer: moved, bubbles: true, cancelable: true }));
}"""


def written(tmp_path: Path, name: str, fix: str = "Buy one.") -> Path:
    path = tmp_path / f"{name}.md"
    path.write_text(KETTLE.format(name=name, fix=fix))
    return path


def test_a_chosen_document_is_previewed_then_imported(
    page: Page, service: Service, tmp_path: Path
) -> None:
    page.goto("/catalogue")
    page.get_by_role("link", name="Import documents").click()
    page.set_input_files("#files", written(tmp_path, "kettle"))

    page.get_by_role("button", name="See what would change").click()
    expect(page.get_by_role("heading", name="What this import would do")).to_be_visible()
    expect(page.get_by_text("1 new")).to_be_visible()
    before = service.get("/api/known-issues/kettle").status_code
    page.get_by_role("button", name="Import 1 document").click()
    page.get_by_role("link", name="The kettle is gone").click()

    expect(page.get_by_role("heading", name="The kettle is gone")).to_be_visible()
    assert before == 404
    assert service.get("/api/known-issues/kettle").json()["source"]["document"] == "kettle.md"


def test_a_document_may_be_dropped_on_the_page(page: Page, service: Service) -> None:
    page.goto("/catalogue/documents/new")

    page.evaluate(_DROP, ["dropped.md", KETTLE.format(name="dropped", fix="Pick it up.")])

    expect(page.get_by_role("heading", name="What this import would do")).to_be_visible()
    page.get_by_role("button", name="Import 1 document").click()
    expect(page.get_by_role("heading", name="Imported")).to_be_visible()
    assert service.get("/api/known-issues/dropped").json()["fix"] == "Pick it up."


def test_dragging_marks_where_to_drop_and_leaving_takes_the_mark_away(page: Page) -> None:
    page.goto("/catalogue/documents/new")
    drag = """(type) => { const moved = new DataTransfer();
        moved.items.add(new File(["x"], "x.md"));
        document.body.dispatchEvent(
            new DragEvent(type, { dataTransfer: moved, bubbles: true, cancelable: true })); }"""

    page.evaluate(drag, "dragenter")
    marked = page.locator("body.dropping").count()
    page.evaluate(drag, "dragleave")

    assert (marked, page.locator("body.dropping").count()) == (1, 0)


def test_versions_are_held_against_each_other(
    page: Page, tmp_path: Path, screenshots: Path
) -> None:
    for fix in ("Send some home.", "Send all home."):
        page.goto("/catalogue/documents/new")
        page.set_input_files("#files", written(tmp_path, "versions", fix))
        page.get_by_role("button", name="See what would change").click()
        page.get_by_role("button", name="Import 1 document").click()

    page.goto("/catalogue/versions")

    assert page.locator("del").inner_text() == "some"
    assert page.locator("ins").inner_text() == "all"
    page.screenshot(path=screenshots / "entry-versions-light.png", full_page=True)


def test_a_document_may_be_written_in_the_page_by_keyboard_alone(
    page: Page, service: Service
) -> None:
    page.goto("/catalogue/documents/new")
    summary = page.get_by_text("Or write one here")
    summary.focus()

    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("typed.md")
    page.keyboard.press("Tab")
    page.keyboard.insert_text(KETTLE.format(name="typed", fix="Type more."))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What this import would do")).to_be_visible()
    button = page.get_by_role("button", name="Import 1 document")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Imported")).to_be_visible()

    assert service.get("/api/known-issues/typed").json()["source"]["document"] == "typed.md"


def test_a_preview_with_problems_fits_a_phone(page: Page, screenshots: Path) -> None:
    page.set_viewport_size({"width": PHONE, "height": 740})
    page.goto("/catalogue/documents/new")
    broken = KETTLE.format(name="broken", fix="x").replace("text:", "massage:")
    text = broken + KETTLE.format(name="a-kettle-with-a-very-long-name-that-goes-on", fix="x")

    page.evaluate(_DROP, ["a-document-with-a-long-name-of-its-own.md", text])

    expect(page.get_by_text("the rule cannot be used")).to_be_visible()
    assert sideways(page) == (0, [])
    page.screenshot(path=screenshots / "import-preview-phone.png", full_page=True)


def test_a_problem_and_an_effect_are_seen_before_the_import(page: Page, screenshots: Path) -> None:
    page.goto("/catalogue/documents/new")
    text = KETTLE.format(name="zones", fix="Add the row.").replace(
        "text: zones exploded", "text: no tariff for zone"
    )

    page.evaluate(_DROP, ["zones.md", text])

    expect(page.get_by_text("+1", exact=True).first).to_be_visible()
    page.screenshot(path=screenshots / "import-preview-light.png", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.screenshot(path=screenshots / "import-preview-dark.png", full_page=True)


def test_the_filters_of_the_list_stand_in_its_address(page: Page) -> None:
    page.goto("/catalogue")
    page.get_by_label("Words in title").fill("plain string")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=plain+string**")
    page.get_by_role("link", name="seen here").click()

    expect(page.locator("table.entries tbody tr")).to_have_count(1)
    assert "q=plain+string" in page.url
    assert "show=seen" in page.url
