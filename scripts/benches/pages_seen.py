"""What a browser makes of the pages: when something is painted, and what came over the wire."""

import shutil
import statistics
import sys
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.benches.frame import Row
from scripts.benches.ground import Api
from scripts.benches.pages_asked import Listed
from scripts.benches.shares import below

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FIRST_PAINT_MS: Final = 500.0
WEIGHT_KB: Final = 250.0
TURNS: Final = 5
QUICK_TURNS: Final = 3
TIMEOUT_MS: Final = 30_000
AFTER_LOAD_MS: Final = 500
"""So long after it is loaded a page may ask for parts of itself."""
PAINTED: Final = """() => new Promise((resolve) => {
    const found = () => performance.getEntriesByName("first-contentful-paint")[0];
    if (found()) return resolve(found().startTime);
    new PerformanceObserver((list, observer) => {
        if (found()) { observer.disconnect(); resolve(found().startTime); }
    }).observe({ type: "paint", buffered: true });
})"""
_KB: Final = 1000


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One opening of a page by somebody who was never there before."""

    painted_ms: float
    transferred: int
    """Bytes of all its answers as they came, compressed, with their headers."""


def browser_path() -> str | None:
    """Where a Chromium is installed."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def paint_and_weight_rows(api: Api, pages: list[Listed], *, quick: bool) -> Iterator[Row]:
    """First contentful paint and weight of each page; without a browser they are not measured."""
    path = browser_path()
    if path is None:
        print(
            f"NOT MEASURED: no browser is installed ({', '.join(BROWSERS)}), so nobody saw a page",
            file=sys.stderr,
        )
    seen = _seen(api, path, pages, QUICK_TURNS if quick else TURNS) if path else {}
    for page in pages:
        yield from _rows(page.name, seen.get(page.name, []))


def _rows(name: str, found: list[Seen]) -> Iterator[Row]:
    paint, weight = f"first contentful paint: {name}", f"weight: {name}"
    if not found:
        yield Row(paint, None, "ms", f"< {FIRST_PAINT_MS:g}", None)
        yield Row(weight, None, "kB", f"< {WEIGHT_KB:g}", None)
        return
    painted = statistics.median(one.painted_ms for one in found)
    yield below(paint, painted, "ms", FIRST_PAINT_MS)
    transferred = max(one.transferred for one in found)
    yield below(weight, transferred / _KB, "kB", WEIGHT_KB)


def _seen(api: Api, path: str, pages: list[Listed], turns: int) -> dict[str, list[Seen]]:
    """By page; its browser is gone before anybody reads them."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        # The first page of a browser pays for its start.
        _open(browser, api, pages[0].addresses[0])
        found = {page.name: _opened(browser, api, page, turns) for page in pages}
        browser.close()
    return found


def _opened(browser: Browser, api: Api, page: Listed, turns: int) -> list[Seen]:
    return [
        _open(browser, api, page.addresses[turn % len(page.addresses)]) for turn in range(turns)
    ]


def _open(browser: Browser, api: Api, address: str) -> Seen:
    """In a profile of its own: nothing is cached."""
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{api.port}", viewport={"width": 1280, "height": 900}
    )
    try:
        context.set_default_timeout(TIMEOUT_MS)
        page = context.new_page()
        sizes = _counting(page)
        answer = page.goto(address, wait_until="load")
        if answer is None or not answer.ok:
            raise RuntimeError(f"{address} was answered {answer and answer.status}")
        painted: float = page.evaluate(PAINTED)
        page.wait_for_timeout(AFTER_LOAD_MS)
        return Seen(painted_ms=painted, transferred=sum(sizes))
    finally:
        context.close()


def _counting(page: Page) -> list[int]:
    """Bytes of each answer, as they come."""
    sizes: list[int] = []

    def keep(event: dict[str, Any]) -> None:
        sizes.append(int(event["encodedDataLength"]))

    debugger = page.context.new_cdp_session(page)
    debugger.send("Network.enable")
    debugger.on("Network.loadingFinished", keep)
    return sizes
