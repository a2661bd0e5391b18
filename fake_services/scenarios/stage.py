"""What a scenario works with: services, requests, processes, a database, telemetry."""

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import httpx
from litestar.handlers import HTTPRouteHandler

from fake_services.scenarios import processes
from fake_services.scenarios.database import own_database
from fake_services.scenarios.hosting import bound_socket, hosted
from fake_services.scenarios.processes import Child, Finished
from fake_services.service import build_service
from fake_services.settings import LONGEST_TIMEOUT, Settings
from fake_services.spans import Span, current_span, open_span
from fake_services.telemetry import Telemetry

REQUEST_SECONDS: Final = 15.0
PROCESS_SECONDS: Final = 20.0


class Stage:
    """Holds everything that one scenario starts, and stops it in the opposite order.

    `chains` are the correlation IDs that show the failure, in the order they began.
    """

    def __init__(self, name: str, prodsentinel_url: str, *, database_url: str = "") -> None:
        self.chains: list[str] = []
        self._name = name
        self._prodsentinel_url = prodsentinel_url
        self._database_url = database_url
        self._telemetry: dict[str, list[Telemetry]] = {}
        self._open = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        directory = tempfile.TemporaryDirectory(prefix="scenario-", ignore_cleanup_errors=True)
        self.scratch = Path(self._open.enter_context(directory))
        self._client = await self._open.enter_async_context(
            httpx.AsyncClient(timeout=REQUEST_SECONDS, trust_env=False)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def service(self, name: str, *routes: HTTPRouteHandler, **settings: Any) -> str:
        """Starts a service that speaks as `name`; its base URL.

        Its handlers may take `context: InContext`. An error that leaves a handler is logged and
        answered 500, a failing call to another service 502. `settings` are fields of `Settings`.
        """
        listening = self._open.enter_context(bound_socket())
        port = int(listening.getsockname()[1])
        telemetry = self._speaker(name, port, **settings)
        application = build_service(
            self._settings(name, port, **settings), routes, telemetry=telemetry
        )
        await self._open.enter_async_context(hosted(application, listening))
        return f"http://127.0.0.1:{port}"

    def telemetry(self, name: str, **settings: Any) -> Telemetry:
        """Speaks for a service without HTTP, such as a job; use it within `span()`."""
        speaker = self._speaker(name, 0, **settings)
        speaker.start()
        self._open.push_async_callback(speaker.stop)
        return speaker

    @contextlib.contextmanager
    def span(self) -> Iterator[Span]:
        """A chain begins here; within another span a part of its chain.

        Requests and telemetry within the block belong to it.
        """
        outer = current_span.get()
        headers = outer.headers() if outer else {"x-correlation-id": self._chain()}
        span = open_span(headers["x-correlation-id"], headers.get("traceparent"))
        token = current_span.set(span)
        try:
            yield span
        finally:
            current_span.reset(token)

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        goes_well: bool = False,
    ) -> httpx.Response:
        """Sends one request: within a span as its child, else as a chain of its own.

        One that `goes_well` leads up to the failure and is not kept in `chains`. Any status is an
        answer; raises `httpx.TransportError` when there is none.
        """
        span = current_span.get()
        chain = span.headers() if span else {"x-correlation-id": self._chain(kept=not goes_well)}
        sent = {**chain, **(headers or {})}
        return await self._client.request(method, url, headers=sent, json=json, content=content)

    async def process(
        self,
        *command: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        seconds: float = PROCESS_SECONDS,
    ) -> Finished:
        """Runs a process to its end; raises `TimeoutError` after so many seconds."""
        child = await self.start(*command, cwd=cwd, env=env)
        return await child.finished(seconds)

    async def start(
        self, *command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> Child:
        """Starts a process that is ended with the stage; in the scratch directory, if not told."""
        child = await processes.start(*command, cwd=cwd or self.scratch, env=env or {})
        self._open.push_async_callback(child.stop)
        return child

    async def database(self) -> str:
        """`postgresql+asyncpg://` URL of an empty PostgreSQL database that ends with the stage."""
        opened = own_database(self._database_url, self.scratch)
        return await self._open.enter_async_context(opened)

    def errors_of(self, service: str) -> tuple[str, ...]:
        """What the service told as errors, stacks included, oldest first."""
        return tuple(text for one in self._telemetry.get(service, []) for text in one.errors)

    @property
    def lost(self) -> int:
        """Log records for ProdSentinel that it did not take."""
        return sum(one.lost for speakers in self._telemetry.values() for one in speakers)

    def _chain(self, *, kept: bool = True) -> str:
        chain = f"scenario-{self._name}-{secrets.token_hex(6)}"
        if kept:
            self.chains.append(chain)
        return chain

    def _speaker(self, name: str, port: int, **settings: Any) -> Telemetry:
        speaker = Telemetry(self._settings(name, port, **settings))
        # One that is misled on purpose may lose what it says.
        if "prodsentinel_url" not in settings:
            self._telemetry.setdefault(name, []).append(speaker)
        return speaker

    def _settings(self, name: str, port: int, **settings: Any) -> Settings:
        given: dict[str, Any] = {
            "prodsentinel_url": self._prodsentinel_url,
            "telemetry_timeout": LONGEST_TIMEOUT,
            "payment_url": "",
            "inventory_url": "",
            "database_url": "",
            "environment": "scenario",
            "release": "scenarios@1",
        }
        return Settings(**{**given, "service": name, "port": port, **settings})
