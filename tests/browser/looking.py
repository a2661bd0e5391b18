"""What is asked of every page: no serious finding of axe, no sideways scroll."""

from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

AXE: Final = Path(__file__).resolve().parent / "built" / "axe.min.js"
PHONE: Final = 360
_RUN: Final = """async () => {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map((one) => ({
        id: one.id, impact: one.impact, help: one.help,
        nodes: one.nodes.map((node) => node.html.slice(0, 200) + " " + node.failureSummary),
    }));
}"""
_WIDER: Final = """(width) => [...document.querySelectorAll("body *")]
    .filter((one) => one.getBoundingClientRect().right > width + 1
        && !one.closest(".scroll, pre, .top nav, .unseen, [data-scrolls]"))
    .slice(0, 5).map((one) => one.outerHTML.slice(0, 160))"""


def serious_findings(page: Page) -> list[dict[str, Any]]:
    """What axe calls serious or critical, as it is drawn now."""
    # Through the debugger, which the page's policy does not hold back.
    page.evaluate(f"() => {{ {AXE.read_text()} }}")
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [one for one in found if one["impact"] in {"serious", "critical"}]


def sideways(page: Page) -> tuple[int, list[str]]:
    """By how many pixels the page is wider than the window, and what sticks out."""
    width = page.evaluate("document.documentElement.clientWidth")
    over = max(0, page.evaluate("document.documentElement.scrollWidth") - width)
    outside: list[str] = page.evaluate(_WIDER, width)
    return over, outside
