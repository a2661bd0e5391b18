"""From the alarm to the fix, and what people do there, in a real browser with real scenarios."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.stage import Service

_GLAZES = iter(("amber", "basalt", "cobalt", "dolomite", "ebony", "flint", "garnet", "hazel"))
"""Numbers would be masked, and all of them be one incident."""


def incident_of(service: Service, incident_id: str) -> Any:
    return service.get(f"/api/incidents/{incident_id}").json()


def in_view(page: Page, selector: str) -> bool:
    """Whether all of its top is in the window as it opened, nothing scrolled."""
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["y"] >= 0 and box["y"] < 500


@pytest.fixture
def opened(service: Service) -> Callable[[], str]:
    """Sends an error that nothing knows and nobody sent before; gives the incident it opened."""
    return lambda: send_error(service, f"the kiln lost its {next(_GLAZES)} glaze today")


def send_error(service: Service, message: str) -> str:
    before = {one["incident_id"] for one in listed(service)}
    # Long ago: in lists of incidents the newest ones stay those that other tests look for.
    at = (datetime.now(UTC) - timedelta(hours=20)).isoformat()
    record = {
        "service": "kiln",
        "level": "error",
        "message": message,
        "release": "3.0",
        "timestamp": at,
    }
    service.post("/ingest/logs", record)
    for _ in range(200):
        fresh = [one for one in listed(service) if one["incident_id"] not in before]
        if fresh:
            return str(fresh[0]["incident_id"])
        time.sleep(0.05)
    raise AssertionError("no incident was opened")


def listed(service: Service) -> list[Any]:
    found: list[Any] = service.get("/api/incidents?limit=500").json()["incidents"]
    return found


def change(page: Page, label: str, **fields: str) -> None:
    """Open the menu of a change, fill it in, and send it."""
    page.locator("summary", has_text=label).click()
    menu = page.locator("details.menu[open]")
    for name, value in fields.items():
        field = menu.locator(f"[name={name}]")
        if field.evaluate("(one) => one.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)
    menu.get_by_role("button", name=label, exact=True).click()


def test_the_fix_is_one_click_from_the_overview(page: Page, service: Service) -> None:
    page.goto("/")

    page.locator(f"a[href='/incidents/{service.incident('raw-sql-text')}']").first.click()

    expect(page.get_by_role("heading", level=1)).to_have_text(
        "A plain string where SQLAlchemy expects SQL"
    )
    expect(page.locator(".fix-text")).to_contain_text("Wrap the statement")
    assert in_view(page, ".fix-text")
    assert in_view(page, ".fix-text pre")


def test_the_fix_is_the_largest_thing_below_the_root_cause(page: Page, service: Service) -> None:
    page.goto(f"/incidents/{service.incident('uuid-not-json-serializable')}")

    sizes = page.evaluate("""() => [...document.querySelectorAll("main section")].map((one) => {
        const { width, top, bottom } = one.getBoundingClientRect();
        return [one.className, width * Math.max(0, Math.min(bottom, innerHeight) - top)];
    })""")
    largest = max(sizes, key=lambda one: one[1])
    assert largest[0].startswith("fix")


def test_the_words_of_error_and_document_are_marked_side_by_side(
    page: Page, service: Service
) -> None:
    page.goto(f"/incidents/{service.incident('uuid-not-json-serializable')}")

    sides = page.locator(".sides figure")

    expect(sides.nth(0).locator("mark").first).to_have_text(
        "Object of type UUID is not JSON serializable"
    )
    said = sides.nth(1).locator("mark", has_text="is not JSON serializable")
    expect(said.first).to_be_visible()
    left, right = (sides.nth(n).bounding_box() for n in (0, 1))
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]


def test_code_of_a_fix_is_copied(page: Page, service: Service) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/incidents/{service.incident('raw-sql-text')}")

    page.locator(".fix-text .copy-code").first.click()

    expect(page.locator("#announcer")).to_have_text("Copied")
    assert 'session.execute(text("SELECT 1"))' in page.evaluate("navigator.clipboard.readText()")


def test_an_incident_is_copied_as_markdown(page: Page, service: Service) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/incidents/{service.incident('raw-sql-text')}")

    page.get_by_text("Copy as Markdown").click()

    expect(page.locator("#announcer")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("# A plain string where SQLAlchemy expects SQL")


def test_a_fix_is_confirmed_rejected_and_taken_back(page: Page, service: Service) -> None:
    incident = service.incident("asyncpg-dsn-scheme")
    page.goto(f"/incidents/{incident}")

    page.get_by_role("button", name="Confirm: this is it").click()
    expect(page.get_by_text("Confirmed by")).to_be_visible()
    confirmed = service.get("/api/known-issues/asyncpg-dsn-scheme").json()["confirmed"]
    page.get_by_role("button", name="Reject: it is not").click()
    expect(page.get_by_role("heading", name="No document explains this yet")).to_be_visible()
    rejected = incident_of(service, incident)["match"]
    page.get_by_role("button", name="Take back").click()
    expect(page.locator(".fix-text")).to_be_visible()

    assert (confirmed, rejected) == (1, None)
    assert incident_of(service, incident)["match"]["known_issue_id"] == "asyncpg-dsn-scheme"


def test_an_entry_is_written_from_an_unknown_incident(
    page: Page, service: Service, opened: Callable[[], str]
) -> None:
    incident = opened()
    page.goto(f"/incidents/{incident}")
    page.get_by_role("link", name="Write an entry from here").click()
    text = page.locator("textarea[name=text]")

    text.fill(text.input_value().replace("[what to do]", "Turn the **kiln** down."))
    expect(page.locator("#preview strong", has_text="kiln")).to_be_visible()
    page.get_by_role("button", name="Preview and effect").click()
    expect(page.locator("#preview")).to_contain_text("of all stored signatures")
    expect(page.locator("#preview strong.good")).to_have_text("+1")
    unsaved = incident_of(service, incident)["known"]
    page.get_by_role("button", name="Save entry").click()

    expect(page.locator(".fix-text")).to_have_text("Turn the kiln down.")
    now = incident_of(service, incident)
    assert (unsaved, now["known"], now["match"]["fix"]) == (
        False,
        True,
        "Turn the **kiln** down.",
    )


def test_another_entry_is_chosen(page: Page, service: Service, opened: Callable[[], str]) -> None:
    incident = opened()
    words = incident_of(service, incident)["title"].split()
    documents = [entry("kiln-first", " ".join(words)), entry("kiln-second", " ".join(words[:3]))]
    service.post("/api/catalogue/documents", {"documents": documents})
    page.goto(f"/incidents/{incident}")
    for _ in range(100):
        if page.get_by_role("button", name="Choose this one").count():
            break
        page.wait_for_timeout(100)
        page.reload()

    expect(page.locator("#others")).to_contain_text("runner-up: less specific")
    page.get_by_role("button", name="Choose this one").click()

    expect(page.locator(".fix-text")).to_have_text("Do kiln-second.")
    assert incident_of(service, incident)["match"]["known_issue_id"] == "kiln-second"


def entry(name: str, text: str) -> dict[str, str]:
    written = f"## {name} {{#{name}}}\n### Symptoms\n{name}\n### Causes\n{name}\n### Fix\n"
    return {
        "name": f"{name}.md",
        "text": f"{written}Do {name}.\n### Rules\n```yaml rule\ntext: {text!r}\n```\n",
    }


def test_an_incident_is_muted_acknowledged_resolved_and_reopened(
    page: Page, service: Service, opened: Callable[[], str]
) -> None:
    incident = opened()
    page.goto(f"/incidents/{incident}")
    badge = page.locator(".inc-state .badge").first

    change(page, "Mute", end="8h", done_by="Ada", note="deploying")
    expect(badge).to_have_text("muted")
    page.get_by_role("button", name="Acknowledge").click()
    expect(badge).to_have_text("acknowledged")
    expect(page.locator("#announcer")).to_contain_text("acknowledged by Ada")
    change(page, "Resolve", in_release="3.1", note="turned it down")
    expect(badge).to_have_text("resolved")
    resolved = incident_of(service, incident)
    change(page, "Reopen")
    expect(badge).to_have_text("open")

    assert resolved["resolved_in_release"] == "3.1"
    now = incident_of(service, incident)
    assert [one["kind"] for one in now["history"]] == [
        "reopened", "resolved", "acknowledged", "muted", "opened",
    ]  # fmt: skip
    assert {one["done_by"] for one in now["history"][:-1]} == {"Ada"}


def test_two_people_who_resolve_at_once_see_each_other(
    page: Page, browser: Browser, service: Service, opened: Callable[[], str], errors: list[str]
) -> None:
    incident = opened()
    beside = browser.new_context(base_url=service.url)
    other = beside.new_page()
    for one in (page, other):
        one.goto(f"/incidents/{incident}")

    change(other, "Resolve", done_by="Bob", note="restarted the kiln")
    expect(other.locator(".inc-state .badge").first).to_have_text("resolved")
    beside.close()
    change(page, "Resolve", done_by="Ada", note="opened the door")

    notice = page.locator(".inc-notice")
    expect(notice).to_contain_text("Bob changed this incident while you were reading it: resolved")
    expect(notice).to_contain_text("restarted the kiln")
    expect(notice).to_be_focused()
    page.get_by_role("button", name="Add your words as a note").click()
    expect(page.locator(".inc-history")).to_contain_text("opened the door")
    resolved = [e for e in incident_of(service, incident)["history"] if e["kind"] == "resolved"]
    assert [one["done_by"] for one in resolved] == ["Bob"]
    errors[:] = [one for one in errors if "412" not in one]


def test_an_incident_is_resolved_with_the_keyboard_alone(
    page: Page, service: Service, opened: Callable[[], str]
) -> None:
    incident = opened()
    page.goto(f"/incidents/{incident}")

    press_to(page, "summary", "Resolve")
    page.keyboard.press("Enter")
    press_to(page, "input", "done_by")
    page.keyboard.type("Ada")
    page.keyboard.press("Escape")
    closed = page.locator("details.menu[open]").count()
    page.keyboard.press("Enter")
    press_to(page, "button", "Resolve")
    page.keyboard.press("Enter")

    expect(page.locator(".inc-state .badge").first).to_have_text("resolved")
    assert closed == 0
    assert incident_of(service, incident)["status"] == "resolved"


def press_to(page: Page, tag: str, words: str) -> None:
    """Press Tab until this has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "() => { const one = document.activeElement;"
            " return [one.tagName.toLowerCase(), one.name || one.textContent]; }"
        )
        if here[0] == tag and words in here[1]:
            return
    raise AssertionError(f"no {tag} {words} can be reached with Tab")


def test_without_scripts_all_can_be_read_and_changed(
    browser: Browser, service: Service, opened: Callable[[], str]
) -> None:
    incident = opened()
    plain = browser.new_context(base_url=service.url, java_script_enabled=False)
    page = plain.new_page()
    page.goto(f"/incidents/{service.incident('raw-sql-text')}")
    fix = page.locator(".fix-text").inner_text()
    page.goto(f"/incidents/{incident}")

    change(page, "Acknowledge", done_by="Ada")

    expect(page.locator(".inc-state .badge").first).to_have_text("acknowledged")
    assert re.search("Wrap the statement", fix)
    assert page.url.endswith(f"/incidents/{incident}")
    plain.close()
