"""A JSON object whose end was cut off: closed again where it can be."""

import re
from typing import Any

import msgspec

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+("?)|[{}\[\],]|[^"{}\[\],]++', re.DOTALL)
_HALF_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
_DEEPEST = 100


def close(text: str) -> Any:
    """The value of a JSON text that ends too early, as far as it goes; None when it is no such."""
    closers, comma = "", (0, "")
    for found in _TOKEN.finditer(text):
        piece = found[0]
        if piece in "{[":
            closers = ("}" if piece == "{" else "]") + closers
            if len(closers) > _DEEPEST:
                return None
            comma = (found.end(), closers)
        elif piece in "}]":
            if piece != closers[:1]:
                return None
            closers = closers[1:]
            if not closers:
                return None
        elif piece == ",":
            comma = (found.start(), closers)
        elif piece[0] == '"' and not found[1]:
            whole = _HALF_ESCAPE.sub("", text) + '"' + closers
            return _decoded(whole) or _decoded(text[: comma[0]] + comma[1])
    return _decoded(text + closers) or _decoded(text[: comma[0]] + comma[1])


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
