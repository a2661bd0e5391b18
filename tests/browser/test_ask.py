"""Ask in a browser: a pasted error finds its entry."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.looking import AXE, PHONE, serious_findings, sideways
from tests.browser.stage import Service


def sample(service: Service) -> str:
    """What the scenario really logged."""
    incident = service.get(f"/api/incidents/{service.incident('raw-sql-text')}").json()
    chain = service.get(f"/api/chains/{incident['sample_chains'][0]['correlation_id']}").json()
    records = [one for one in chain["records"] if one["exception"]]
    return str(records[0]["exception"]["stacktrace"])


def test_the_traceback_of_a_scenario_finds_the_entry_and_its_fix(
    page: Page, service: Service, screenshots: Path
) -> None:
    page.goto("/ask")
    page.get_by_label("An error as you have it").fill(sample(service))

    page.get_by_role("button", name="What is it?").click()

    expect(
        page.get_by_role("link", name="A plain string where SQLAlchemy expects SQL")
    ).to_be_visible()
    expect(page.get_by_role("heading", name="Fix")).to_be_visible()
    assert "should be explicitly declared" in page.locator(".error-text mark").first.inner_text()
    assert page.locator(".clauses mark").count() > 0
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=screenshots / f"ask-known-{scheme}.png", full_page=True)
        assert not AXE.is_file() or serious_findings(page) == []
    page.set_viewport_size({"width": PHONE, "height": 740})
    assert sideways(page) == (0, [])
    page.screenshot(path=screenshots / "ask-known-phone.png", full_page=True)


def test_the_question_has_an_address_that_a_colleague_can_open(page: Page) -> None:
    page.goto("/ask")
    page.get_by_label("An error as you have it").fill(
        "TypeError: Object of type UUID is not JSON serializable"
    )
    page.get_by_role("button", name="What is it?").click()
    expect(page.get_by_role("heading", name="How it was read")).to_be_visible()

    page.goto(page.url)

    expect(page.locator("#known")).to_be_visible()


def test_the_keyboard_alone_asks(page: Page) -> None:
    page.goto("/ask")

    page.keyboard.insert_text("no tariff for zone QX-9")
    page.keyboard.press("Control+Enter")

    expect(page.get_by_role("heading", name="No known issue explains this error")).to_be_visible()


def test_an_error_of_many_lines_is_answered_without_an_address(page: Page) -> None:
    page.goto("/ask")
    # Typing so much takes a browser on a busy machine longer than a test may wait.
    page.evaluate(
        """() => { document.getElementById("text").value = "INFO nothing\\n".repeat(3000)
            + "sqlalchemy.exc.ArgumentError: Textual SQL expression 'SELECT 1' should be "
            + "explicitly declared as text('SELECT 1')"; }"""
    )

    page.get_by_role("button", name="What is it?").click()

    expect(page.locator("#known")).to_be_visible()
    expect(page.locator(".error-text")).to_contain_text("2,9")
    assert page.url.endswith("/ask")
