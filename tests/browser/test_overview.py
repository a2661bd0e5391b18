"""The overview as somebody uses it who was just woken up."""

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import VIOLATIONS
from tests.browser.looking import serious_findings
from tests.browser.stage import Service


def test_the_chart_counts_what_failed_and_tells_a_bucket_when_pointed_at(page: Page) -> None:
    page.goto("/")
    chart = page.locator("#trend .u-over")
    box = chart.bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2)

    expect(page.locator("#trend-told")).to_contain_text(re.compile(r"\d+ unknown, \d+ known"))


def test_dragging_over_the_chart_opens_the_errors_of_that_time(
    page: Page, errors: list[str]
) -> None:
    page.goto("/")
    box = page.locator("#trend .u-over").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 30, steps=4)
    page.mouse.up()

    page.wait_for_url(re.compile(r"/logs\?q=level%3A%3E%3Derror&from=\d{4}.*&to=\d{4}"))
    errors.clear()


def test_the_same_chart_stands_there_without_scripts(browser: Browser, service: Service) -> None:
    context = browser.new_context(base_url=service.url, java_script_enabled=False)
    page = context.new_page()

    page.goto("/")

    expect(page.locator("#trend svg.chart rect").first).to_be_attached()
    expect(page.locator(".hurting > li").first).to_be_visible()
    expect(page.locator("time").first).to_contain_text("UTC")
    context.close()


def test_moments_are_told_in_the_zone_of_who_reads_with_utc_at_hand(
    browser: Browser, service: Service
) -> None:
    context = browser.new_context(base_url=service.url, timezone_id="Asia/Tokyo")
    page = context.new_page()

    page.goto("/")

    moment = page.locator("footer time")
    expect(moment).to_contain_text("GMT+9")
    expect(moment).to_have_attribute("title", re.compile("UTC$"))
    context.close()


def test_the_keyboard_reaches_the_content_first_and_every_incident(page: Page) -> None:
    page.goto("/")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    seen = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.getAttribute('href')"))

    listed = page.locator(".hurting-title").evaluate_all(
        "(links) => links.map((link) => link.getAttribute('href'))"
    )
    assert set(listed) <= seen


def test_what_comes_later_shows_by_itself_without_a_moment_jumping_back_to_utc(
    page: Page, service: Service
) -> None:
    page.goto("/")
    before = page.locator("#trend").get_attribute("data-series")
    late = {"service": "late", "level": "error", "message": "m", "correlation_id": "late-1",
            "exception": {"type": "CameLater", "message": "of its own"}}  # fmt: skip
    assert service.post("/ingest/logs", late).json()["accepted"] == 1
    service.get("/api/chains/late-1")

    page.wait_for_function(
        """() => { htmx.trigger("#live", "refresh");
            return document.body.innerText.includes("CameLater"); }""",
        polling=500,
    )

    assert page.locator("#trend").get_attribute("data-series") != before
    expect(page.locator("#trend .u-over")).to_have_count(1)
    expect(page.locator(".hurting time").first).to_have_text(re.compile("ago|just now"))


@pytest.fixture
def first_page(browser: Browser, empty_service: Service, errors: list[str]) -> Iterator[Page]:
    context = browser.new_context(base_url=empty_service.url)
    context.add_init_script(VIOLATIONS)
    opened = context.new_page()
    opened.on("console", lambda one: errors.append(one.text) if one.type == "error" else None)
    yield opened
    context.close()
    assert errors == []


def test_the_first_visit_turns_green_when_what_it_proposes_was_sent(
    first_page: Page, empty_service: Service
) -> None:
    first_page.goto("/")
    expect(first_page.get_by_text("Waiting for the record")).to_be_visible()
    assert serious_findings(first_page) == []
    proposed = first_page.locator("#curl").inner_text()
    address = re.search(r"http://\S+", proposed)
    body = re.search(r"-d '(.*)'", proposed, re.DOTALL)
    assert address
    assert body

    sent = httpx.post(address[0], content=body[1], headers={"Content-Type": "application/json"})

    assert sent.json() == {"accepted": 1, "rejected": []}
    expect(first_page.get_by_text("It came.")).to_be_visible()
    assert serious_findings(first_page) == []
    link = first_page.get_by_role("link", name="See its chain")
    chain = re.search(r'"correlation_id": "(first-[0-9a-f]{8})"', proposed)
    assert chain
    assert link.get_attribute("href") == f"/chains/{chain[1]}"
    assert empty_service.get(f"/api/chains/{chain[1]}").json()["match"]["known_issue_id"]


@pytest.mark.parametrize("path", ["/", "/incidents"])
def test_incidents_are_walked_with_the_keyboard(page: Page, path: str) -> None:
    page.goto(path)
    links = page.locator("[data-list] a.plain[href^='/incidents/']")
    focused = page.locator("[data-list] a:focus")
    addresses = [links.nth(n).get_attribute("href") for n in range(3)]

    walked = []
    for key in "kjjkk":
        page.keyboard.press(key)
        walked.append(focused.get_attribute("href"))
    page.keyboard.press("?")
    help_told = page.locator("#keys").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")

    first, second, third = addresses
    assert walked == [first, second, third, second, first]
    assert "next, previous incident" in help_told
    page.wait_for_url(f"**{second}")
