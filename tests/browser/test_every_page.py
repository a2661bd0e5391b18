"""What holds for every page. Add yours to `PAGES`."""

from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import msgspec
import pytest
from playwright.sync_api import Page

from tests.browser.looking import AXE, PHONE, serious_findings, sideways
from tests.browser.stage import Service


class Listed(msgspec.Struct, frozen=True):
    """A page: its name as a file's, its address with places to fill in, and what it must say."""

    name: str
    address: str
    title: str
    status: int = 200


UNKNOWN: Final = "ZoneMissing: no tariff for zone QX-… (tariff)"
NOBODY: Final = "00000000-0000-4000-8000-000000000000"
PAGES: Final = (
    Listed("overview", "/", "Overview"),
    Listed("overview-week", "/?hours=168", "Overview"),
    Listed("incidents", "/incidents", "Incidents"),
    Listed("incidents-none", "/incidents?status=muted", "Incidents"),
    Listed("first-record", "/first-record", "First record"),
    Listed("chain", "/chains/{chain}", "Chain {chain}"),
    Listed("chain-unknown", "/chains/{unknown_chain}", "Chain {unknown_chain}"),
    Listed("chain-gone", "/chains/never-seen", "There is nothing here", 404),
    Listed("logs", "/logs", "Logs"),
    Listed(
        "logs-narrow", "/logs?q=level:error&columns=service&columns=attr.order_id&wrap=yes", "Logs"
    ),
    Listed("logs-nothing", "/logs?q=nothing-like-this+service:nobody&from=-1h", "Logs"),
    Listed("logs-unreadable", "/logs?q=service:payment+level:foo", "Logs", 400),
    Listed("logs-no-time", "/logs?from=noon", "Logs", 400),
    Listed("logs-over-time", "/logs/histogram?q=level:error", "Logs over time"),
    Listed("logs-values", "/logs/facets", "Values of log records"),
    Listed("logs-record", "/logs/record?{record}", "Log record"),
    Listed("logs-saved", "/logs/saved?q=level:error", "Saved searches"),
    Listed("incident", "/incidents/{known}", "A plain string where SQLAlchemy expects SQL"),
    Listed("incident-unknown", "/incidents/{unknown}?suggest=yes", UNKNOWN),
    Listed("incident-draft", "/incidents/{unknown}/draft", "New entry"),
    Listed("incident-gone", f"/incidents/{NOBODY}", "There is nothing here", 404),
    Listed("catalogue", "/catalogue", "Catalogue"),
    Listed("catalogue-none", "/catalogue?q=walrus", "Catalogue"),
    Listed(
        "catalogue-entry", "/catalogue/raw-sql-text", "A plain string where SQLAlchemy expects SQL"
    ),
    Listed("catalogue-debt", "/catalogue/documents/missing", "Documentation debt"),
    Listed(
        "document",
        "/catalogue/documents/python-services.md?entry=raw-sql-text",
        "python-services.md",
    ),
    Listed("document-gone", "/catalogue/documents/nobody.md", "There is nothing here", 404),
    Listed("catalogue-import", "/catalogue/documents/new", "Import documents"),
    Listed("ask", "/ask", "Ask"),
    Listed("ask-unknown", "/ask?text=webhook+signature+differs", "Ask"),
    Listed("settings", "/settings", "Settings"),
    Listed("settings-target", "/settings/targets", "New target"),
    Listed("not-found", "/nothing-here", "There is nothing here", 404),
    Listed("bad-cursor", "/incidents?after=made-up", "This address cannot be read", 400),
)
"""In addresses `{known}` and `{unknown}` are incidents, `{chain}` and `{unknown_chain}` chains."""


def filled(address: str, service: Service) -> str:
    """The address with the names of what is stored."""
    if "{known}" in address:
        address = address.replace("{known}", service.incident("raw-sql-text"))
    if "{unknown}" in address:
        address = address.replace("{unknown}", service.incident(None))
    if "{chain}" in address:
        address = address.replace("{chain}", service.chain("raw-sql-text"))
    if "{unknown_chain}" in address:
        address = address.replace("{unknown_chain}", service.chain(None))
    if "{record}" in address:
        named = urlencode(service.record("has:exception"))
        address = address.replace("{record}", named)
    return address


def expected_errors(errors: list[str], status: int) -> None:
    """The browser itself writes that a page answered with an error."""
    if status != 200:
        errors[:] = [one for one in errors if f"status of {status}" not in one]


@pytest.mark.parametrize("listed", PAGES, ids=lambda listed: listed.name)
def test_a_page_says_what_it_is_and_is_readable_by_all(
    listed: Listed, page: Page, service: Service, errors: list[str], screenshots: Path
) -> None:
    answer = page.goto(filled(listed.address, service))

    assert answer is not None
    assert answer.status == listed.status
    assert page.title() == f"{filled(listed.title, service)} · ProdSentinel"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=screenshots / f"{listed.name}-{scheme}.png", full_page=True)
        assert not AXE.is_file() or serious_findings(page) == []
    expected_errors(errors, listed.status)
    if not AXE.is_file():
        pytest.skip("axe was not built, so nothing looked for what some cannot read")


@pytest.mark.parametrize("listed", PAGES, ids=lambda listed: listed.name)
def test_a_page_fits_a_phone(
    listed: Listed, page: Page, service: Service, errors: list[str], screenshots: Path
) -> None:
    page.set_viewport_size({"width": PHONE, "height": 740})
    page.goto(filled(listed.address, service))

    assert sideways(page) == (0, [])
    page.screenshot(path=screenshots / f"{listed.name}-phone.png", full_page=True)
    expected_errors(errors, listed.status)
