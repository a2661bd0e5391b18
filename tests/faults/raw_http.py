"""Requests as no HTTP client would send them: bytes on a socket, and what comes back."""

import contextlib
import json
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the server said; no status when it only closed the connection."""

    status: int | None = None
    headers: dict[str, str] = {}
    body: bytes = b""

    @property
    def detail(self) -> str:
        """What a problem details answer says."""
        with contextlib.suppress(ValueError):
            return str(json.loads(self.body).get("detail", ""))
        return ""


@contextlib.contextmanager
def connected(url: str, *, seconds: float = 15) -> Iterator[socket.socket]:
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=seconds) as opened:
        yield opened


def head(*lines: str, path: str = "/ingest/logs") -> bytes:
    """The start of a POST: request line and headers."""
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: test", *lines, "", "")).encode()


def read_answer(opened: socket.socket) -> Answer:
    """One answer, to its announced end."""
    with contextlib.suppress(ConnectionError), opened.makefile("rb") as stream:
        first = stream.readline()
        if not first:
            return Answer()
        headers: dict[str, str] = {}
        while (line := stream.readline().strip()) and b":" in line:
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers["content-length"])) if "content-length" in headers else b""
        return Answer(status=int(first.split()[1]), headers=headers, body=body)
    return Answer()


def ask(url: str, request: bytes, *, seconds: float = 15) -> Answer:
    """Send these bytes as they are and read one answer."""
    with connected(url, seconds=seconds) as opened:
        # A server that has heard enough may answer and close before the end.
        with contextlib.suppress(ConnectionError):
            opened.sendall(request)
        return read_answer(opened)
