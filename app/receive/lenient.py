"""JSON as senders really write it -> Python values."""

import json
from typing import Any, Final

import msgspec

_LONGEST_NUMBER: Final = 1000
_decode = msgspec.json.Decoder().decode


def decode_leniently(body: bytes) -> Any:
    """msgspec first; what it refuses but a repair can save goes through the standard library.

    Lone surrogates, NaN, numbers beyond a double and broken UTF-8 are such; the room
    `normalise` makes them storable. Raises ValueError naming the place.
    """
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = body.decode("utf-8-sig", "replace")
        return _decode_slowly(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _decode_slowly(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_parse_int)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except json.JSONDecodeError as error:
        if not text.strip():
            raise ValueError("it is empty") from error
        place = f"{error.msg} at line {error.lineno}, column {error.colno}"
        lines = "; several lines are sent as application/x-ndjson"
        raise ValueError(place + (lines if "Extra data" in place else "")) from error


def _parse_int(digits: str) -> int | str:
    """Python refuses to read more than 4,300 digits; no column holds such a number either."""
    return int(digits) if len(digits) < _LONGEST_NUMBER else digits
