"""A receiver of messages: it says 204 to each, and keeps it."""

import base64
import contextlib
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import msgspec

PATIENCE_SECONDS = 10.0


class Messages:
    """What came, and where to send it."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.port = 0

    def of_incident(self, incident_id: str) -> int:
        return sum(one["data"].get("incident_id") == incident_id for one in self.got)

    def summaries(self) -> int:
        """Messages that stand for others."""
        return sum(one["type"] == "alerts.summary" for one in self.got)

    def subscribe(self, api_port: int) -> None:
        """Have the service send its messages here; it must allow addresses of this machine."""
        target = {
            "kind": "generic",
            "url": f"http://127.0.0.1:{self.port}/",
            "secret": "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "per_minute": 600,
        }
        url = f"http://127.0.0.1:{api_port}/api/alert-targets/bench"
        httpx.put(url, json=target, timeout=PATIENCE_SECONDS).raise_for_status()


@contextlib.contextmanager
def receiver() -> Iterator[Messages]:
    """Listens on a free port of this machine."""
    messages = Messages()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            messages.got.append(msgspec.json.decode(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        messages.port = server.server_port
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield messages
        finally:
            server.shutdown()
            thread.join(PATIENCE_SECONDS)
