"""Tree -> text, such that reading the text gives the tree again."""

import re
from typing import Final

from app.query.search.model import (
    And,
    Attribute,
    Comparison,
    Field,
    Has,
    HasAttribute,
    Issue,
    Level,
    Not,
    Or,
    Pattern,
    Search,
    Words,
)

_PLAIN: Final = re.compile(r"[^\W]([\w.@/+~#%&;,!?'-]*\w)?", re.ASCII).fullmatch
_PLAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.@/-]+").fullmatch
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT"})
_NAMES: Final = {
    "correlation_id": "correlation",
    "signature_id": "signature",
    "span_id": "span",
    "environment": "env",
}


def to_text(search: Search) -> str:
    """The search as this language writes it; `parse_search` of it gives an equal tree."""
    if isinstance(search, And | Or):
        joint = " " if isinstance(search, And) else " OR "
        return joint.join(_inner(part) for part in search.parts)
    if isinstance(search, Not):
        return f"-{_inner(search.part)}"
    return _term(search)


def _inner(part: Search) -> str:
    return f"({to_text(part)})" if isinstance(part, And | Or) else to_text(part)


def _term(term: Search) -> str:
    match term:
        case Words():
            said = _quoted(term.text, term.is_prefix)
        case Field():
            name = _NAMES.get(term.column.value, term.column.value)
            said = f"{name}:{_quoted(term.value, term.is_prefix)}"
        case Level():
            said = f"level:{_sign(term.comparison)}{term.severity.value.lower()}"
        case Issue():
            said = f"issue:{_quoted(term.known_issue_id)}"
        case Attribute():
            value = _quoted(term.value, term.is_prefix)
            said = f"attr.{_name(term.name)}:{_sign(term.comparison)}{value}"
        case Has():
            said = f"has:{term.what.value}"
        case HasAttribute():
            said = f"has:{_quoted('attr.' + term.name)}"
        case Pattern():
            said = f"message:/{_slashed(term.pattern)}/"
        case _:
            said = ""
    return said


def _sign(comparison: Comparison) -> str:
    return "" if comparison is Comparison.EQUAL else comparison.value


def _quoted(text: str, is_prefix: bool = False) -> str:
    plain = _PLAIN(text) and text not in _KEYWORDS
    return (text if plain else _in_quotes(text)) + "*" * is_prefix


def _in_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _name(name: str) -> str:
    return name if _PLAIN_NAME(name) else _in_quotes(name)


def _slashed(pattern: str) -> str:
    return re.sub(
        r"\\.|/", lambda found: "\\/" if found[0] == "/" else found[0], pattern, flags=re.DOTALL
    )
