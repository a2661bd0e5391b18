"""The straight way of telemetry through Litestar: from the server to `accept`, and back.

What Litestar builds for a handler (a request, its parameters, a response) costs several times
what storing a record does. A request without parameters needs none of it; one that has any goes
the usual way. Both are measured here, and echo the correlation ID.
"""

import os
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ASGIApp, Message, Receive, Send

from app import metrics
from app.errors import AppError
from app.problems import problem_of, problem_of_unexpected
from app.receive.contract import Accept, Receipt
from app.receive.correlation import safe_token
from app.receive.handlers import delivery_of

_encode: Final = msgspec.json.Encoder().encode
LARGE_BYTES: Final = 64 * 1024
_UNREAD: Final = frozenset({413, 429, 503})
"""Answered before the body is read. What is left of a large one would take the line, and the
time of the process, from those that are taken: the connection is closed instead."""


def straight_ingest(accept: Accept) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware for the one handler `ingestLogs`.

    A function: Litestar copies what it registers, with all that an object would refer to.
    """

    def in_front_of(app: ASGIApp) -> ASGIApp:
        async def ingest(scope: Any, receive: Receive, send: Send) -> None:
            way_back = _WayBack(scope, send)
            if scope["method"] != "POST" or scope["query_string"]:
                await app(scope, receive, way_back.send)
                return
            try:
                receipt = await accept(delivery_of(scope, receive))
            except AppError as error:
                await _tell_problem(problem_of(error), scope, receive, way_back.send)
            except Exception as error:  # noqa: BLE001 - it is logged, and answered like any other
                problem = problem_of_unexpected(error)
                await _tell_problem(problem, scope, receive, way_back.send)
            else:
                await _tell(receipt, way_back.send)

        return ingest

    return in_front_of


async def _tell(receipt: Receipt, send: Send) -> None:
    body = _encode(receipt)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": HTTPStatus.ACCEPTED, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def _tell_problem(
    problem: ProblemDetailsException, scope: Any, receive: Receive, send: Send
) -> None:
    request = Request[Any, Any, Any](scope, receive, send)
    response = problem.to_response(request)
    await response.to_asgi_response(app=None, request=request)(scope, receive, send)


class _WayBack:
    """Measures one request, and echoes its correlation ID."""

    def __init__(self, scope: Any, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._started = time.perf_counter()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            sent = next((v for n, v in self._scope["headers"] if n == b"x-correlation-id"), b"")
            echoed = safe_token(sent.decode("latin-1")) or os.urandom(16).hex()
            added = [(b"x-correlation-id", echoed.encode())]
            if message["status"] in _UNREAD and self._body_is_large():
                added.append((b"connection", b"close"))
            message["headers"] = [*message["headers"], *added]
            metrics.INGEST_REQUESTS.labels(status=str(int(message["status"]))).inc()
            metrics.INGEST_SECONDS.observe(time.perf_counter() - self._started)
        await self._send(message)

    def _body_is_large(self) -> bool:
        length = next((v for n, v in self._scope["headers"] if n == b"content-length"), b"")
        return not length.isdigit() or int(length) > LARGE_BYTES
