"""What a page of records may show of each, beside its time and message. Pure."""

import difflib
from collections.abc import Iterable
from typing import Final

from app.errors import AppError

FIELDS: Final = {
    "level": "level",
    "service": "service",
    "environment": "environment",
    "release": "release",
    "instance": "instance",
    "correlation": "correlation_id",
    "signature": "signature_id",
    "span": "span_id",
    "sequence": "sequence",
}
"""As searches and pages name them -> the column of `log_records`."""
COLUMNS: Final = tuple(FIELDS)
ATTRIBUTE: Final = "attr."


class UnknownColumn(AppError):
    """A column is one of the fields of a record, or `attr.` and the name of an attribute."""

    name: Final = "columns"

    def __init__(self, column: str) -> None:
        nearest = difflib.get_close_matches(column.lower(), COLUMNS, n=1, cutoff=0)[0]
        self.reason = (
            f"there is no column `{column}`; the nearest is `{nearest}`, of {', '.join(COLUMNS)}; "
            f"an attribute is `{ATTRIBUTE}` and its name"
        )
        super().__init__(f"`{self.name}`: {self.reason}")


def is_column(name: str) -> bool:
    return name in COLUMNS or (name.startswith(ATTRIBUTE) and len(name) > len(ATTRIBUTE))


def check_columns(names: Iterable[str]) -> None:
    """Raises `UnknownColumn`."""
    for name in names:
        if not is_column(name):
            raise UnknownColumn(name)
