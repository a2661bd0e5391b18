"""Who is asking, and on whose behalf: correlation ID, trace and span of a request.

The wire format of `traceparent` is W3C Trace Context, section 3.2.
"""

import hashlib
import re
import secrets
from contextvars import ContextVar
from typing import Final

import msgspec

_SAFE_TOKEN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,127}")
_TRACEPARENT: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

current_span: ContextVar["Span | None"] = ContextVar("current_span", default=None)


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One request in one service."""

    correlation_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None = None

    def headers(self) -> dict[str, str]:
        """Headers that make the next service a child of this span."""
        return {
            "x-correlation-id": self.correlation_id,
            "traceparent": f"00-{self.trace_id}-{self.span_id}-01",
        }


def open_span(correlation_id: str | None, traceparent: str | None) -> Span:
    """A new span; an unusable correlation ID or `traceparent` is replaced, never refused."""
    correlation = correlation_id or ""
    if not _SAFE_TOKEN.fullmatch(correlation):
        correlation = f"req-{secrets.token_hex(12)}"
    trace_id, parent = _parse(traceparent or "")
    return Span(
        correlation_id=correlation,
        trace_id=trace_id or hashlib.sha256(correlation.encode()).hexdigest()[:32],
        span_id=secrets.token_hex(8),
        parent_span_id=parent,
    )


def _parse(traceparent: str) -> tuple[str | None, str | None]:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or not found[1].strip("0") or not found[2].strip("0"):
        return None, None
    return found[1], found[2]
