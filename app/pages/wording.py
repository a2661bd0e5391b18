"""How numbers, moments and spans are written on pages. Pure."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_MASK: Final = re.compile(
    r"<(?:base64|duration|email|hex|id|ip|jwt|mac|num|size|str|time|url|uuid)>"
)
"""What a signature writes in the place of what differs from error to error."""
_UNITS: Final = ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k"))
_EXACT_BELOW: Final = 10_000
_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))
_BYTES: Final = ("B", "kB", "MB", "GB", "TB")
_KILO: Final = 1_000


def exact(number: int) -> str:
    """`1,234,567`."""
    return f"{number:,}"


def short(number: int) -> str:
    """`1,234`, `12.3k`, `4.5M`: at most six characters below a trillion."""
    if abs(number) < _EXACT_BELOW:
        return exact(number)
    for size, unit in _UNITS:
        # What would be rounded to 1000 of a unit is 1 of the next.
        if abs(number) >= size * 0.9995:
            scaled = number / size
            return f"{scaled:.1f}{unit}" if abs(scaled) < 99.95 else f"{scaled:.0f}{unit}"  # noqa: PLR2004
    return exact(number)


def percent(share: float) -> str:
    """`0 %` and `100 %` are said only when they are exact."""
    if 0 < share < 0.01:  # noqa: PLR2004
        return "< 1 %"
    if 0.99 < share < 1:  # noqa: PLR2004
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")


def size(count: int) -> str:
    """Bytes: `512 B`, `1.2 MB`."""
    amount = float(count)
    for unit in _BYTES:
        if amount < _KILO or unit == _BYTES[-1]:
            return f"{amount:,.0f} {unit}" if unit == "B" else f"{amount:,.1f} {unit}"
        amount /= _KILO
    return f"{count} B"


def utc(moment: datetime) -> str:
    """`2026-11-21 09:57:42 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def clock(moment: datetime) -> str:
    """`11-21 09:57:42.123`, in UTC: of a line among many."""
    at = moment.astimezone(UTC)
    return f"{at:%m-%d %H:%M:%S}.{at.microsecond // 1000:03}"


def machine(moment: datetime) -> str:
    """For `<time datetime>`: RFC 3339 with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def ago(moment: datetime, now: datetime) -> str:
    """`just now`, `3 min ago`, `2 h ago`, `5 d ago`; what is to come is `in 3 min`."""
    seconds = (now - moment).total_seconds()
    for length, unit in _SPANS:
        if abs(seconds) >= length:
            told = f"{int(abs(seconds) // length)} {unit}"
            return f"{told} ago" if seconds > 0 else f"in {told}"
    return "just now"


def span(length: timedelta) -> str:
    """`840 µs`, `12.3 ms`, `4.56 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    seconds = length.total_seconds()
    if seconds < 0:
        return f"\N{MINUS SIGN}{span(-length)}"
    return _long(int(seconds)) if seconds >= 60 else _brief(seconds)  # noqa: PLR2004


def _brief(seconds: float) -> str:
    if seconds < 0.001:  # noqa: PLR2004
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _long(whole: int) -> str:
    if whole < 3_600:  # noqa: PLR2004
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86_400:  # noqa: PLR2004
        return f"{whole // 3_600} h {whole % 3_600 // 60} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3_600} h"


def spoken(text: str) -> str:
    """The title of a signature as a person would say it: what varies is left open."""
    return _MASK.sub("…", " ".join(text.split()))


def quoted(text: str) -> str:
    """As a value in the search language, whatever stands in it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
