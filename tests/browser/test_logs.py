"""The page of log records in a real browser, on what real scenarios left behind."""

import re
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Route, expect

from tests.browser.looking import PHONE, serious_findings, sideways
from tests.browser.stage import Service

ROWS = "#log-rows > .log"


def query_of(page: Page) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def send(service: Service, *messages: str, **fields: object) -> None:
    records = [{"service": "tailor", "message": one, **fields} for one in messages]
    assert service.post("/ingest/logs", records).json()["accepted"] == len(messages)


def go_live(page: Page, q: str) -> None:
    page.goto(f"/logs?q={q}")
    page.get_by_role("button", name="Live", exact=True).click()
    expect(page.locator("#log-live-state")).to_contain_text("live")


def test_the_box_completes_fields_and_values_by_keyboard_alone(page: Page) -> None:
    page.goto("/logs")
    page.keyboard.press("/")
    page.keyboard.type("serv")
    expect(page.get_by_role("option", name="service:")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value("service:")
    page.keyboard.type("tari")
    expect(page.get_by_role("option").first).to_contain_text("tariff")
    assert page.locator("#q").get_attribute("aria-expanded") == "true"
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#q").get_attribute("aria-activedescendant")
    assert serious_findings(page) == []
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q="))

    expect(page.locator(ROWS).first).to_contain_text("tariff")
    assert chosen == "q-option-0"
    assert query_of(page)["q"].strip() == "service:tariff"


def test_a_search_that_cannot_be_read_is_pointed_at(
    page: Page, errors: list[str], screenshots: Path
) -> None:
    answer = page.goto("/logs?q=service:payment level:foo")

    assert answer is not None
    assert answer.status == 400
    expect(page.get_by_role("alert")).to_contain_text("column 17")
    expect(page.locator(".log-caret mark")).to_have_text("l")
    expect(page.locator("#q")).to_have_value("service:payment level:foo")
    assert page.evaluate("document.getElementById('q').selectionStart") == 16
    page.screenshot(path=screenshots / "logs-error.png")
    errors[:] = [one for one in errors if "status of 400" not in one]


def test_dragging_over_the_histogram_takes_that_time(page: Page) -> None:
    page.goto("/logs?from=-1h")
    over = page.locator(".u-over")
    box = over.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20, steps=5)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=20"))

    asked = query_of(page)
    length = datetime.fromisoformat(asked["to"]) - datetime.fromisoformat(asked["from"])
    assert 600 < length.total_seconds() < 1_500


def test_facets_narrow_exclude_and_widen_again(page: Page) -> None:
    page.goto("/logs")
    facets = page.get_by_label("Facets")
    facets.get_by_role("link", name="gateway", exact=True).click()
    page.wait_for_url(re.compile("gateway"))
    narrowed = query_of(page)["q"]
    expect(facets.get_by_role("link", name="storefront", exact=True)).to_have_count(0)
    facets.get_by_role("link", name="gateway", exact=True).click()
    page.wait_for_url(lambda url: "gateway" not in url)
    widened = query_of(page)
    facets.get_by_role("link", name="gateway", exact=True).hover()
    facets.get_by_role("link", name="Exclude gateway", exact=True).click()
    page.wait_for_url(re.compile("gateway"))

    assert (narrowed, widened) == ("service:gateway", {})
    assert query_of(page)["q"] == "-service:gateway"
    expect(page.locator(ROWS).first).not_to_contain_text("gateway")


def test_a_record_opens_in_place_with_its_own_calls_first(page: Page, screenshots: Path) -> None:
    page.goto("/logs?q=service:tariff has:exception")
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    opened = page.locator(".log-opened")
    expect(opened.locator(".raised").first).to_contain_text("ZoneMissing")
    expect(opened.locator(".frames").first).to_contain_text("table.py:17")
    page.screenshot(path=screenshots / "logs-opened.png", full_page=True)
    assert serious_findings(page) == []
    opened.get_by_role("link", name="Before and after").click()
    expect(page.get_by_role("heading", name="Before and after")).to_be_visible()
    expect(page.locator(ROWS.replace("#log-rows", ".log-rows")).first).to_be_visible()


def test_an_opened_record_and_its_menus_fit_a_phone(page: Page, screenshots: Path) -> None:
    page.set_viewport_size({"width": PHONE, "height": 740})
    page.goto("/logs?q=service:tariff has:exception")
    page.locator(f"{ROWS} summary").first.click()
    expect(page.locator(".log-opened")).to_be_visible()
    page.screenshot(path=screenshots / "logs-opened-phone.png", full_page=True)
    for menu in ("Columns", "Export"):
        page.locator(".menu summary", has_text=menu).click()
        assert sideways(page) == (0, [])


def test_the_live_tail_receives_and_does_not_move_what_is_read(
    page: Page, service: Service
) -> None:
    send(service, *(f"stitch {n}" for n in range(60)))
    go_live(page, "service:tailor")
    before = page.locator(ROWS).count()
    send(service, "a fresh seam")
    expect(page.locator(ROWS).first).to_contain_text("a fresh seam")
    grown = page.locator(ROWS).count()

    page.mouse.wheel(0, 600)
    page.wait_for_function("scrollY > 300")
    marked = page.locator(ROWS).nth(30)
    stood = marked.bounding_box()
    send(service, "another seam", "and one more")
    expect(page.locator("#log-new")).to_have_text("2 new")
    assert marked.bounding_box() == stood
    page.locator("#log-new").click()

    expect(page.locator(ROWS).first).to_contain_text("and one more")
    assert grown == before + 1
    assert page.locator(ROWS).count() == grown + 2
    assert page.locator("#log-new").is_hidden()


def test_an_opened_record_stays_where_it_is_while_others_come(page: Page, service: Service) -> None:
    send(service, "hem one", "hem two")
    go_live(page, "hem")
    page.locator(f"{ROWS} summary").first.click()
    expect(page.locator(".log-opened")).to_be_visible()
    stood = page.locator(".log-opened").bounding_box()
    send(service, "hem three")

    expect(page.locator("#log-new")).to_have_text("1 new")
    assert page.locator(".log-opened").bounding_box() == stood


def test_a_paused_tail_holds_what_comes_and_goes_on_with_it(page: Page, service: Service) -> None:
    go_live(page, "lining")
    page.keyboard.press("p")
    send(service, "lining cut")
    expect(page.locator("#log-new")).to_have_text("1 new")
    held = page.locator(ROWS).count()
    page.keyboard.press("p")

    expect(page.locator(ROWS)).to_have_count(1)
    assert held == 0
    page.keyboard.press("l")
    expect(page.locator("#log-live-state")).to_have_text("")
    assert "live" not in query_of(page)


def test_what_the_live_tail_brings_opens_too_and_is_only_text(page: Page, service: Service) -> None:
    go_live(page, "buttonhole")
    send(
        service,
        "buttonhole <img src=x onerror=alert(1)>",
        attributes={"<b>": "<script>alert(2)</script>"},
    )
    row = page.locator(ROWS).first
    expect(row).to_contain_text("<img src=x onerror=alert(1)>")
    row.locator("summary").click()

    expect(row.locator(".log-opened")).to_contain_text("<script>alert(2)</script>")
    assert row.locator("img, script").count() == 0


def test_a_new_search_leaves_the_tail_live(page: Page, service: Service) -> None:
    go_live(page, "service:tailor")
    page.locator("#q").fill("service:tailor hemline")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("hemline"))
    expect(page.locator("#log-live-state")).to_contain_text("live")
    asked = query_of(page)
    send(service, "hemline pinned", "pleat pressed")
    expect(page.locator(ROWS).first).to_contain_text("hemline pinned")
    page.get_by_role("link", name="1h", exact=True).click()
    page.wait_for_url(re.compile("from=-1h"))
    expect(page.locator("#log-live-state")).to_contain_text("live")
    page.get_by_role("button", name="Live", exact=True).click()
    expect(page.locator("#log-live-state")).to_have_text("")
    page.get_by_role("link", name="6h", exact=True).click()
    page.wait_for_url(re.compile("from=-6h"))

    assert asked == {"q": "service:tailor hemline", "live": "yes"}
    assert "live" not in query_of(page)


def test_a_row_that_arrives_live_is_the_row_that_a_search_shows(
    page: Page, service: Service
) -> None:
    failed = {"type": "TypeError", "message": "Object of type UUID is not JSON serializable"}
    send(service, "cutting failed", level="error", exception=failed)
    page.goto("/logs?q=cutting&columns=service&columns=attr.size")
    known = page.locator(f"{ROWS} .badge.known")
    for _ in range(60):
        if known.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.get_by_role("button", name="Live", exact=True).click()
    expect(page.locator("#log-live-state")).to_contain_text("live")
    send(service, "cutting failed", level="error", exception=failed, attributes={"size": 4})
    expect(page.locator(ROWS)).to_have_count(2)
    fresh = page.locator(ROWS).first
    expect(fresh).not_to_have_class(re.compile("log-fresh"))
    arrived = " ".join(fresh.inner_text().split())
    page.reload()
    expect(page.locator(ROWS)).to_have_count(2)

    expect(known).to_have_count(2)
    assert " ".join(page.locator(ROWS).first.inner_text().split()) == arrived
    assert "uuid-not-json-serializable" in arrived


def test_suggestions_that_come_late_replace_none_that_are_newer(page: Page) -> None:
    page.goto("/logs")
    held: list[Route] = []
    page.route(re.compile(r"completion\?q=l&"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no builtin
    page.locator("#q").press_sequentially("l")
    expect(page.locator("body")).to_be_visible()
    page.wait_for_timeout(300)
    page.locator("#q").press_sequentially("evel:warn")
    option = page.get_by_role("option")
    expect(option).to_have_text(["warning"])
    for route in held:
        with suppress(PlaywrightError):
            route.fulfill(
                json={
                    "start": 0,
                    "end": 1,
                    "suggestions": [
                        {"insert": "late", "label": "late", "detail": "", "is_open": False}
                    ],
                }
            )
    page.wait_for_timeout(200)

    expect(option).to_have_text(["warning"])
    assert held


def test_a_box_whose_suggestions_fail_just_has_none(page: Page, errors: list[str]) -> None:
    page.goto("/logs")
    page.route(re.compile("/logs/completion"), lambda route: route.fulfill(status=503, body="no"))
    with page.expect_response(re.compile("/logs/completion")):
        page.locator("#q").press_sequentially("serv")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=serv"))

    errors[:] = [one for one in errors if "503" not in one]
    assert errors == []


def test_what_is_chosen_within_a_word_replaces_the_word(page: Page, errors: list[str]) -> None:
    page.goto("/logs?q=level:warnong has:exception")
    page.evaluate("q.focus(), q.setSelectionRange(10, 10)")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("option").first).to_have_text("warning")
    page.keyboard.press("Tab")

    expect(page.locator("#q")).to_have_value("level:warning has:exception")
    errors[:] = [one for one in errors if "status of 400" not in one]


def test_where_the_clipboard_is_out_of_reach_the_text_is_selected(page: Page) -> None:
    page.add_init_script("delete Navigator.prototype.clipboard")
    page.goto("/logs?q=service:tariff has:exception")
    page.locator(".menu summary", has_text="Export").click()
    page.get_by_role("button", name="Copy command").click()

    expect(page.locator("#announcer")).to_have_text("Selected, press Ctrl+C")
    expect(page.get_by_text("Selected, press Ctrl+C").last).to_be_visible()
    assert page.evaluate("getSelection().toString()").startswith("prodsentinel logs")


def test_columns_and_wrap_stand_in_the_address(page: Page, service: Service) -> None:
    send(service, "cuff " + "long " * 80, attributes={"size": 41})
    page.goto("/logs?q=cuff")
    low = page.locator(ROWS).first.bounding_box()
    page.locator(".menu summary", has_text="Columns").click()
    page.get_by_placeholder("attr.order_id").fill("attr.size")
    page.get_by_role("checkbox", name="level").uncheck()
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".log-head")).to_contain_text("attr.size")
    expect(page.locator(f"{ROWS} .log-cell").nth(1)).to_have_text("41")
    page.keyboard.press("w")
    page.wait_for_url(re.compile("wrap=yes"))
    high = page.locator(ROWS).first.bounding_box()

    assert low is not None
    assert high is not None
    assert high["height"] > low["height"] * 2
    assert parse_qs(urlsplit(page.url).query)["columns"] == ["service", "attr.size"]


def test_keys_move_open_and_lead_to_the_chain(page: Page) -> None:
    page.goto("/logs?q=service:tariff")
    for key in ("j", "j", "j", "k"):
        page.keyboard.press(key)
    second = page.evaluate(
        "[...document.getElementById('log-rows').children]"
        ".indexOf(document.activeElement.closest('.log'))"
    )
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("live tail on or off")
    assert serious_findings(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    # The chain has a page and tests of its own: this tab stays here.
    page.route(re.compile("/chains/"), lambda route: route.fulfill(status=204))
    with page.expect_request(re.compile("/chains/order-77")):
        page.keyboard.press("o")

    assert second == 1


def test_a_search_is_saved_found_again_and_deleted(page: Page) -> None:
    name = f"night-watch-{time.time_ns()}"
    page.goto("/logs?q=level:error&from=-1d&columns=service")
    page.get_by_role("link", name="Saved", exact=True).click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_url(re.compile(r"/logs\?q=level"))
    page.goto("/logs/saved")
    page.get_by_role("link", name=name).click()
    page.wait_for_url(re.compile(r"/logs\?q=level"))
    found = query_of(page)
    page.goto("/logs/saved")
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("tr", has_text=name).get_by_role("button", name="Delete").click()

    expect(page.get_by_role("link", name=name)).to_have_count(0)
    assert found == {"q": "level:error", "from": "-1d", "columns": "service"}


@pytest.mark.parametrize("path", ["/logs", "/logs/histogram", "/logs/facets", "/logs/saved"])
def test_without_javascript_everything_can_be_read(path: str, page: Page, service: Service) -> None:
    assert page.context.browser is not None
    context = page.context.browser.new_context(base_url=service.url, java_script_enabled=False)
    bare = context.new_page()
    bare.goto(f"{path}?q=service:tariff")
    told = bare.locator("main").inner_text()
    context.close()

    assert {
        "/logs": "tariff table has no row",
        "/logs/histogram": "records",
        "/logs/facets": "tariff",
        "/logs/saved": "service:tariff",
    }[path] in told
