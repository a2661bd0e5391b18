"""Levels as services write them -> the six severities.

Numbers 0-7 are syslog severities (RFC 5424, section 6.2.1); 8-24 are OpenTelemetry severity
numbers (logs data model, "Field: SeverityNumber"). OTel's 1-7 would collide with syslog and are
read as syslog, because OTel senders use the OTLP protocol and not this field. Above them stand
the numbers of Python's `logging`: 30, 40, 50.
"""

from typing import Final

from app.normalise.record import Severity

_NAMES: Final = {
    Severity.TRACE: ("trace", "trc", "finest", "finer", "verbose", "silly"),
    Severity.DEBUG: ("debug", "dbg", "fine", "d"),
    Severity.INFO: ("info", "information", "informational", "notice", "log", "config", "i"),
    Severity.WARNING: ("warning", "warn", "wrn", "w"),
    Severity.ERROR: ("error", "err", "severe", "e"),
    Severity.CRITICAL: ("critical", "crit", "fatal", "alert", "emergency", "emerg", "panic"),
}
_BY_NAME: Final = {name: severity for severity, names in _NAMES.items() for name in names}
_AS_WRITTEN: Final = {**{name.upper(): one for name, one in _BY_NAME.items()}, **_BY_NAME}
_SYSLOG: Final = (
    *(Severity.CRITICAL,) * 3,
    Severity.ERROR,
    Severity.WARNING,
    *(Severity.INFO,) * 2,
    Severity.DEBUG,
)
_OTEL: Final = tuple(severity for severity in Severity for _ in range(4))
_PYTHON: Final = {30: Severity.WARNING, 40: Severity.ERROR, 50: Severity.CRITICAL}
_BY_NUMBER: Final = {**dict(enumerate((*_SYSLOG, *_OTEL[len(_SYSLOG) - 1 :]))), **_PYTHON}
_BY_DIGITS: Final = {str(number): severity for number, severity in _BY_NUMBER.items()}


def parse_level(level: object) -> Severity | None:
    """The severity a sender meant, or None when nobody knows."""
    if isinstance(level, str):
        if level in _AS_WRITTEN:
            return _AS_WRITTEN[level]
        word = level.strip().lower()
        return _BY_NAME.get(word) or _BY_DIGITS.get(word)
    if isinstance(level, int) and not isinstance(level, bool):
        return _BY_NUMBER.get(level)
    return None
