"""A chain in a real browser: what is marked, what opens, what is copied, by keyboard too."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chain_stage import LONG, LONG_RECORDS, RICH, send_chains
from tests.browser.looking import AXE, PHONE, serious_findings, sideways
from tests.browser.stage import Service


@pytest.fixture(scope="module", autouse=True)
def chains(service: Service) -> None:
    """One that has everything, and a long one."""
    send_chains(service.url)


@pytest.fixture
def reader(page: Page) -> Page:
    """May write to its clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    return page


def test_the_root_of_a_real_scenario_is_marked_and_leads_to_its_fix(
    page: Page, service: Service
) -> None:
    chain = service.chain("raw-sql-text")

    page.goto(f"/chains/{chain}")

    root = page.locator(".record.is-root")
    expect(root).to_have_count(1)
    expect(page.locator(".cause .tier-exact")).to_be_visible()
    expect(page.locator(".cause .fix-text")).to_contain_text("text(")
    expect(page.locator(".cause .fix-text")).to_be_visible()
    links = page.locator(".cause-fix a").evaluate_all("all => all.map(a => a.pathname)")
    assert "/catalogue/raw-sql-text" in links
    assert f"/incidents/{service.incident('raw-sql-text')}" in links
    page.get_by_text("Show the record").click()
    expect(root.locator(".opened")).to_be_visible()
    expect(root.locator(".frames").first).to_be_visible()


def test_a_record_opens_in_place_with_its_own_frames_first(page: Page) -> None:
    page.goto(f"/chains/{RICH}")
    root = page.locator(".record.is-root")

    root.locator("summary.line").click()

    expect(root.locator(".raised > .frames b")).to_have_text(["book", "book"])
    library = root.locator(".library .frames")
    expect(library).to_be_hidden()
    root.get_by_text("2 library frames").click()
    expect(library).to_contain_text("starlette/routing.py")


def test_a_chain_and_a_record_are_copied(reader: Page) -> None:
    reader.goto(f"/chains/{RICH}")

    reader.get_by_role("link", name="Copy as Markdown").click()
    expect(reader.locator("#announcer")).to_have_text("Copied")
    chain = reader.evaluate("navigator.clipboard.readText()")
    reader.locator(".record.is-root summary.line").click()
    reader.locator(".record.is-root").get_by_role("button", name="Copy JSON").click()
    reader.wait_for_function("navigator.clipboard.readText().then(t => t.startsWith('{'))")
    record = reader.evaluate("navigator.clipboard.readText().then(JSON.parse)")

    assert chain.startswith("## `app.accounts.LedgerClosed")
    assert "◀ root" in chain
    assert record["exception"]["type"] == "app.accounts.LedgerClosed"


def test_the_help_tells_the_keys_of_a_chain_on_a_narrow_page_too(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/chains/{RICH}")

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    expect(page.locator("#keys")).to_contain_text("next error")
    page.keyboard.press("j")
    expect(page.locator("summary.line:focus")).to_have_count(0)
    page.keyboard.press("?")

    expect(page.locator("#keys")).to_be_hidden()


def test_the_keyboard_alone_goes_through_a_chain(page: Page) -> None:
    page.goto(f"/chains/{RICH}")
    focused = page.locator("summary.line:focus")

    page.keyboard.press("j")
    expect(focused).to_contain_text("POST /checkout")
    page.keyboard.press("j")
    expect(focused).to_contain_text("calling order")
    page.keyboard.press("k")
    expect(focused).to_contain_text("POST /checkout")
    page.keyboard.press("e")
    expect(focused).to_contain_text("booking failed")
    page.keyboard.press("Enter")

    expect(page.locator(".record.is-root .opened")).to_be_visible()


def test_quiet_records_of_a_long_chain_come_when_they_are_asked_for(page: Page) -> None:
    page.goto(f"/chains/{LONG}")
    records = page.locator(".fall .record")
    expect(records).to_have_count(1)

    page.get_by_text("700 records without an error").click()
    expect(records).to_have_count(201)
    page.get_by_text("Show the next rows").click()
    expect(records).to_have_count(401)
    records.nth(5).locator("summary.line").click()

    expect(records.nth(5).locator(".log-fields")).to_contain_text("search-eu-1")
    assert page.url.endswith(f"/chains/{LONG}")
    assert LONG_RECORDS > 401


def test_an_address_opens_a_record_amid_the_quiet_ones(page: Page, service: Service) -> None:
    chain = service.get(f"/api/chains/{LONG}").json()
    wanted = next(one for one in chain["records"] if one["message"] == "row 450 stored")

    page.goto(f"/chains/{LONG}?record={wanted['record_id']}#r-{wanted['record_id']}")

    row = page.locator(f"#r-{wanted['record_id']}")
    expect(row.locator(".log-fields")).to_be_visible()
    expect(row).to_be_in_viewport()


def test_a_record_leads_to_what_its_instance_logged_around_it(page: Page) -> None:
    page.goto(f"/chains/{RICH}")
    page.locator("summary.line", has_text="calling payment").click()

    page.locator(".record[id]:has(details[open])").get_by_text("Before and after").click()

    expect(page.locator(".log-here")).to_contain_text("calling payment")
    expect(page.locator(".log-rows")).to_contain_text("request received from gateway")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_opened_chain_is_readable_by_all(page: Page, scheme: str, screenshots: Path) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"/chains/{RICH}")
    page.locator(".record.is-root summary.line").click()
    page.screenshot(path=screenshots / f"chain-opened-{scheme}.png", full_page=True)

    if not AXE.is_file():
        pytest.skip("axe was not built, so nothing looked for what some cannot read")
    assert serious_findings(page) == []


def test_an_opened_chain_fits_a_phone(page: Page, screenshots: Path) -> None:
    page.set_viewport_size({"width": PHONE, "height": 740})
    page.goto(f"/chains/{RICH}")
    page.locator(".record.is-root summary.line").click()

    assert sideways(page) == (0, [])
    page.screenshot(path=screenshots / "chain-opened-phone.png", full_page=True)
