"""What the address of the logs page asks for, and the addresses beside it. Pure."""

import shlex
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from app.query.columns import is_column

USUAL_COLUMNS: Final = ("level", "service")
MOST_COLUMNS: Final = 12
PRESETS: Final = ("-15m", "-1h", "-6h", "-1d", "-7d")
USUAL_REACH: Final = "-7d"


class LogsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """As it stands in the address: relative times stay relative."""

    q: str = ""
    since: str = ""
    until: str = ""
    columns: tuple[str, ...] = USUAL_COLUMNS
    wrap: bool = False
    live: bool = False

    def pairs(self) -> list[tuple[str, str]]:
        """The query string, without what is as usual."""
        given = [("q", self.q), ("from", self.since), ("to", self.until)]
        if self.columns != USUAL_COLUMNS:
            given += [("columns", name) for name in self.columns or ("",)]
            # `columns=` alone: none but time and message.
        said = [(n, v) for n, v in given if v or n == "columns"]
        return [*said, *((n, "yes") for n in ("wrap", "live") if getattr(self, n))]

    def address(self, path: str = "/logs", **changes: Any) -> str:
        """The address of this with changes; `after`, `format` and such are added as they are."""
        own = {n: v for n, v in changes.items() if n in self.__struct_fields__}
        more = [(n, v) for n, v in changes.items() if n not in self.__struct_fields__ and v]
        pairs = [*msgspec.structs.replace(self, **own).pairs(), *more]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def fields(self, *without: str) -> list[tuple[str, str]]:
        """The same for hidden inputs of a form."""
        return [(n, v) for n, v in self.pairs() if n not in without]

    def command(self) -> str:
        """The same search in a terminal."""
        parts = ["prodsentinel", "logs"]
        parts += [f"--from={self.since}"] * bool(self.since)
        parts += [f"--to={self.until}"] * bool(self.until)
        if self.q:
            parts += [*(["--"] if self.q.startswith("-") else []), self.q]
        return shlex.join(parts)


def columns_of(given: list[str] | None) -> tuple[str, ...]:
    """The columns that an address names; what is none is left out, and none named is the usual."""
    if given is None:
        return USUAL_COLUMNS
    named = (one.strip() for one in given)
    known = (one for one in named if is_column(one))
    return tuple(dict.fromkeys(known))[:MOST_COLUMNS]
