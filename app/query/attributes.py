"""The attributes of a log record under the names that a search gives them. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

DEEPEST: Final = 4


def flat(values: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """`{"a": {"b": 1}}` is `a.b`, as a search writes it; what lies deeper stays JSON."""
    for name, value in values.items():
        if isinstance(value, dict) and value and depth < DEEPEST:
            yield from flat(value, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", value
