"""What an error's message says of its identity, before values are masked in it."""

import re
from collections.abc import Sequence

from app.signatures.model import RaisedError

_FEWEST_WORDS = 3
"""A text with fewer words says too little alone: `EOF`, `timeout`."""
_LONGEST_LINE = 4_096
_FIELD = re.compile(r"\n\s*+(?:Detail|Hint|Where|LINE \d++)\s?: |\s(?:DETAIL|HINT|CONTEXT): ")
"""PostgreSQL and its drivers tell the row, the advice and the place below the message."""
_ROW_MARKS = ("DETAIL: ", "Detail: ", "HINT: ", "Hint: ", "CONTEXT: ", "LINE ", "Where: ")
_KEY = re.compile(r"\bKey \(([^()\n]{1,200}+)\)=\(.{0,1000}?\)(?= (?:already|is|conflicts)|\.|$)")
_ROW = re.compile(r"Failing row contains \(.{0,1000}?\)(?=\.|$)")
_NUMBERED = re.compile(r"""((?:\([\w.]++\) )?)\(-?\d{1,6}, (?:"([^\n]*)"|'([^\n]*)')\)$""")
"""A driver's pair of code and text: `(1213, "Deadlock found")`. The code stands by itself."""
_WORD = re.compile(r"(?<![<\w])[A-Za-z]{2,}(?![>\w])")
_UNTYPED = frozenset({"", "Error", "error"})
"""What anyhow and Go put where others name a type."""


def spoken(message: str) -> str:
    """The message without the values of the row that it happened to."""
    if message[:1] == "(" and message[-1:] == ")":
        message = _NUMBERED.sub(lambda found: found[1] + (found[2] or found[3] or ""), message)
    if any(mark in message for mark in _ROW_MARKS):
        found = _FIELD.search(message, 1)
        message = message[: found.start()] if found else message
    if "=(" in message:
        message = _KEY.sub(r"Key (\1)=(<str>)", message)
    if "Failing row" in message:
        message = _ROW.sub("Failing row contains (<str>)", message)
    return message


def is_untyped(errors: Sequence[RaisedError]) -> bool:
    """Whether messages are all that this chain has: no type and no call tells it from others."""
    return not any(error.frames or error.type not in _UNTYPED for error in errors) and (
        len(errors) > 1 or not errors[0].type
    )


def whole(errors: Sequence[RaisedError]) -> str:
    """The chain as one text, outermost first; Go's messages already hold those of their causes."""
    said = ""
    for error in reversed(errors):
        message = error.message.strip()
        if not said:
            said = message
        elif message and not said.endswith(message):
            said = f"{said}: {message}"
    return said


def says_little(masked: str) -> bool:
    """Whether a masked text is too short to be an identity."""
    words = _WORD.finditer(masked[:_LONGEST_LINE])
    return sum(1 for _, _ in zip(range(_FEWEST_WORDS), words, strict=False)) < _FEWEST_WORDS
