"""One raw record -> one `LogRecord`, repaired where that is possible, refused where it is not."""

from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_OID, UUID, uuid5

from app.normalise.context import Context, new_record_id
from app.normalise.letter import MAX_ATTRIBUTE_BYTES, read_wire
from app.normalise.levels import parse_level
from app.normalise.record import Frame, LogRecord, Refused, ReportedException, Severity
from app.normalise.repairs import Refusal, Repair
from app.normalise.text import cut_bytes, json_text, storable, storable_json
from app.normalise.times import clock_annotation, parse_time
from app.receive.correlation import safe_token
from app.receive.wire import WireRecord

MAX_MESSAGE_BYTES: Final = 64 * 1024
MAX_STACK_BYTES: Final = 128 * 1024
MAX_FIELD_CHARACTERS: Final = 200
MAX_FRAMES: Final = 500
_MISSING: Final = object()


def normalise(raw: object, index: int, context: Context) -> LogRecord | Refused:
    """Repair what can be repaired, marking it in `annotations`; refuse the rest by index."""
    if isinstance(raw, WireRecord):
        return read_wire(raw, index, context) or _read(raw.as_raw(), index, context)
    if not isinstance(raw, dict):
        return Refused(index=index, reason=Refusal.NOT_AN_OBJECT)
    return _read(raw, index, context)


def _read(raw: dict[str, Any], index: int, context: Context) -> LogRecord | Refused:
    return _Reading(raw, index, context).record()


class _Reading:
    """The fields of one raw record, taken one by one; what is left over becomes attributes."""

    def __init__(self, raw: dict[str, Any], index: int, context: Context) -> None:
        self.raw = raw
        self.rest = dict(raw)
        self.index = index
        self.context = context
        self.repairs: list[str] = []

    def record(self) -> LogRecord | Refused:
        service = self.take("service", "service_name")
        if service is _MISSING:
            return Refused(index=self.index, reason=Refusal.SERVICE_MISSING)
        if not isinstance(service, str) or not 0 < len(service.strip()) <= MAX_FIELD_CHARACTERS:
            return Refused(index=self.index, reason=Refusal.SERVICE_INVALID)
        exception = self.exception()
        message = self.message(exception)
        if message is None:
            return Refused(index=self.index, reason=Refusal.MESSAGE_MISSING)
        level = self.level(exception)
        occurred_at, timed = self.time()
        record_id, identified = self.record_id()
        return LogRecord(
            service=self.storable(service.strip()),
            message=message,
            level=level,
            occurred_at=occurred_at,
            received_at=self.context.received_at,
            record_id=record_id,
            correlation_id=self.correlation_id(record_id),
            environment=self.short_text("environment"),
            release=self.short_text("release"),
            instance=self.short_text("instance"),
            span_id=self.short_text("span_id"),
            parent_span_id=self.short_text("parent_span_id"),
            sequence=self.sequence(),
            fingerprint=self.fingerprint(),
            exception=exception,
            attributes=self.attributes(),
            annotations=tuple(dict.fromkeys(self.repairs)),
            resent_by_identity=identified and not timed,
        )

    def take(self, *names: str) -> Any:
        """The first of these fields that says something; what is left stays an attribute.

        Bridges between formats send every field they know, and null where they have nothing.
        """
        empty = [name for name in names if self.rest.get(name, _MISSING) in (None, "")]
        for name in empty:
            del self.rest[name]
        return next((self.rest.pop(name) for name in names if name in self.rest), _MISSING)

    def keep(self, name: str, value: object, repair: Repair) -> None:
        """Note a repair, and keep what the sender wrote among the attributes."""
        self.repairs.append(repair)
        self.rest.setdefault(name, value)

    def storable(self, text: str) -> str:
        text, repaired = storable(text)
        if repaired:
            self.repairs.append(Repair.TEXT_REPAIRED)
        return text

    def cut(self, text: str, limit: int, repair: Repair) -> str:
        text = self.storable(text)
        short = cut_bytes(text, limit)
        if short is not text:
            self.repairs.append(repair)
        return short

    def message(self, exception: ReportedException | None) -> str | None:
        value = self.take("message")
        if value is _MISSING:
            if exception is None:
                return None
            self.repairs.append(Repair.MESSAGE_FROM_EXCEPTION)
            value = ": ".join(filter(None, (exception.type, exception.message))) or "exception"
        if not isinstance(value, str):
            self.repairs.append(Repair.MESSAGE_NOT_TEXT)
            value = json_text(storable_json(value)[0])
        return self.cut(value, MAX_MESSAGE_BYTES, Repair.MESSAGE_CUT)

    def level(self, exception: ReportedException | None) -> Severity:
        value = self.take("level")
        if value is _MISSING:
            return Severity.ERROR if exception else Severity.INFO
        severity = parse_level(value)
        if severity is None:
            self.keep("level", value, Repair.LEVEL_UNKNOWN)
            # An exception under a level nobody knows must not sink among the INFO lines.
            return Severity.ERROR if exception else Severity.INFO
        return severity

    def time(self) -> tuple[datetime, bool]:
        """When it occurred, and whether the sender said so."""
        value = self.take("timestamp")
        received_at = self.context.received_at
        if value is _MISSING:
            return received_at, False
        parsed = parse_time(value)
        if parsed is None:
            self.keep("timestamp", value, Repair.TIME_UNREADABLE)
            return received_at, False
        occurred_at, zone_missing = parsed
        if zone_missing:
            self.repairs.append(Repair.TIME_WITHOUT_ZONE)
        far = clock_annotation(occurred_at, received_at=received_at)
        if far:
            self.repairs.append(far)
        return occurred_at, True

    def record_id(self) -> tuple[UUID, bool]:
        """The record's own ID, and whether the sender chose it."""
        value = self.take("record_id", "signal_id", "event_id")
        if value is _MISSING:
            return new_record_id(self.context.received_at, self.index), False
        try:
            return UUID(value), True
        except (ValueError, TypeError, AttributeError):
            # Of the whole record: it may be a number that many records share, as the event IDs of
            # Windows are. The same record sent twice is still stored once.
            self.keep("record_id", value, Repair.RECORD_ID_DERIVED)
            return uuid5(NAMESPACE_OID, json_text(storable_json(self.raw)[0])), True

    def correlation_id(self, record_id: UUID) -> str:
        value = self.take("correlation_id", "trace_id")
        token = safe_token(value)
        if token:
            return token
        if value is not _MISSING:
            self.keep("correlation_id", value, Repair.CORRELATION_ID_UNSAFE)
        return self.context.correlation_id or str(record_id)

    def short_text(self, name: str) -> str | None:
        value = self.take(name)
        if value is _MISSING:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str):
            self.keep(name, value, Repair.FIELD_UNREADABLE)
            return None
        if len(value) > MAX_FIELD_CHARACTERS:
            self.repairs.append(Repair.FIELD_CUT)
        return self.storable(value[:MAX_FIELD_CHARACTERS])

    def sequence(self) -> int | None:
        value = self.take("sequence")
        if value is _MISSING:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
            return value
        self.keep("sequence", value, Repair.FIELD_UNREADABLE)
        return None

    def fingerprint(self) -> tuple[str, ...]:
        value = self.take("fingerprint")
        if value is _MISSING:
            return ()
        parts = [value] if isinstance(value, str) else value
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
            return tuple(self.storable(part[:MAX_FIELD_CHARACTERS]) for part in parts[:16])
        self.keep("fingerprint", value, Repair.FIELD_UNREADABLE)
        return ()

    def exception(self) -> ReportedException | None:
        value = self.take("exception")
        if value in (_MISSING, {}):
            return None
        if isinstance(value, str):
            value = {"stacktrace": value}
        if not isinstance(value, dict):
            self.keep("exception", value, Repair.FIELD_UNREADABLE)
            return None
        parts = dict(value)

        def part(*names: str) -> object:
            """As this contract names it, or as other senders do; the rest stays an attribute."""
            return next((parts.pop(name) for name in names if parts.get(name)), None)

        exception = ReportedException(
            type=self.exception_text(part("type", "class", "name"), MAX_FIELD_CHARACTERS * 4),
            message=self.exception_text(part("message", "value"), MAX_MESSAGE_BYTES),
            stacktrace=self.stacktrace(part("stacktrace", "stack_trace", "stack", "frames")),
        )
        if parts:
            self.rest.setdefault("exception", parts)
        return exception

    def exception_text(self, value: object, limit: int) -> str:
        if value is None:
            return ""
        text = value if isinstance(value, str) else json_text(storable_json(value)[0])
        return self.cut(text, limit, Repair.EXCEPTION_CUT)

    def stacktrace(self, value: object) -> str | tuple[Frame, ...]:
        if isinstance(value, dict) and isinstance(value.get("frames"), list):
            value = value["frames"]
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            return self.frames(value)
        if isinstance(value, list):
            value = "\n".join(str(item) for item in value)
        text = "" if value is None else value if isinstance(value, str) else str(value)
        text = self.storable(text)
        start = cut_bytes(text, MAX_STACK_BYTES)
        if start is text:
            return text
        # Both ends speak: one holds the entry, the other the origin, whatever the language.
        self.repairs.append(Repair.EXCEPTION_CUT)
        half = MAX_STACK_BYTES // 2
        end = cut_bytes(text[-half:][::-1], half)[::-1]
        return f"{cut_bytes(text, half)}\n…\n{end}"

    def frames(self, items: list[dict[str, Any]]) -> tuple[Frame, ...]:
        if len(items) > MAX_FRAMES:
            self.repairs.append(Repair.EXCEPTION_CUT)
            items = items[: MAX_FRAMES // 2] + items[-MAX_FRAMES // 2 :]
        return tuple(self.frame(item) for item in items)

    def frame(self, item: dict[str, Any]) -> Frame:
        def text(*names: str) -> str:
            value = next((item[name] for name in names if item.get(name)), "")
            return self.storable(str(value)[:1000])

        line = next((item[name] for name in ("line", "lineno") if name in item), None)
        return Frame(
            function=text("function", "method", "name") or "?",
            module=text("module", "filename", "file", "abs_path") or "?",
            line=line if isinstance(line, int) and 0 <= line < 2**31 else None,
            source=text("source", "context_line") or None,
        )

    def attributes(self) -> str:
        own = self.rest.pop("attributes", None)
        if isinstance(own, dict):
            # A field beside `attributes` and one inside it may share a name: both are kept.
            twice = {f"{name} (outside)": self.rest.pop(name) for name in own if name in self.rest}
            merged = {**self.rest, **own, **twice}
        else:
            merged = self.rest if own is None else {**self.rest, "attributes": own}
        safe, repaired = storable_json(merged)
        if repaired:
            self.repairs.append(Repair.TEXT_REPAIRED)
        return self.within_budget(safe)

    def within_budget(self, attributes: dict[str, Any]) -> str:
        whole = json_text(attributes)
        if len(whole) <= MAX_ATTRIBUTE_BYTES:
            return whole
        self.repairs.append(Repair.ATTRIBUTES_CUT)
        kept, used = {}, 0
        for name, value in attributes.items():
            size = len(json_text({name: value}))
            if used + size <= MAX_ATTRIBUTE_BYTES:
                used += size
                kept[name] = value
        return json_text(kept)
