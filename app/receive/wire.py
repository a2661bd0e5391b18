"""A record that follows the contract to the letter, decoded straight into its types.

Nearly all records do; this is their fast way. What does not fit falls back, record by record, to
a plain JSON value, which the room `normalise` repairs or refuses.
"""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from app.receive.lenient import decode_leniently

_Short = Annotated[str, Meta(min_length=1, max_length=200)]
_Optional = _Short | None | UnsetType

NO_ATTRIBUTES = Raw(b"{}")


class WireException(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """An exception whose stack is raw text; frames take the slow way."""

    type: Annotated[str, Meta(max_length=800)] = ""
    message: Annotated[str, Meta(max_length=16_384)] = ""
    stacktrace: Annotated[str, Meta(max_length=32_768)] = ""


class WireRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Text lengths are such that no UTF-8 form exceeds a limit; nothing here holds NUL."""

    service: _Short
    message: Annotated[str, Meta(min_length=1, max_length=16_384)]
    level: Annotated[str, Meta(max_length=20)] | int | UnsetType = UNSET
    timestamp: Annotated[str, Meta(max_length=64)] | int | float | UnsetType = UNSET
    correlation_id: _Short | UnsetType = UNSET
    record_id: UUID | UnsetType = UNSET
    environment: _Optional = UNSET
    release: _Optional = UNSET
    instance: _Optional = UNSET
    span_id: _Optional = UNSET
    parent_span_id: _Optional = UNSET
    sequence: Annotated[int, Meta(ge=0, le=2**63 - 1)] | UnsetType | None = UNSET
    exception: WireException | UnsetType | None = UNSET
    attributes: Raw = NO_ATTRIBUTES

    def as_raw(self) -> dict[str, Any]:
        """The same as a plain JSON value, for the slow way."""
        fields = msgspec.structs.asdict(self)
        given = {name: value for name, value in fields.items() if value is not UNSET}
        if self.exception:
            given["exception"] = msgspec.structs.asdict(self.exception)
        return {**given, "attributes": decode_leniently(bytes(self.attributes))}


_decode = msgspec.json.Decoder(WireRecord).decode
_decode_many = msgspec.json.Decoder(list[WireRecord]).decode
_decode_lines = msgspec.json.Decoder(WireRecord).decode_lines


def wire_record(value: bytes) -> WireRecord | None:
    """One JSON object as a record, or None when it does not follow the contract to the letter."""
    return _tried(_decode, value) if is_clean(value) else None


def wire_records(body: bytes) -> list[WireRecord] | None:
    """A JSON array of records, or None when not all of them follow the contract."""
    return _tried(_decode_many, body) if is_clean(body) else None


def wire_lines(body: bytes) -> list[WireRecord] | None:
    """NDJSON of records, or None when not all of them follow the contract."""
    return _tried(_decode_lines, body) if is_clean(body) else None


def is_clean(body: bytes) -> bool:
    """No escape that could stand for NUL; a lone surrogate is refused by the decoder itself."""
    return rb"\u0000" not in body


def _tried(decode: Any, body: bytes) -> Any:
    try:
        return decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
