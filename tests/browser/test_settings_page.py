"""Settings in a browser: a target made, tested against a real receiver, changed and deleted."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.looking import AXE, PHONE, serious_findings, sideways
from tests.browser.stage import Service

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@contextmanager
def receiver(status: int, says: str) -> Iterator[tuple[str, list[bytes]]]:
    """Its address, and the bodies that came."""
    got: list[bytes] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(says)))
            self.end_headers()
            self.wfile.write(says.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fill(page: Page, name: str, url: str) -> None:
    page.goto("/settings")
    page.get_by_role("link", name="Add a target").first.click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("URL").fill(url)
    page.get_by_label("Secret").fill(SECRET)
    page.get_by_role("button", name="Add").click()


def test_the_test_button_sends_a_message_and_shows_the_answer(
    page: Page, service: Service, screenshots: Path
) -> None:
    with receiver(200, "well received") as (url, got):
        fill(page, "on-call", url)
        page.get_by_role("listitem").filter(has_text="on-call").get_by_role(
            "button", name="Test"
        ).click()
        expect(page.get_by_text("Delivered", exact=True)).to_be_visible()

    expect(page.get_by_text("well received")).to_be_visible()
    assert len(got) == 1
    assert service.get("/api/alert-targets/on-call").json()["has_secret"] is True
    page.goto("/settings")
    assert not AXE.is_file() or serious_findings(page) == []
    page.screenshot(path=screenshots / "settings-target-light.png", full_page=True)
    page.set_viewport_size({"width": PHONE, "height": 740})
    assert sideways(page) == (0, [])


def test_a_receiver_that_refuses_is_told_with_its_words(page: Page, screenshots: Path) -> None:
    with receiver(410, "this hook is gone") as (url, _):
        fill(page, "gone", url)
        page.goto("/settings/targets/gone")
        page.get_by_role("button", name="Send a test message").click()
        expect(page.get_by_role("status")).to_contain_text("Not delivered")

    expect(page.get_by_role("status")).to_contain_text("HTTP 410")
    page.screenshot(path=screenshots / "target-refused-light.png", full_page=True)


def test_a_target_is_changed_and_deleted(page: Page, service: Service) -> None:
    fill(page, "brief", "https://alerts.example.com/hook")
    page.get_by_role("link", name="brief").click()
    page.get_by_label("Most messages a minute").fill("3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name="Where alerts go")).to_be_visible()
    changed = service.get("/api/alert-targets/brief").json()

    page.get_by_role("link", name="brief").click()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Where alerts go")).to_be_visible()

    assert changed["per_minute"] == 3
    assert service.get("/api/alert-targets/brief").status_code == 404


def test_what_is_wrong_in_the_form_is_said_in_it(page: Page, errors: list[str]) -> None:
    fill(page, "wrong", "https://user:word@alerts.example.com/hook")

    expect(page.get_by_role("alert")).to_contain_text("It was not saved.")
    expect(page.get_by_label("Name")).to_have_value("wrong")
    errors[:] = [one for one in errors if "status of 400" not in one]


def test_a_threshold_is_made_by_keyboard(page: Page, service: Service) -> None:
    page.goto("/settings")
    page.get_by_label("Id of the entry").focus()

    page.keyboard.type("raw-sql-text")
    page.keyboard.press("Tab")
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="raw-sql-text")).to_be_visible()

    (stored,) = service.get("/api/alert-thresholds").json()
    assert stored["chains_per_hour"] == 12
