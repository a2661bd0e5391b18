"""Bytes -> raw records: JSON and NDJSON, failure by record."""

from typing import Any, Final

from app.receive.encoding import BodyTooLarge, UnreadableBody, UnsupportedBody, encoding_hint
from app.receive.lenient import decode_leniently
from app.receive.wire import wire_lines, wire_record, wire_records

NOT_JSON: Final = object()
"""Stands in the list of raw records for an NDJSON line that is no JSON value."""

_NDJSON_TYPES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_JSON_TYPES: Final = frozenset({"application/json", "text/json", "text/plain", ""})
OBJECTS_A_RECORD: Final = 16
"""As many as records hold on average, at most."""


def holds_lines(content_type: str) -> bool:
    """Whether a body of this type is NDJSON. Raises `UnsupportedBody` for what is not read."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _NDJSON_TYPES:
        return True
    if kind not in _JSON_TYPES:
        raise UnsupportedBody(
            f"Content-Type {kind!r} is not read; send application/json or application/x-ndjson"
        )
    return False


def records_of_json(body: bytes, *, most: int) -> list[Any]:
    """One object, or the items of an array, as the sender wrote them.

    Raises `UnreadableBody` with what is wrong and where, `BodyTooLarge` for more than `most`.
    """
    too_many = BodyTooLarge(
        f"the array holds more than {most:,} records; send fewer, or application/x-ndjson"
    )
    # Before decoding: millions of empty objects fit into a few megabytes, and take hundreds.
    if body.count(b"{") > most * OBJECTS_A_RECORD:
        raise too_many
    records = _records_of_json(body)
    if len(records) > most:
        raise too_many
    return records


def _records_of_json(body: bytes) -> list[Any]:
    if body.lstrip()[:1] == b"[" and (records := wire_records(body)):
        return records
    try:
        value = wire_record(body) or decode_leniently(body)
    except ValueError as error:
        # Senders forget the NDJSON type: take lines when each of the first two is a value.
        if _looks_like_lines(body):
            return records_of_lines(body)
        raise UnreadableBody(f"the body is not JSON: {error}{encoding_hint(body)}") from error
    return value if isinstance(value, list) else [value]


def records_of_lines(block: bytes) -> list[Any]:
    """The records of whole NDJSON lines; `NOT_JSON` for a line that is none."""
    return wire_lines(block) or [
        _line(line) for line in block.split(b"\n") if line and not line.isspace()
    ]


def _line(line: bytes) -> Any:
    try:
        return wire_record(line) or decode_leniently(line)
    except ValueError:
        return NOT_JSON


def _looks_like_lines(body: bytes) -> bool:
    first, _, rest = body.strip().partition(b"\n")
    second = rest.partition(b"\n")[0]
    return all(
        line.strip().startswith(b"{") and _line(line) is not NOT_JSON for line in (first, second)
    )
