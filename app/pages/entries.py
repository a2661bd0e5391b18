"""A catalogue entry made ready to be shown: its rules as text, its versions side by side. Pure."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import yaml

from app.pages.differences import Piece, differences
from app.query.catalogue_views import Entry, EntryVersion


class FieldChange(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an entry that reads otherwise in the later version."""

    name: str
    pieces: tuple[Piece, ...]


class VersionChange(msgspec.Struct, frozen=True, kw_only=True):
    before: int
    after: int
    fields: tuple[FieldChange, ...]
    """Empty: only its place in the document changed, or a part that is not shown."""


def rules_as_text(entry: Entry) -> str:
    """The rules as its author would write them; empty when there are none."""
    return _rules(entry.newest)


def changes_of(entry: Entry, version: int | None) -> VersionChange | None:
    """What this version changed of the one before it; without a number the newest did."""
    for after, before in zip(entry.versions, entry.versions[1:], strict=False):
        if version is None or after.version == version:
            return VersionChange(
                before=before.version, after=after.version, fields=_changed(before, after)
            )
    return None


def _changed(before: EntryVersion, after: EntryVersion) -> tuple[FieldChange, ...]:
    told = ((name, read(before), read(after)) for name, read in _FIELDS.items())
    return tuple(
        FieldChange(name=name, pieces=differences(old, new))
        for name, old, new in told
        if old != new
    )


def _rules(version: EntryVersion) -> str:
    entry = version.entry
    if entry is None:
        return ""
    given = [entry.rules] if entry.rules else []
    return "---\n".join(_yaml(rule) for rule in (*given, *entry.chain_rules))


def _yaml(rule: Any) -> str:
    built = msgspec.to_builtins(rule)
    return yaml.safe_dump(built, sort_keys=False, allow_unicode=True, width=100)


def _samples(version: EntryVersion) -> str:
    return "\n\n".join(version.entry.samples) if version.entry else ""


def _near_misses(version: EntryVersion) -> str:
    return "\n\n".join(version.entry.near_misses) if version.entry else ""


_FIELDS: Final[dict[str, Callable[[EntryVersion], str]]] = {
    "Title": lambda one: one.title,
    "Severity": lambda one: one.severity or "",
    "Symptoms": lambda one: one.symptoms,
    "Causes": lambda one: one.causes,
    "Fix": lambda one: one.fix,
    "Lesson": lambda one: one.lesson,
    "Caution": lambda one: one.caution,
    "Rules": _rules,
    "Samples": _samples,
    "Near misses": _near_misses,
}
