"""The settings as they are in force, for people to read. Pure."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from sqlalchemy.engine import make_url

from app.settings import Settings, describe_settings

HIDDEN: Final = "DATABASE_URL"
"""Its user, password and parameters are nobody's to read."""


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    """Of the environment variable."""
    value: str
    as_size: int
    """Of a number of bytes that number, else 0."""
    is_default: bool
    description: str


def settings_in_force(settings: Settings) -> tuple[InForce, ...]:
    """All of them, those that somebody set first."""
    return tuple(sorted(_rows(settings), key=lambda row: row.is_default))


def _rows(settings: Settings) -> Iterator[InForce]:
    told = describe_settings()
    for field in msgspec.structs.fields(Settings):
        value = getattr(settings, field.name)
        name = field.encode_name
        yield InForce(
            name=name,
            value=_place(value) if name == HIDDEN else _written(value),
            as_size=value if field.name.endswith("_bytes") else 0,
            is_default=value == field.default,
            description=told[name],
        )


def _place(url: str) -> str:
    """Where it leads: scheme, host, port and database."""
    if not url:
        return ""
    parsed = make_url(url)
    host = parsed.host or "a socket of this machine"
    port = f":{parsed.port}" if parsed.port else ""
    return f"{parsed.get_backend_name()}, {host}{port}, database {parsed.database or ''}"


def _written(value: Any) -> str:
    """As it would stand in the environment."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
