"""The pictures of the README, of a service with what real scenarios left behind.

`python3 scripts/screenshots.py` writes three into `scripts/pictures/`. It needs a Chromium and the
built assets (`scripts/assets.py`).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import environment

environment.enter(environment.TEST)

import subprocess
import tempfile
import time
from base64 import b64decode
from datetime import UTC, datetime
from typing import Final, Literal

import httpx
import msgspec
from playwright.sync_api import Browser, sync_playwright

from scripts.benches.pages_seen import browser_path
from scripts.stack import ROOT, Stack, StackError, database, free_ports
from tests.browser.stage import SCENARIOS, Service, send_past

PICTURES: Final = ROOT / "scripts" / "pictures"
WIDTH: Final = 1280
HEIGHT: Final = 900
MOST_BYTES: Final = 150_000
START_SECONDS: Final = 90.0
QUALITY: Final = 85
ISSUE: Final = "raw-sql-text"


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    address: str
    scheme: Literal["light", "dark"] = "light"


def main() -> int:
    """Start everything, look at it, stop it; 1 when something is missing."""
    path = browser_path()
    if path is None:
        print("no Chromium is installed, so nobody can look at the pages", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="prodsentinel-pictures-") as directory:
        try:
            _take_all(Path(directory), path)
        except (StackError, RuntimeError) as error:
            print(error, file=sys.stderr)
            return 1
    return 0


def _take_all(directory: Path, path: str) -> None:
    with database(directory / "database") as url, Stack(directory / "logs") as stack:
        data = str(directory / "data")
        api = stack.start_api(
            url, free_ports(1)[0], PRODSENTINEL_QUIET_SECONDS="0.2", PRODSENTINEL_DATA_DIR=data
        )
        for name in SCENARIOS:
            _perform(name, api)
        send_past(api, datetime.now(UTC))
        _wait_until_told(api)
        service = Service(url=api, database_url=url)
        for picture in pictures(service):
            print(_take(path, service, picture))


def pictures(service: Service) -> tuple[Picture, ...]:
    """Those that stand in the README."""
    return (
        Picture(name="overview", address="/"),
        Picture(name="incident", address=f"/incidents/{service.incident(ISSUE)}"),
        Picture(name="chain", address=f"/chains/{service.chain(ISSUE)}", scheme="dark"),
    )


def _perform(name: str, api: str) -> None:
    command = [sys.executable, "-m", "fake_services", "scenario", name, "--url", api]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    if done.returncode:
        raise RuntimeError(f"the scenario {name} was not told: {done.stdout}{done.stderr}")


def _wait_until_told(api: str) -> None:
    """Until every chain is digested, and the records are counted."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        health = httpx.get(f"{api}/ingest/health", timeout=10).json()
        listed = httpx.get(f"{api}/api/incidents", timeout=10).json()["incidents"]
        services = httpx.get(f"{api}/api/services", timeout=10).json()["services"]
        if health["chains_waiting"] == 0 and len(listed) > len(SCENARIOS) and services:
            return
        time.sleep(0.5)
    raise RuntimeError(f"incidents and services did not show within {START_SECONDS:.0f} s")


def _take(path: str, service: Service, picture: Picture) -> str:
    """The smaller of what the browser can write; raises `RuntimeError` when that is too large."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        taken = _shots(browser, service, picture)
        browser.close()
    ending, content = min(taken.items(), key=lambda item: len(item[1]))
    if len(content) >= MOST_BYTES:
        raise RuntimeError(f"{picture.name} has {len(content):,} bytes")
    PICTURES.mkdir(exist_ok=True)
    for old in PICTURES.glob(f"{picture.name}.*"):
        old.unlink()
    place = PICTURES / f"{picture.name}.{ending}"
    place.write_bytes(content)
    return f"{place.relative_to(ROOT)}: {len(content):,} bytes"


def _shots(browser: Browser, service: Service, picture: Picture) -> dict[str, bytes]:
    page = browser.new_page(
        base_url=service.url,
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme=picture.scheme,
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    page.goto(picture.address, wait_until="load")
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(1_000)
    shown = page.context.new_cdp_session(page)
    # Sharper than JPEG around letters, at half the size.
    webp = shown.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    return {"png": page.screenshot(), "webp": b64decode(webp["data"])}


if __name__ == "__main__":
    sys.exit(main())
