"""What the three services have in common: correlation, telemetry, calling on, failing."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
import structlog
from litestar import Litestar, Request, Response, get
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.di import NamedDependency, Provide
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.exceptions.responses import create_exception_response
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from fake_services.settings import Settings
from fake_services.spans import Span, current_span, open_span
from fake_services.telemetry import Telemetry

CALL_TIMEOUT = 5.0

log = structlog.get_logger()


class Downstream:
    """HTTP to the next service, on behalf of the request being handled."""

    def __init__(self) -> None:
        self._client: httpx.AsyncClient | None = None

    def start(self) -> None:
        """Make ready to call; opens no connection yet."""
        self._client = httpx.AsyncClient(timeout=CALL_TIMEOUT, trust_env=False)

    async def stop(self) -> None:
        """Close pooled connections."""
        if self._client is not None:
            await self._client.aclose()

    async def post(
        self, url: str, *, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON object answered; raises `httpx.HTTPError` when there is none."""
        if self._client is None:
            raise httpx.TransportError(f"not started, cannot call {url}")
        span = current_span.get()
        sent = {**(span.headers() if span else {}), **(headers or {})}
        answer = await self._client.post(url, headers=sent, json=json)
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=dict[str, Any])


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler works with; arrives as the dependency `context`."""

    settings: Settings
    telemetry: Telemetry
    downstream: Downstream


InContext = NamedDependency[Context]


class Correlate(ASGIMiddleware):
    """Opens a span for every request, reports its begin and end, echoes the correlation ID."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        headers = Headers.from_scope(scope)
        span = open_span(headers.get("x-correlation-id"), headers.get("traceparent"))
        token = current_span.set(span)
        try:
            await self._reported(scope, receive, _echoing(send, span), next_app)
        finally:
            current_span.reset(token)

    async def _reported(
        self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp
    ) -> None:
        if scope["path"] == "/health":
            await next_app(scope, receive, send)
            return
        what = {"method": str(scope.get("method")), "path": scope["path"]}
        started = time.perf_counter()
        answered = 0

        async def watching(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = message["status"]
            await send(message)

        self._telemetry.info(f"{what['method']} {what['path']} received", **what)
        await next_app(scope, receive, watching)
        self._telemetry.info(
            f"{what['method']} {what['path']} answered {answered}",
            status=answered,
            duration_ms=round((time.perf_counter() - started) * 1000, 3),
            **what,
        )


def build_service(
    settings: Settings,
    routes: Sequence[HTTPRouteHandler],
    *,
    telemetry: Telemetry | None = None,
) -> Litestar:
    """The ASGI application of one service; nothing opens before it starts."""
    telemetry = telemetry or Telemetry(settings)
    context = Context(settings=settings, telemetry=telemetry, downstream=Downstream())
    return Litestar(
        route_handlers=[health, *routes],
        dependencies={"context": Provide(lambda: context, sync_to_thread=False)},
        middleware=[Correlate(context.telemetry)],
        exception_handlers={Exception: _failing(context)},
        lifespan=[_running(context)],
        openapi_config=None,
        logging_config=None,
    )


@get("/health", sync_to_thread=False)
def health(context: InContext) -> dict[str, str | int]:
    """Always 200 while the process answers; says how much telemetry it lost."""
    return {
        "service": context.settings.service,
        "status": "ok",
        "telemetry_lost": context.telemetry.lost,
    }


def _running(context: Context) -> Any:
    @asynccontextmanager
    async def running(_: Litestar) -> AsyncIterator[None]:
        context.telemetry.start()
        context.downstream.start()
        log.info("service_starting", service=context.settings.service, port=context.settings.port)
        try:
            yield
        finally:
            await context.downstream.stop()
            await context.telemetry.stop()
            log.info("service_stopped", service=context.settings.service)

    return running


def _failing(context: Context) -> Any:
    """Turns an error into 500, or into 502 when it was the next service that failed."""

    def fail(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        if isinstance(error, HTTPException):
            return create_exception_response(request, error)
        context.telemetry.error(f"{request.method} {request.url.path} failed", error)
        status = 502 if isinstance(error, httpx.HTTPError) else 500
        span = current_span.get()
        body = {
            "error": type(error).__name__,
            "correlation_id": span.correlation_id if span else "",
        }
        return Response(body, status_code=status)

    return fail


def _echoing(send: Send, span: Span) -> Send:
    async def echo(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableScopeHeaders.from_message(message)["x-correlation-id"] = span.correlation_id
        await send(message)

    return echo
