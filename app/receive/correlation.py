"""Correlation IDs: what is a safe one, and which one a request gives to its records."""

import re
from collections.abc import Mapping
from typing import Final

is_safe: Final = re.compile(r"[A-Za-z0-9._:/@+=~-]{1,128}").fullmatch
_TRACEPARENT: Final = re.compile(
    r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?"
).fullmatch
_ZERO_TRACE: Final = "0" * 32
_ZERO_SPAN: Final = "0" * 16


def safe_token(value: object) -> str | None:
    """The value as a correlation ID, or None when it is none: 1-128 of `A-Za-z0-9._:/@+=~-`."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if abs(value) < 10**40 else ""
    if isinstance(value, str) and is_safe(value):
        return value
    return None


def trace_id_of(traceparent: str) -> str | None:
    """The trace ID of a W3C Trace Context header (section 3.2), or None when it is invalid."""
    found = _TRACEPARENT(traceparent.strip())
    if not found:
        return None
    version, trace_id, span_id, rest = found.groups()
    # A later version may append fields; version 00 may not, and ff is forbidden.
    invalid = version == "ff" or (version == "00" and rest is not None)
    if invalid or trace_id == _ZERO_TRACE or span_id == _ZERO_SPAN:
        return None
    return str(trace_id)


def correlation_of_request(headers: Mapping[bytes, str]) -> str | None:
    """The correlation ID a request's headers give to the records in it that name none.

    The names are those of ASGI: bytes in lower case.
    """
    traceparent = headers.get(b"traceparent")
    return (
        (traceparent and trace_id_of(traceparent))
        or safe_token(headers.get(b"x-correlation-id"))
        or safe_token(headers.get(b"x-request-id"))
    )
