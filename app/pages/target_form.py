"""The form of an alert target: what its fields mean, and what stands in them again. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from app.alerts.inputs import TargetRequest, TargetView
from app.alerts.model import USUAL_KINDS, WEEKDAYS

SEVERAL: Final = ("kinds", "urgent", "weekdays")
"""Fields of checkboxes; everything else comes once."""
_KEPT: Final = ("url", "secret")

Fields = Mapping[str, Any]


def fields_of(target: TargetView | None) -> dict[str, Any]:
    """What stands in the form; never the secret, and of the URL nothing."""
    if target is None:
        return {
            **dict.fromkeys(("name", "url", "environments", "services", "begins", "ends"), ""),
            "zone": "UTC",
            "kind": "generic",
            "known": "both",
            "per_minute": "20",
            "enabled": True,
            "kinds": [str(kind) for kind in USUAL_KINDS],
            "urgent": [],
            "weekdays": list(WEEKDAYS),
            "version": "",
        }
    quiet = target.quiet
    return {
        "name": target.name,
        "url": "",
        "kind": str(target.kind),
        "known": str(target.known),
        "per_minute": str(target.per_minute),
        "enabled": target.enabled,
        "kinds": [str(kind) for kind in target.kinds],
        "urgent": [str(kind) for kind in target.urgent],
        "environments": ", ".join(target.environments),
        "services": ", ".join(target.services),
        "begins": quiet.begins if quiet else "",
        "ends": quiet.ends if quiet else "",
        "zone": quiet.zone if quiet else "UTC",
        "weekdays": list(quiet.weekdays) if quiet else list(WEEKDAYS),
        "version": str(target.version),
    }


def read_fields(given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A form as it was sent: fields of checkboxes as lists, what is missing empty."""
    fields = dict.fromkeys(fields_of(None), "") | {"secret": ""}
    several: dict[str, list[str]] = {name: [] for name in SEVERAL}
    for name, value in given:
        if name in several:
            several[name].append(str(value))
        elif name in fields:
            fields[name] = str(value).strip()
    return {**fields, **several, "enabled": bool(fields["enabled"])}


def request_of(fields: Fields) -> TargetRequest:
    """Raises `msgspec.ValidationError`, whose text names what is wrong."""
    asked = {
        "kind": fields["kind"],
        "known": fields["known"] or "both",
        "kinds": fields["kinds"],
        "urgent": fields["urgent"],
        "environments": _names(fields["environments"]),
        "services": _names(fields["services"]),
        "enabled": fields["enabled"],
        "per_minute": fields["per_minute"],
        **{name: fields[name] for name in _KEPT if fields[name]},
    }
    if fields["begins"] or fields["ends"]:
        asked["quiet"] = {name: fields[name] for name in ("begins", "ends", "zone", "weekdays")}
    return msgspec.convert(asked, TargetRequest, strict=False)


def _names(written: str) -> list[str]:
    return [name for part in written.split(",") if (name := part.strip())]
