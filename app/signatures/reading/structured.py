"""Log lines that are data: JSON objects and logfmt (`key=value`)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from app.normalise.record import Frame, ReportedException
from app.signatures.reading.codes import ERRNO
from app.signatures.reading.cut import close
from app.signatures.reading.limits import MAX_ERRORS, MAX_FRAMES
from app.signatures.reading.pairs import read_pairs

_MESSAGES = (
    "message",
    "msg",
    "@m",
    "@mt",
    "event",
    "log",
    "short_message",
    "textpayload",
    "body",
    "text",
)
_ERRORS = (
    "exception",
    "error",
    "err",
    "exc_info",
    "exc",
    "thrown",
    "throwable",
    "@x",
    "failure",
    "reason",
)
_STACKS = (
    "stack_trace",
    "stacktrace",
    "stack",
    "traceback",
    "backtrace",
    "exc_text",
    "errorverbose",
    "full_message",
    "extendedstacktrace",
)
_TYPES = ("type", "name", "class", "exc_type", "error_type", "exception_type", "kind", "errortype")
_TEXTS = ("message", "msg", "exc_value", "error_message", "value", "reason", "description", "error")
_CAUSES = ("cause", "causes", "inner", "innerexception", "inner_exception", "previous")
_FRAMES = ("frames", "stack", "stacktrace", "stack_trace", "backtrace")
_CODES = (
    "sqlstate",
    "pgcode",
    "sql_state",
    "state_code",
    "errno",
    "code",
    "error_code",
    "errorcode",
)
_LINE_KEYS = ("level", "lvl", "severity", "loglevel", "@l", "@timestamp", "timestamp", "time", "ts")
"""What an object that is a log line of its own says beside its message."""
_STATUSES = ("status", "status_code", "statuscode", "http_status", "http.status_code")
_SEVERITIES = frozenset({"WARNING", "ERROR", "FATAL", "PANIC"})
_NOTHING = frozenset({"", "<nil>", "nil", "null", "none", "None", "-", "false", "False", "true"})
_CODE = re.compile(r"[A-Z][A-Z0-9_]{2,40}$|[0-9][0-9A-Z]{4}$")
_MAX_CAUSES = 20
_MAX_LINES = 20_000
_LONGEST_CODE = 100_000
_SUCCESSES = range(100, 400)
_LOWEST_ERROR, _HIGHEST_STATUS = 400, 599

Fields = Mapping[str, Any]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A log line taken out of its wrapping."""

    format: str
    """`json` or `keyvalue`."""
    message: str
    chain: tuple[ReportedException, ...] = ()
    """What its fields tell of an exception, root cause first."""
    code: str = ""


def open_envelope(text: str) -> Envelope | None:
    """The line's fields as an envelope; None when it is no data, or data of another kind."""
    text = text.strip()
    if text[:1] == "{":
        fields = _decoded(text)
        if fields is not None:
            return _envelope(fields, "json")
        if "\n{" in text:
            return _open_lines(text)
        fields = _lowered(close(text)) if text[:2] == '{"' else None
        return None if fields is None else _envelope(fields, "json")
    if "\n" in text:
        return None
    if '{"' in text and (envelope := _open_behind(text)) is not None:
        return envelope
    fields = read_pairs(text) if "=" in text or '"' in text else None
    return None if fields is None else _envelope(fields, "keyvalue")


def _open_behind(text: str) -> Envelope | None:
    """An object behind something else: a whole log line, or the fields of the message before."""
    start = text.find('{"')
    fields = _decoded(text[start:])
    if fields is None:
        return None
    if any(key in fields for key in _LINE_KEYS):
        return _envelope(fields, "json")
    if _text(fields, _MESSAGES) or not _chain(fields):
        return None
    return _envelope({**fields, "message": text[:start].strip()}, "json")


def _decoded(text: str) -> Fields | None:
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return _lowered(value)


def _lowered(value: Any) -> Fields | None:
    return {key.lower(): v for key, v in value.items()} if isinstance(value, dict) else None


def _open_lines(text: str) -> Envelope | None:
    """One object a line, as Docker stores them: the first error among them, else their texts."""
    said: list[str] = []
    for line in text.split("\n")[:_MAX_LINES]:
        fields = _decoded(line) if line[:1] == "{" else None
        envelope = _envelope(fields, "json") if fields is not None else None
        if envelope is None:
            continue
        if envelope.chain:
            return envelope
        said.append(envelope.message.removesuffix("\n"))
    return Envelope(format="json", message="\n".join(said)) if said else None


def _envelope(fields: Fields, format_: str) -> Envelope | None:
    message = _text(fields, (*_MESSAGES, "errormessage"))
    chain = _chain(fields)
    if not message and not chain:
        return None
    return Envelope(format=format_, message=message, chain=chain, code=_code(fields))


def _text(fields: Fields, keys: Iterable[str]) -> str:
    for key in keys:
        value = fields.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def _chain(fields: Fields) -> tuple[ReportedException, ...]:
    for key in _ERRORS:
        value = fields.get(key)
        if isinstance(value, dict):
            chain = _from_object(value)
        elif isinstance(value, list):
            chain = _from_list(value)
        elif isinstance(value, str) and value.strip() not in _NOTHING and key != "reason":
            chain = _from_text(value, fields)
        else:
            continue
        if chain:
            return chain
    return _from_dotted(fields) or _from_stack(fields) or _from_database(fields)


def _from_text(value: str, fields: Fields) -> tuple[ReportedException, ...]:
    """The error as one text; its stack may stand in another field."""
    if "\n" in value:
        return (ReportedException(stacktrace=value),)
    type_ = _text(fields, ("error_type", "exception_type", "exc_type", "errortype", "error.type"))
    return (ReportedException(type=type_, message=value, stacktrace=_text(fields, _STACKS)),)


def _from_stack(fields: Fields) -> tuple[ReportedException, ...]:
    """A stack without an error beside it; AWS Lambda names type and message differently."""
    stack = _text(fields, _STACKS) or _joined(fields.get("stacktrace"))
    type_, message = _text(fields, ("errortype",)), _text(fields, ("errormessage",))
    if not (stack or type_):
        return ()
    return (ReportedException(type=type_, message=message, stacktrace=stack),)


def _joined(value: Any) -> str:
    if not isinstance(value, list):
        return ""
    return "\n".join(line.rstrip("\n") for line in value[:MAX_FRAMES] if isinstance(line, str))


def _from_database(fields: Fields) -> tuple[ReportedException, ...]:
    """PostgreSQL's `jsonlog`."""
    severity = fields.get("error_severity")
    if not isinstance(severity, str) or severity not in _SEVERITIES:
        return ()
    message, detail = _text(fields, ("message",)), _text(fields, ("detail",))
    whole = f"{message}\nDETAIL:  {detail}" if detail else message
    return (ReportedException(type=severity, message=whole),)


def _from_dotted(fields: Fields) -> tuple[ReportedException, ...]:
    """ECS and OpenTelemetry: `error.message`, `exception.stacktrace`, also among attributes."""
    attributes = fields.get("attributes")
    if isinstance(attributes, dict):
        fields = {**attributes, **fields}
    for prefix in ("exception.", "error."):
        inner = {key[len(prefix) :]: v for key, v in fields.items() if key.startswith(prefix)}
        chain = _from_object(inner) if inner else ()
        if chain:
            return chain
    return ()


def _from_object(value: Mapping[str, Any]) -> tuple[ReportedException, ...]:
    """An error object and its nested causes: followed, not recursed into."""
    chain: list[ReportedException] = []
    current: Any = value
    while isinstance(current, dict) and len(chain) < _MAX_CAUSES:
        fields = {str(key).lower(): v for key, v in current.items()}
        values = fields.get("values")
        if isinstance(values, list) and not chain:
            return _from_list(values, root_first=True)
        reported = _reported(fields)
        if reported is not None:
            chain.append(reported)
        current = next((fields[key] for key in _CAUSES if fields.get(key)), None)
        if isinstance(current, list):
            current = current[0] if current else None
    if isinstance(current, str) and chain:
        chain.append(ReportedException(message=current))
    return tuple(reversed(chain))


def _from_list(values: Sequence[Any], *, root_first: bool = False) -> tuple[ReportedException, ...]:
    """structlog lists the last raised exception first, Sentry the root cause."""
    found = [
        reported
        for value in values[:MAX_ERRORS]
        if isinstance(value, dict)
        and (reported := _reported({str(key).lower(): v for key, v in value.items()}))
    ]
    return tuple(found if root_first else reversed(found))


def _reported(fields: Fields) -> ReportedException | None:
    type_, message = _text(fields, _TYPES), _text(fields, _TEXTS)
    stack: str | tuple[Frame, ...] = _text(fields, _STACKS)
    if not stack:
        stack = next((frames for key in _FRAMES if (frames := _frames(fields.get(key)))), ())
    if not (type_ or message or stack):
        return None
    return ReportedException(type=type_, message=message, stacktrace=stack or "")


def _frames(value: Any) -> tuple[Frame, ...]:
    """A list of frame objects, outermost first."""
    if isinstance(value, dict):
        value = value.get("frames")
    if not isinstance(value, list):
        return ()
    items = value if len(value) <= MAX_FRAMES else value[-MAX_FRAMES:]
    return tuple(_frame(item) for item in items if isinstance(item, dict))


def _frame(item: Mapping[str, Any]) -> Frame:
    fields = {str(key).lower(): v for key, v in item.items()}
    line = next((fields[k] for k in ("lineno", "line", "line_number") if k in fields), None)
    if isinstance(line, str) and line.isdecimal() and line.isascii() and len(line) < 10:  # noqa: PLR2004
        line = int(line)
    source = _text(fields, ("context_line", "source_line"))
    return Frame(
        function=_text(fields, ("function", "name", "func", "method")) or "?",
        module=_text(fields, ("filename", "file", "module", "source", "abs_path", "class")) or "?",
        line=line if isinstance(line, int) else None,
        source=source.strip() or None,
    )


def _code(fields: Fields) -> str:
    inner: Fields = next((fields[key] for key in _ERRORS if isinstance(fields.get(key), dict)), {})
    for holder in (fields, {str(key).lower(): v for key, v in inner.items()}):
        for key in _CODES:
            value = holder.get(key)
            if isinstance(value, str) and _CODE.match(value):
                return value
            if code := _number_code(value, is_errno=key == "errno"):
                return code
        for key in _STATUSES:
            status = _status(holder.get(key))
            if status:
                return status
    return ""


def _number_code(value: Any, *, is_errno: bool) -> str:
    """A vendor's number, gRPC's status: neither success nor an id."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 5:  # noqa: PLR2004 -- more digits make an id
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < abs(value) < _LONGEST_CODE:
        return ""
    if is_errno:
        return ERRNO.get(abs(value), str(value))
    return "" if value in _SUCCESSES else str(value)


def _status(value: Any) -> str:
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdecimal():  # noqa: PLR2004
        value = int(value)
    if isinstance(value, int) and _LOWEST_ERROR <= value <= _HIGHEST_STATUS:
        return str(value)
    return ""
