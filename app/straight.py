"""The straight way of telemetry through Litestar: from the server to `accept`, and back.

What Litestar builds for a handler (a request, its parameters, a response) costs several times
what storing a record does. A request without parameters needs none of it; one that has any goes
the usual way. Both are measured here, and echo the correlation ID.
"""

import time
import uuid
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.types import ASGIApp, Message, Receive, Send

from app import metrics
from app.errors import AppError
from app.problems import problem_of
from app.receive.contract import Accept
from app.receive.correlation import safe_token
from app.receive.handlers import delivery_of

_encode: Final = msgspec.json.Encoder().encode


class StraightIngest:
    """Middleware of the one handler `ingestLogs`."""

    def __init__(self, accept: Accept, *, idle_seconds: float) -> None:
        self._accept = accept
        self._idle_seconds = idle_seconds

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """The handler of Litestar, with this in front of it."""

        async def ingest(scope: Any, receive: Receive, send: Send) -> None:
            measured = _Measured(scope, send)
            if scope["method"] == "POST" and not scope["query_string"]:
                await self._straight(scope, receive, measured.send)
            else:
                await app(scope, receive, measured.send)

        return ingest

    async def _straight(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            delivery = delivery_of(scope, receive, idle_seconds=self._idle_seconds)
            body = _encode(await self._accept(delivery))
        except AppError as error:
            request = Request[Any, Any, Any](scope, receive, send)
            response = problem_of(error).to_response(request)
            await response.to_asgi_response(app=None, request=request)(scope, receive, send)
            return
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ]
        await send(
            {"type": "http.response.start", "status": HTTPStatus.ACCEPTED, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body, "more_body": False})


class _Measured:
    """The way back of one request."""

    def __init__(self, scope: Any, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            sent = next((v for n, v in self._scope["headers"] if n == b"x-correlation-id"), b"")
            echoed = safe_token(sent.decode("latin-1")) or uuid.uuid4().hex
            message["headers"] = [*message["headers"], (b"x-correlation-id", echoed.encode())]
            metrics.INGEST_REQUESTS.labels(status=str(int(message["status"]))).inc()
            metrics.INGEST_SECONDS.observe(time.perf_counter() - self._started)
        await self._send(message)
