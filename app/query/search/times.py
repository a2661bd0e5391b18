"""Times as people write them: absolute, or relative to now. Pure.

`-15m`, `now`, `now-1d`, `now-1d/d` (cut down to the day, in UTC), `2026-11-20T12:00:00Z`,
`2026-11-20`. Units: s, m, h, d, w. After date math of Elasticsearch.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from app.query.search.errors import InvalidMoment

_RELATIVE: Final = re.compile(
    r"(?:now)?(?P<steps>(?:[+-][0-9]{1,9}[smhdw])*)(?:/(?P<cut>[smhdw]))?"
).fullmatch
_STEP: Final = re.compile(r"([+-][0-9]+)([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch


def parse_moment(text: str, *, now: datetime) -> datetime:
    """In UTC. Raises `InvalidMoment`."""
    text = text.strip()
    try:
        found = _RELATIVE(text) if text else None
        moment = _relative(found, now) if found else _absolute(text)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidMoment(
            f'"{text[:80]}" is no time: write RFC 3339 with its zone, as 2026-11-20T12:00:00Z, '
            "or relative, as -15m, now-1d, now-1d/d"
        ) from error


def _relative(found: re.Match[str], now: datetime) -> datetime:
    moment = now.astimezone(UTC)
    for amount, unit in _STEP.findall(found["steps"]):
        moment += timedelta(**{_UNITS[unit]: int(amount)})
    return _cut(moment, found["cut"]) if found["cut"] else moment


def _cut(moment: datetime, unit: str) -> datetime:
    if unit == "w":
        moment -= timedelta(days=moment.weekday())
        unit = "d"
    names = ("microsecond", "second", "minute", "hour")
    return moment.replace(**dict.fromkeys(names[: " smhd".index(unit)], 0))  # type: ignore[arg-type]


def _absolute(text: str) -> datetime:
    if _DAY(text):
        text += "T00:00:00Z"
    # In a URL an unescaped + of the zone arrives as a space.
    moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment
