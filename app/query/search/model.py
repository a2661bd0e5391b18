"""A search as a tree. Frozen, so that equal searches are equal."""

from enum import Enum
from typing import TypeAlias

import msgspec

from app.normalise.record import Severity


class Column(Enum):
    """The fields that hold one text, by the column that they are in."""

    SERVICE = "service"
    ENVIRONMENT = "environment"
    RELEASE = "release"
    INSTANCE = "instance"
    CORRELATION = "correlation_id"
    SIGNATURE = "signature_id"
    SPAN = "span_id"


class Comparison(Enum):
    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    """The empty search."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The words of a text, one right after the other, as the message's own words."""

    text: str
    is_prefix: bool = False
    """The last word is only the beginning of one."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    column: Column
    value: str
    is_prefix: bool = False


class Level(msgspec.Struct, frozen=True, kw_only=True):
    severity: Severity
    comparison: Comparison = Comparison.EQUAL


class Issue(msgspec.Struct, frozen=True, kw_only=True):
    """Errors that the catalogue explains by this known issue."""

    known_issue_id: str


class Attribute(msgspec.Struct, frozen=True, kw_only=True):
    """A value in the attributes; `a.b` is the key `a.b`, or `b` within `a`."""

    name: str
    value: str
    comparison: Comparison = Comparison.EQUAL
    """Another than EQUAL is between numbers."""
    is_prefix: bool = False


class Presence(Enum):
    """What `has:` asks for, besides attributes."""

    SERVICE = "service"
    ENVIRONMENT = "environment"
    RELEASE = "release"
    INSTANCE = "instance"
    SIGNATURE = "signature"
    SPAN = "span"
    EXCEPTION = "exception"
    SEQUENCE = "sequence"
    ATTRIBUTES = "attributes"
    ANNOTATIONS = "annotations"
    ISSUE = "issue"


class Has(msgspec.Struct, frozen=True, kw_only=True):
    what: Presence


class HasAttribute(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class Pattern(msgspec.Struct, frozen=True, kw_only=True):
    """RE2, found anywhere in the message."""

    pattern: str


class Not(msgspec.Struct, frozen=True, kw_only=True):
    part: "Search"


class And(msgspec.Struct, frozen=True, kw_only=True):
    parts: tuple["Search", ...]


class Or(msgspec.Struct, frozen=True, kw_only=True):
    parts: tuple["Search", ...]


Term: TypeAlias = Words | Field | Level | Issue | Attribute | Has | HasAttribute | Pattern
Search: TypeAlias = Everything | Term | Not | And | Or
