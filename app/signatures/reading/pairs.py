"""`key=value` lines: logfmt, klog, and what consoles put behind a message."""

import re
from typing import Any

_PAIR = re.compile(r'(?<!\S)([A-Za-z_@][\w.@-]*+)=("(?:[^"\\]|\\.)*+"|\S*+)', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r"}
_QUOTED = re.compile(
    r"(?:[IWEF]\d{4} \d\d:\d\d:\d\d\.\d++ ++\d++ [\w.-]++:\d++\] )?"
    r'("(?:[^"\\]|\\.)*+")(?= *[A-Za-z_]\w*=|$)',
    re.DOTALL,
)
"""klog's message stands in quotes before its fields."""
_KNOWN = ("level", "lvl", "severity", "msg", "message", "event", "err", "error", "ts", "time")
_MAX_PAIRS = 200


def read_pairs(text: str) -> dict[str, Any] | None:
    """The fields of a line; None for prose that merely holds an `a=b`."""
    quoted = _QUOTED.match(text)
    start = quoted.end() if quoted else 0
    fields: dict[str, Any] = {}
    first = len(text)
    for found in _PAIR.finditer(text, start):
        first = min(first, found.start())
        fields.setdefault(found[1].lower(), unquoted(found[2]))
        if len(fields) >= _MAX_PAIRS:
            break
    if quoted:
        return {**fields, "msg": unquoted(quoted[1])}
    known = sum(1 for key in _KNOWN if key in fields)
    if known > 1 or "msg" in fields or "err" in fields:
        return fields
    lead = text[:first].strip()
    if lead and 'error="' in text and fields.get("error"):
        # The message of a console writer stands bare before its fields.
        return {**fields, "msg": lead}
    return None


def unquoted(value: str) -> str:
    """A quoted value as it was before; any other as it is."""
    if value[:1] != '"' or len(value) < len('""') or value[-1] != '"':
        return value
    return _ESCAPED.sub(lambda found: _CONTROLS.get(found[1], found[1]), value[1:-1])
