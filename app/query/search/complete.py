"""What may stand at the caret of a search that is being written. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from app.normalise.record import Severity
from app.query.search.model import Attribute, Column, Field, HasAttribute, Presence
from app.query.search.write import to_text

DESCRIBED: Final = {
    "service:": "the service that logged it",
    "level:": "trace … critical; also level:>=warning",
    "message:": "a pattern: message:/refused: \\d+/",
    "attr.": "an attribute: attr.order_id:o-17, attr.ms:>=500",
    "has:": "records that have one: has:exception",
    "issue:": "errors that a catalogue entry explains",
    "env:": "the environment",
    "release:": "the release",
    "instance:": "one instance of a service",
    "correlation:": "all records of one chain",
    "signature:": "one shape of an error",
    "span:": "one span of a trace",
}
VALUES_OF: Final = {
    "service": "service",
    "env": "environment",
    "environment": "environment",
    "release": "release",
    "instance": "instance",
    "issue": "issue",
}
"""Field of a search -> which values are asked for."""
_WORD: Final = re.compile(r'(?:[^\s()"]|"(?:[^"\\]|\\.)*"?)*$')
_REST: Final = re.compile(r'(?:[^\s()"]|"(?:[^"\\]|\\.)*")*')
_FIELD: Final = re.compile(r'(?P<name>[A-Za-z_]+|attr\.(?:[^":]|"[^"]*")+):(?P<sign>[<>]=?|=)?')


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The word that the caret stands in."""

    start: int
    """Where what a suggestion replaces begins."""
    end: int
    """Where it ends: at the caret, or behind it where the caret stands within a word."""
    field: str
    """Empty before a colon; `attr` while the name of an attribute is written."""
    begun: str
    """What is written of it."""


class Suggestion(msgspec.Struct, frozen=True, kw_only=True):
    insert: str
    """What replaces the word begun."""
    label: str
    detail: str
    is_open: bool = False
    """A value is still to follow."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the service knows of the values that are stored."""

    values: Mapping[str, Mapping[str, str]] = {}
    """service, environment, release, instance, issue -> value -> what is said of it."""
    attributes: tuple[str, ...] = ()


def place_at(text: str, caret: int) -> Place:
    """`caret` counts characters from 0."""
    word = _WORD.search(text[: max(caret, 0)])
    written = word[0] if word else ""
    start = min(max(caret, 0), len(text)) - len(written)
    bare = written.lstrip("-")
    start += len(written) - len(bare)
    found = _FIELD.match(bare)
    if found:
        begins, field = start + found.end(), found["name"].lower()
        begun = bare[found.end() :].lstrip('"')
        return Place(start=begins, end=_end_of(text, begins, caret), field=field, begun=begun)
    is_attribute = bare.lower().startswith("attr.")
    return Place(
        start=start,
        end=_end_of(text, start, caret, is_name=True),
        field="attr" if is_attribute else "",
        begun=bare[len("attr.") :] if is_attribute else bare,
    )


def _end_of(text: str, start: int, caret: int, *, is_name: bool = False) -> int:
    """The end of the word, or of its name; the caret where a quote is still open."""
    caret = min(max(caret, 0), len(text))
    word = _REST.match(text, start)
    end = max(word.end() if word else caret, caret)
    colon = text.find(":", caret, end) if is_name else -1
    return colon + 1 if colon >= 0 else end


def suggestions(place: Place, known: Known, *, most: int = 12) -> list[Suggestion]:
    """Those that begin with what is written, then those that hold it."""
    return _fitting(_all(place, known), place.begun.lower())[:most]


def _all(place: Place, known: Known) -> list[Suggestion]:
    if place.field == "":
        return [
            Suggestion(insert=name, label=name, detail=said, is_open=True)
            for name, said in DESCRIBED.items()
        ]
    if place.field == "attr":
        return [_attribute(name) for name in known.attributes]
    if place.field == "level":
        return [_value(one.value.lower(), "") for one in reversed(Severity)]
    if place.field == "has":
        plain = [_value(one.value, "") for one in Presence]
        named = [_has_attribute(name) for name in known.attributes]
        return [*plain, *named]
    values = known.values.get(VALUES_OF.get(place.field, ""), {})
    return [_value(value, said) for value, said in values.items()]


def _fitting(found: Iterable[Suggestion], begun: str) -> list[Suggestion]:
    ranked = [(one.label.lower().find(begun), one) for one in found]
    first = [one for at, one in ranked if at == 0]
    return first + [one for at, one in ranked if at > 0]


def _value(value: str, detail: str) -> Suggestion:
    return Suggestion(insert=quoted(value), label=value, detail=detail)


def _attribute(name: str) -> Suggestion:
    written = to_text(Attribute(name=name, value="x")).removesuffix("x")
    return Suggestion(insert=written, label=name, detail="an attribute", is_open=True)


def _has_attribute(name: str) -> Suggestion:
    written = to_text(HasAttribute(name=name)).removeprefix("has:")
    return Suggestion(insert=written, label=f"attr.{name}", detail="an attribute")


def quoted(value: str) -> str:
    """The value as a search writes it."""
    return to_text(Field(column=Column.SERVICE, value=value)).removeprefix("service:")
