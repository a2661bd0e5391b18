"""One service with what real scenarios left behind, and one real Chromium, for all tests here.

Both are of the package's scope: Playwright holds an event loop of this thread until it ends.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from app.embedded import EmbeddedServer
from app.migrate import migrate
from scripts.stack import ROOT, Stack, free_ports
from tests.browser.stage import BROWSERS, SCENARIOS, Service, send_past

START_SECONDS = 60.0
VIOLATIONS = """
    document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`policy violated: ${event.violatedDirective} by ${event.blockedURI}`);
    });
"""


@pytest.fixture(scope="package")
def service() -> Iterator[Service]:
    """The service on its own port and database, once the digest has told of all scenarios."""
    with (
        tempfile.TemporaryDirectory(prefix="prodsentinel-browser-") as directory,
        _database(Path(directory) / "database") as url,
        Stack(Path(directory) / "logs") as stack,
    ):
        port = free_ports(1)[0]
        api = stack.start_api(
            url,
            port,
            PRODSENTINEL_QUIET_SECONDS="0.2",
            # The receivers of alerts are on this machine, too.
            PRODSENTINEL_ALERT_PRIVATE_TARGETS="true",
            PRODSENTINEL_DATA_DIR=str(Path(directory) / "data"),
        )
        started = Service(url=api, database_url=url)
        for name in SCENARIOS:
            _perform(name, api)
        send_past(api, datetime.now(UTC))
        _wait_for_incidents(api)
        yield started


@pytest.fixture(scope="package")
def empty_service() -> Iterator[Service]:
    """One that no record was ever sent to."""
    with (
        tempfile.TemporaryDirectory(prefix="prodsentinel-browser-") as directory,
        _database(Path(directory) / "database") as url,
        Stack(Path(directory) / "logs") as stack,
    ):
        data = str(Path(directory) / "data")
        api = stack.start_api(url, free_ports(1)[0], PRODSENTINEL_DATA_DIR=data)
        _wait_for_catalogue(api)
        yield Service(url=api, database_url=url)


@contextmanager
def _database(directory: Path) -> Iterator[str]:
    server = EmbeddedServer(directory)
    try:
        # In a thread of its own: migrations run a loop, and the browser's holds this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(migrate, server.url).result()
        yield server.url
    finally:
        server.stop()


def _perform(name: str, api: str) -> None:
    command = [sys.executable, "-m", "fake_services", "scenario", name, "--url", api]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _wait_for_catalogue(api: str) -> None:
    """Compiling the documents takes a while after the very first start."""
    deadline = time.monotonic() + START_SECONDS
    while not httpx.get(f"{api}/ingest/health", timeout=10).json()["known_issues"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _wait_for_incidents(api: str) -> None:
    """One of each scenario, and those of the errors that nobody wrote about."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        found = httpx.get(f"{api}/api/incidents", timeout=10).json()["incidents"]
        waiting = httpx.get(f"{api}/ingest/health", timeout=10).json()["chains_waiting"]
        if waiting == 0 and len(found) > len(SCENARIOS):
            return
        time.sleep(0.1)
    pytest.fail(f"only {len(found)} incidents after {START_SECONDS:.0f} s")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield launched
        launched.close()


@pytest.fixture
def errors() -> list[str]:
    """What the pages of this test wrote as errors; a test may take out what it expects."""
    return []


@pytest.fixture
def page(browser: Browser, service: Service, errors: list[str]) -> Iterator[Page]:
    """A tab of its own at the service; a test whose pages wrote errors has failed."""
    context = browser.new_context(base_url=service.url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    context.add_init_script(VIOLATIONS)
    opened = context.new_page()
    opened.on("console", lambda message: _keep(errors, message))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


def _keep(errors: list[str], message: ConsoleMessage) -> None:
    if message.type == "error":
        errors.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures go: `$SCREENSHOTS`, else a temporary folder; never in here."""
    chosen = os.environ.get("SCREENSHOTS")
    folder = Path(chosen) if chosen else Path(tempfile.gettempdir()) / "prodsentinel-screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
