"""Tree -> a condition on `log_records`. What people wrote goes into bound parameters only."""

import re
from collections.abc import Callable
from functools import singledispatch
from typing import Any, Final

import msgspec
from sqlalchemy import Column as TableColumn
from sqlalchemy import (
    ColumnElement,
    Text,
    and_,
    any_,
    cast,
    collate,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB, JSONPATH, TSQUERY

from app.catalogue.tables import matches
from app.normalise.record import Severity
from app.query.search.fields import number_of
from app.query.search.model import (
    And,
    Attribute,
    Column,
    Comparison,
    Everything,
    Field,
    Has,
    HasAttribute,
    Issue,
    Level,
    Not,
    Or,
    Pattern,
    Presence,
    Search,
    Words,
)
from app.query.search.patterns import to_postgresql
from app.store.tables import log_records, severity

Condition = ColumnElement[bool]
_records = log_records.c
_SEARCHED: Final = func.searched_text(_records.message, _records.exception)
_COMPARE: Final[dict[Comparison, Callable[[Any, Any], Condition]]] = {
    Comparison.EQUAL: lambda left, right: left == right,
    Comparison.LESS: lambda left, right: left < right,
    Comparison.AT_MOST: lambda left, right: left <= right,
    Comparison.MORE: lambda left, right: left > right,
    Comparison.AT_LEAST: lambda left, right: left >= right,
}
_ASCII_WORD: Final = re.compile(r"(?<![^\W_])[A-Za-z0-9]+(?![^\W_])")
_PRESENT: Final[dict[Presence, TableColumn[Any]]] = {
    Presence.SERVICE: _records.service,
    Presence.ENVIRONMENT: _records.environment,
    Presence.RELEASE: _records.release,
    Presence.INSTANCE: _records.instance,
    Presence.SIGNATURE: _records.signature_id,
    Presence.SPAN: _records.span_id,
    Presence.EXCEPTION: _records.exception,
    Presence.SEQUENCE: _records.sequence,
}


@singledispatch
def condition_of(search: Search) -> Condition:
    """The condition; it may be NULL where it is not true, and `Not` knows that."""
    raise TypeError(search)


@condition_of.register
def _everything(_: Everything) -> Condition:
    return true()


@condition_of.register
def _and(search: And) -> Condition:
    return and_(*(condition_of(part) for part in search.parts))


@condition_of.register
def _or(search: Or) -> Condition:
    return or_(*(condition_of(part) for part in search.parts))


@condition_of.register
def _not(search: Not) -> Condition:
    # A record without a release is one that is not of release 7: NULL counts as false.
    return condition_of(search.part).is_not(true())


@condition_of.register
def _words(words: Words) -> Condition:
    """The index's own function where there is an index; before it, what costs a tenth.

    On a partition without one each text would be taken apart. A word of ASCII stands in every
    text that holds it, whatever its case; the collation "C" spares what other letters cost.
    """
    wanted: ColumnElement[Any] = func.search_phrase(_text(words.text))
    if words.is_prefix:
        wanted = cast(func.nullif(cast(wanted, Text), "") + ":*", TSQUERY)
    found = func.search_words(_SEARCHED).op("@@", is_comparison=True)(wanted)
    longest = max(_ASCII_WORD.findall(words.text), key=len, default="")
    if not longest:
        return found
    searched = func.lower(collate(_SEARCHED, "C"))
    return and_(searched.like(_text(f"%{longest.lower()}%")), found)


@condition_of.register
def _field(field: Field) -> Condition:
    column = _records[field.column.value]
    equal = _equal_or_begins(column, field.value, field.is_prefix)
    # Only errors have a signature: said, so that the index of errors may be used.
    return and_(_is_error(), equal) if field.column is Column.SIGNATURE else equal


@condition_of.register
def _level(level: Level) -> Condition:
    return _COMPARE[level.comparison](_records.level, literal(level.severity, severity))


@condition_of.register
def _issue(issue: Issue) -> Condition:
    # As an array: a join could not stand in an OR, nor be left out on partitions of no interest.
    explained = select(matches.c.signature_id).where(
        matches.c.known_issue_id == _text(issue.known_issue_id)
    )
    return and_(_is_error(), _records.signature_id == any_(func.array(explained.scalar_subquery())))


@condition_of.register
def _pattern(pattern: Pattern) -> Condition:
    return _records.message.regexp_match(_text(to_postgresql(pattern.pattern)))


@condition_of.register
def _has(has: Has) -> Condition:
    if has.what is Presence.ISSUE:
        known = select(matches.c.signature_id).where(matches.c.known_issue_id.is_not(None))
        return and_(_is_error(), _records.signature_id == any_(func.array(known.scalar_subquery())))
    if has.what is Presence.ATTRIBUTES:
        return _records.attributes != literal({}, JSONB)
    if has.what is Presence.ANNOTATIONS:
        return func.cardinality(_records.annotations) > 0
    return _PRESENT[has.what].is_not(None)


@condition_of.register
def _has_attribute(has: HasAttribute) -> Condition:
    return or_(*(_path_holds(path) for path in _jsonpaths(has.name)))


@condition_of.register
def _attribute(wanted: Attribute) -> Condition:
    if wanted.comparison is not Comparison.EQUAL:
        test = f" ? (@ {wanted.comparison.value} {number_of(wanted.value)})"
        return or_(*(_path_holds(path + test) for path in _jsonpaths(wanted.name)))
    if wanted.is_prefix:
        values = (_value_at(keys) for keys in keys_of(wanted.name))
        return or_(*(_equal_or_begins(value, wanted.value, True) for value in values))
    return or_(
        *(
            _records.attributes.contains(literal(_nested(keys, value), JSONB))
            for keys in keys_of(wanted.name)
            for value in values_of(wanted.value)
        )
    )


def keys_of(name: str) -> tuple[tuple[str, ...], ...]:
    """The ways to an attribute: the key as it is written, and one key within another."""
    parts = tuple(name.split("."))
    return ((name,), parts) if len(parts) > 1 and all(parts) else ((name,),)


def values_of(text: str) -> tuple[str | float | bool | None, ...]:
    """The JSON values that people write so."""
    number = number_of(text)
    named = {"true": True, "false": False, "null": None}
    return (
        text,
        *(() if number is None else (number,)),
        *((named[text],) if text in named else ()),
    )


def _nested(keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def value_at(name: str) -> ColumnElement[str]:
    """An attribute's value as text."""
    return func.coalesce(*(_value_at(keys) for keys in keys_of(name)))


def _value_at(keys: tuple[str, ...]) -> ColumnElement[str]:
    return func.jsonb_extract_path_text(_records.attributes, *(_text(key) for key in keys))


def _jsonpaths(name: str) -> list[str]:
    return ["$" + "".join(f".{_json_text(key)}" for key in keys) for keys in keys_of(name)]


def _json_text(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _path_holds(path: str) -> Condition:
    found: Condition = _records.attributes.path_exists(cast(_text(path), JSONPATH))
    return found


def _is_error() -> Condition:
    return _records.level >= literal(Severity.ERROR, severity)


def _equal_or_begins(column: ColumnElement[Any], value: str, is_prefix: bool) -> Condition:
    if not is_prefix:
        return column == _text(value)
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    return column.like(_text(f"{escaped}%"))


def _text(value: str) -> ColumnElement[str]:
    return literal(value, Text)
