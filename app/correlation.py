"""One correlation ID for each request to the service itself: bound to its logs, echoed."""

import time
import uuid
from typing import Any

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from app.receive.correlation import correlation_of_request, safe_token

log = structlog.get_logger(__name__)


class CorrelationMiddleware(ASGIMiddleware):
    """Also writes the request's line: method, path, status, seconds; never headers or bodies."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        # Whoever sends the header wants it back, whatever a tracing library put beside it.
        own = safe_token(headers.get(b"x-correlation-id"))
        correlation_id = own or correlation_of_request(headers) or uuid.uuid4().hex
        started = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableScopeHeaders.from_message(message)["X-Correlation-ID"] = correlation_id
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=correlation_id):
            await next_app(scope, receive, send_with_id)
            _log_request(scope, status, time.perf_counter() - started)


def _log_request(scope: Any, status: int, seconds: float) -> None:
    # Telemetry is the bulk of the traffic: a line for each request would double it.
    quiet = scope["path"].startswith(("/ingest", "/metrics")) and status < 400  # noqa: PLR2004
    write = log.debug if quiet else log.info
    write(
        "request",
        method=scope["method"],
        path=scope["path"],
        status=status,
        seconds=round(seconds, 4),
    )
