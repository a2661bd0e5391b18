"""Patterns in the syntax of RE2, written in that of PostgreSQL. Pure.

PostgreSQL's engine can hang where RE2 cannot: by back references and by captured groups. RE2
compiles each pattern first, within little memory; what it takes is written without either, piece
by piece, so that the server's automaton runs alone; what the two read differently is refused.
Filtering rows here instead would leave histogram, facets and deletion without patterns.

Syntax: https://github.com/google/re2/wiki/Syntax; PostgreSQL manual, section 9.7.3.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import re2

LONGEST: Final = 500
MOST_MEMORY: Final = 1 << 18
MOST_REPEATS: Final = 255
"""PostgreSQL's DUPMAX."""

_PIECE: Final = re.compile(
    r"""
    (?P<group>\((?:\?:|\?P?<\w+>)?) |
    (?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??) |
    (?P<set>\[\^?\]?(?:\\.|[^\]\\])*\]) |
    (?P<escape>\\(?:x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|.)) |
    (?P<mark>[).^$|]) |
    (?P<plain>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD: Final = "[0-9A-Za-z_]"
_SPACE: Final = r"\t\n\f\r "
_INSIDE: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": _SPACE}
_OUTSIDE: Final = {
    **{name: f"[{inside}]" for name, inside in _INSIDE.items()},
    **{name.upper(): f"[^{inside}]" for name, inside in _INSIDE.items()},
    "b": f"(?:(?<={_WORD})(?!{_WORD})|(?<!{_WORD})(?={_WORD}))",
    "A": "^",
    "z": "$",
}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_ANCHORS: Final = frozenset({"^", "$", "\\b", "\\A", "\\z"})


def check_pattern(pattern: str) -> None:
    """Raises `ValueError`, whose text says what to change."""
    to_postgresql(pattern)


def to_postgresql(pattern: str) -> str:
    """The pattern as an advanced regular expression. Raises `ValueError`."""
    if not pattern:
        raise ValueError("the pattern is empty; write one between the slashes")
    if len(pattern) > LONGEST or "\0" in pattern:
        raise ValueError(f"a pattern has at most {LONGEST} characters and no NUL; shorten it")
    _compile(pattern)
    flags, rest = _flags(pattern)
    dot = "." if "s" in flags else r"[^\n]"
    written = "".join(_written(rest, dot))
    # The director makes it advanced whatever it begins with, and takes the options behind it.
    return f"***:(?{'i' if 'i' in flags else 'c'}){written}"


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MOST_MEMORY
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        reason = error.args[0] if isinstance(error, re2.error) and error.args else "not UTF-8"
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"RE2 does not compile this pattern: {said}") from error


def _flags(pattern: str) -> tuple[str, str]:
    found = re.match(r"\(\?([a-zA-Z]+)\)", pattern)
    if not found:
        return "", pattern
    if set(found[1]) - set("is"):
        raise ValueError(f"the flags (?{found[1]}) are not known here; (?i) and (?s) are")
    return found[1], pattern[found.end() :]


def _written(pattern: str, dot: str) -> Iterator[str]:
    before = ""
    for found in _PIECE.finditer(pattern):
        kind, piece = str(found.lastgroup), found[0]
        if kind == "repeat":
            if before.startswith("("):
                raise ValueError("this kind of group is not known here; use (…) or (?:…)")
            if before in _ANCHORS or before == "repeat":
                raise ValueError(f"{piece} repeats no character here; put a group around it")
            yield _repeat(piece)
            before = "repeat"
            continue
        yield _atom(kind, piece, dot)
        before = piece


def _atom(kind: str, piece: str, dot: str) -> str:
    if kind == "group":
        return "(?:"
    if kind == "set":
        return _set(piece)
    if kind == "escape":
        return _escape(piece)
    if piece == ".":
        return dot
    return piece if kind == "mark" else _literal(piece)


def _repeat(piece: str) -> str:
    # Greedy or not: whether it is found is the same.
    repeat = piece if len(piece) == 1 else piece.removesuffix("?")
    if any(int(number) > MOST_REPEATS for number in re.findall(r"\d+", repeat)):
        raise ValueError(f"{repeat} repeats more than {MOST_REPEATS} times; use * or +")
    return repeat


def _literal(one: str) -> str:
    return one if one.isalnum() or one == "_" or not one.isascii() else f"\\u{ord(one):04x}"


def _escape(piece: str) -> str:
    name = piece[1:]
    return _OUTSIDE[name] if name in _OUTSIDE else _literal(_escaped(name))


def _escaped(name: str) -> str:
    """The one character that an escape stands for."""
    if name in _CONTROLS:
        return _CONTROLS[name]
    if name[0] == "x" and len(name) > 1:
        code = int(name[1:].strip("{}"), 16)
        if not code or 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 - halves of surrogate pairs
            raise ValueError("no message holds NUL or half a surrogate pair; leave it out")
        return chr(code)
    if name.isalnum():
        raise ValueError(f"\\{name} is not known here; write the characters out in [ ]")
    return name


def _set(piece: str) -> str:
    negated = "^" if piece.startswith("[^") else ""
    inner = piece[1 + len(negated) : -1]
    if "[:" in inner:
        raise ValueError("names as [:alpha:] are not known here; write ranges as a-z")
    parts = re.findall(r"\\x\{[0-9A-Fa-f]+\}|\\x[0-9A-Fa-f]{2}|\\.|.", inner, re.DOTALL)
    last = len(parts) - 1
    written = [
        "-" if part == "-" and 0 < n < last else _set_part(part) for n, part in enumerate(parts)
    ]
    return f"[{negated}{''.join(written)}]"


def _set_part(part: str) -> str:
    if len(part) == 1:
        return _literal(part)
    name = part[1:]
    if name in _INSIDE:
        return _INSIDE[name]
    if name in _OUTSIDE:
        raise ValueError(f"\\{name} is not known inside [ ]; write the characters out")
    return _literal(_escaped(name))
