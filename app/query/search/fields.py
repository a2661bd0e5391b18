"""The fields of the language: their names, and what may stand behind each. Pure.

What is wrong is raised as `ValueError`, whose text says what to change; the parser adds where.
"""

import difflib
import math
import re
from typing import Final, NoReturn

import msgspec

from app.normalise.levels import parse_level
from app.query.search.model import (
    Attribute,
    Column,
    Comparison,
    Field,
    Has,
    HasAttribute,
    Issue,
    Level,
    Pattern,
    Presence,
    Term,
    Words,
)
from app.query.search.patterns import check_pattern

COLUMNS: Final = {
    "service": Column.SERVICE,
    "env": Column.ENVIRONMENT,
    "environment": Column.ENVIRONMENT,
    "release": Column.RELEASE,
    "instance": Column.INSTANCE,
    "correlation": Column.CORRELATION,
    "correlation_id": Column.CORRELATION,
    "trace_id": Column.CORRELATION,
    "signature": Column.SIGNATURE,
    "signature_id": Column.SIGNATURE,
    "span": Column.SPAN,
    "span_id": Column.SPAN,
}
FIELDS: Final = (*COLUMNS, "level", "issue", "message", "has", "attr.")
ATTRIBUTE: Final = "attr."
LONGEST_NAME: Final = 200
LONGEST_VALUE: Final = 1_000
_HAS: Final = {**{one.value: one for one in Presence}, "env": Presence.ENVIRONMENT}
_NUMBER: Final = re.compile(r"-?[0-9]{1,300}(\.[0-9]{1,300})?([eE][+-]?[0-9]{1,3})?").fullmatch


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """What stands behind a field."""

    text: str
    comparison: Comparison = Comparison.EQUAL
    is_prefix: bool = False
    is_pattern: bool = False


def term_of(field: str, given: Given) -> Term:
    """Raises `ValueError`."""
    name = field.lower()
    _check_given(field, given)
    if name.startswith(ATTRIBUTE):
        return _attribute(field[len(ATTRIBUTE) :], given)
    if name == "level":
        return _level(given)
    if name == "message":
        return pattern_of(given.text) if given.is_pattern else words_of(given)
    if name in COLUMNS:
        return Field(column=COLUMNS[name], value=given.text, is_prefix=given.is_prefix)
    if name not in {"issue", "has"}:
        _refuse(field)
    if given.is_prefix:
        raise ValueError(f'"{field}:" takes no *; write the whole name')
    return Issue(known_issue_id=given.text) if name == "issue" else _has(given.text)


def _check_given(field: str, given: Given) -> None:
    """What holds for every field."""
    name = field.lower()
    if given.is_pattern and name != "message":
        raise ValueError("only message: takes a /pattern/; put the value in quotes")
    if "\0" in given.text or "\0" in field:
        raise ValueError("a search cannot hold the character NUL; leave it out")
    if not given.text and not given.is_pattern:
        raise ValueError(f'write a value behind "{field}:"; for any value write has:{field}')
    if len(given.text) > LONGEST_VALUE:
        raise ValueError(f"a value has at most {LONGEST_VALUE:,} characters; shorten it")
    compares = name == "level" or name.startswith(ATTRIBUTE)
    if given.comparison is not Comparison.EQUAL and not compares:
        raise ValueError(f'"{field}:" takes no {given.comparison.value}; only level: and attr. do')


def _refuse(field: str) -> NoReturn:
    nearest = difflib.get_close_matches(field.lower(), FIELDS, n=1, cutoff=0)[0]
    raise ValueError(
        f'there is no field "{field}"; the nearest is "{nearest}". A word that holds a colon '
        "goes in quotes"
    )


def words_of(given: Given) -> Words:
    """Raises `ValueError`."""
    if "\0" in given.text:
        raise ValueError("a search cannot hold the character NUL; leave it out")
    if len(given.text) > LONGEST_VALUE:
        raise ValueError(f"a phrase has at most {LONGEST_VALUE:,} characters; shorten it")
    if not any(one.isalnum() for one in given.text):
        raise ValueError(
            "there is neither letter nor digit here to search for; for other characters "
            "write message:/pattern/"
        )
    if given.is_prefix and not given.text[-1].isalnum():
        raise ValueError("* must follow a letter or a digit; put it there or leave it out")
    return Words(text=given.text, is_prefix=given.is_prefix)


def pattern_of(text: str) -> Pattern:
    """Raises `ValueError`."""
    check_pattern(text)
    return Pattern(pattern=text)


def _level(given: Given) -> Level:
    severity = None if given.is_prefix else parse_level(given.text)
    if severity is None:
        raise ValueError(
            f'there is no level "{given.text}"; it is trace, debug, info, warning, error or '
            "critical"
        )
    return Level(severity=severity, comparison=given.comparison)


def _attribute(name: str, given: Given) -> Attribute:
    _check_name(name)
    if given.comparison is not Comparison.EQUAL and (
        given.is_prefix or number_of(given.text) is None
    ):
        raise ValueError(f'{given.comparison.value} compares with a number, not "{given.text}"')
    return Attribute(
        name=name, value=given.text, comparison=given.comparison, is_prefix=given.is_prefix
    )


def _has(text: str) -> Has | HasAttribute:
    name = text.lower()
    if name.startswith(ATTRIBUTE):
        _check_name(text[len(ATTRIBUTE) :])
        return HasAttribute(name=text[len(ATTRIBUTE) :])
    if name not in _HAS:
        nearest = difflib.get_close_matches(name, _HAS, n=1, cutoff=0)[0]
        raise ValueError(
            f'has: knows no "{text}"; the nearest is "{nearest}". An attribute is has:attr.name'
        )
    return Has(what=_HAS[name])


def _check_name(name: str) -> None:
    if not name:
        raise ValueError("write the name of the attribute: attr.order_id:o-17")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"an attribute's name has at most {LONGEST_NAME} characters; shorten it")


def number_of(text: str) -> int | float | None:
    """The text as a JSON number, or None when it is none."""
    if not _NUMBER(text):
        return None
    if text.lstrip("-").isdigit():
        return int(text)
    number = float(text)
    return number if math.isfinite(number) else None
