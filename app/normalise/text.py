"""Text and JSON values made safe for PostgreSQL, which holds no NUL, no lone surrogate, no NaN."""

import json
import math
import operator
import re
from typing import Any, Final

import msgspec

_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
_INT64: Final = 2**63
_encode = msgspec.json.Encoder().encode

MAX_DEPTH: Final = 64


def storable(text: str) -> tuple[str, bool]:
    """The text with NUL and lone surrogates replaced, and whether there were any."""
    if text.isascii() and "\x00" not in text:
        return text, False
    repaired, count = _UNSTORABLE.subn(_REPLACEMENT, text)
    return repaired, count > 0


def cut_bytes(text: str, limit: int) -> str:
    """The longest start of the text whose UTF-8 form has at most `limit` bytes."""
    if len(text) * 4 <= limit:
        return text
    encoded = text.encode("utf-8", "surrogatepass")
    if len(encoded) <= limit:
        return text
    return encoded[:limit].decode("utf-8", "ignore")


def storable_json(value: Any) -> tuple[Any, bool]:
    """The value as jsonb can hold it, and whether anything had to be replaced.

    Numbers outside 64 bits become text, as do NaN and the infinities; what is nested deeper
    than 64 becomes its JSON text.
    """
    repaired = _repair_json(value, 0)
    return repaired, repaired is not value


def _repair_json(value: Any, depth: int) -> Any:
    """The same object when nothing was wrong, so that the common case copies nothing."""
    if isinstance(value, str):
        return storable(value)[0]
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return _as_text(value)
    if isinstance(value, dict):
        return _repair_object(value, depth)
    if isinstance(value, list):
        items = [_repair_json(item, depth + 1) for item in value]
        return value if all(map(operator.is_, value, items)) else items
    infinite = isinstance(value, float) and not math.isfinite(value)
    huge = isinstance(value, int) and not -_INT64 <= value < _INT64
    return str(value) if infinite or huge else value


def _repair_object(value: dict[str, Any], depth: int) -> dict[str, Any]:
    fixed = {storable(key)[0]: _repair_json(item, depth + 1) for key, item in value.items()}
    same = fixed.keys() == value.keys() and all(map(operator.is_, value.values(), fixed.values()))
    return value if same else fixed


def _as_text(value: Any) -> str:
    try:
        return json.dumps(value, default=str)
    except RecursionError:
        return "<nested too deep>"


def json_text(value: Any) -> str:
    """The value as compact JSON text; the one encoder for JSON columns."""
    return _encode(value).decode()
