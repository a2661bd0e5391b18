"""The fire-and-forget sender: a request never waits for it and never fails because of it."""

import asyncio
import itertools
import os
import secrets
import traceback
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import Any, Final

import httpx
import msgspec
import structlog

from fake_services.settings import Settings
from fake_services.spans import current_span

MOST_IN_FLIGHT: Final = 64
ACCEPTED: Final = 202
REMEMBERED_ERRORS: Final = 20

log = structlog.get_logger()


class ReportedException(msgspec.Struct, frozen=True, kw_only=True):
    """An exception as Python tells it."""

    type: str
    message: str
    stacktrace: str


class LogRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of telemetry, as `POST /ingest/logs` takes it."""

    service: str
    message: str
    level: str
    timestamp: datetime
    record_id: uuid.UUID
    environment: str
    release: str
    instance: str
    sequence: int
    correlation_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    exception: ReportedException | None = None
    attributes: dict[str, str | int | float] = {}


class Telemetry:
    """Sends log records in the background, each as one task, at most `MOST_IN_FLIGHT` at once.

    A record beyond that, or one that ProdSentinel does not take in time, is lost and counted;
    its sequence number is spent all the same, so ProdSentinel sees the gap.
    """

    def __init__(self, settings: Settings) -> None:
        self.lost = 0
        self.errors: deque[str] = deque(maxlen=REMEMBERED_ERRORS)
        """The latest errors told of, with their stacks; whether they arrived or not."""
        self._settings = settings
        self._instance = f"{settings.service}-{os.getpid()}-{secrets.token_hex(4)}"
        self._sequence = itertools.count(1)
        # The loop holds tasks only weakly: without this set a send can vanish half way.
        self._sends: set[asyncio.Task[None]] = set()
        self._client: httpx.AsyncClient | None = None
        self._losing = False

    def start(self) -> None:
        """Make ready to send; opens no connection yet."""
        self._client = httpx.AsyncClient(
            base_url=self._settings.prodsentinel_url,
            timeout=self._settings.telemetry_timeout,
            limits=httpx.Limits(max_connections=MOST_IN_FLIGHT),
            trust_env=False,
        )

    async def stop(self) -> None:
        """Let sends under way end, which takes at most the timeout, then close."""
        await self.flush()
        if self._client is not None:
            await self._client.aclose()

    async def flush(self) -> None:
        """Wait until sends under way have ended; not longer than one may take."""
        if self._sends:
            await asyncio.wait(self._sends, timeout=self._settings.telemetry_timeout + 0.5)

    def info(self, message: str, **attributes: str | float) -> None:
        """Report that something went as it should."""
        self._send(self._record("INFO", message, None, attributes))

    def warning(self, message: str, **attributes: str | float) -> None:
        """Report what went on nevertheless."""
        self._send(self._record("WARNING", message, None, attributes))

    def error(
        self, message: str, error: BaseException | None = None, **attributes: str | float
    ) -> None:
        """Report `error`, with the traceback that Python holds for it.

        Without one the message says it all, as the output of a process that failed does.
        """
        told = _report(error) if error else None
        self.errors.append(f"{message}\n{told.stacktrace if told else ''}")
        self._send(self._record("ERROR", message, told, attributes))

    def _record(
        self,
        level: str,
        message: str,
        exception: ReportedException | None,
        attributes: dict[str, Any],
    ) -> LogRecord:
        span = current_span.get()
        return LogRecord(
            service=self._settings.service,
            message=message,
            level=level,
            timestamp=datetime.now(UTC),
            record_id=uuid.uuid4(),
            environment=self._settings.environment,
            release=self._settings.release,
            instance=self._instance,
            sequence=next(self._sequence),
            correlation_id=span.correlation_id if span else None,
            span_id=span.span_id if span else None,
            parent_span_id=span.parent_span_id if span else None,
            exception=exception,
            attributes=attributes,
        )

    def _send(self, record: LogRecord) -> None:
        if self._client is None or len(self._sends) >= MOST_IN_FLIGHT:
            self._lose("too_many_in_flight")
            return
        task = asyncio.create_task(self._post(self._client, record))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _post(self, client: httpx.AsyncClient, record: LogRecord) -> None:
        try:
            body = msgspec.json.encode(record)
            # httpx bounds each phase by itself; this bounds all of them together.
            async with asyncio.timeout(self._settings.telemetry_timeout):
                answer = await client.post(
                    "/ingest/logs", content=body, headers={"content-type": "application/json"}
                )
        except (httpx.HTTPError, TimeoutError, UnicodeEncodeError) as error:
            self._lose(type(error).__name__)
            return
        if answer.status_code == ACCEPTED:
            self._losing = False
        else:
            self._lose(f"status_{answer.status_code}")

    def _lose(self, reason: str) -> None:
        self.lost += 1
        if not self._losing:  # once per outage: a line per record would be an outage of its own
            self._losing = True
            log.warning("telemetry_lost", reason=reason, target=self._settings.prodsentinel_url)


def _report(error: BaseException) -> ReportedException:
    kind = type(error)
    named = kind.__qualname__ if kind.__module__ == "builtins" else _dotted(kind)
    return ReportedException(
        type=named, message=str(error), stacktrace="".join(traceback.format_exception(error))
    )


def _dotted(kind: type[BaseException]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
