"""What several questions are asked with, and an example of each."""

from datetime import datetime
from typing import Annotated, Final

from litestar.params import QueryParameter

from app.shapes import MOMENT, NO_NUL, shown

MOST_HOURS: Final = 168
After = Annotated[
    str | None, QueryParameter(max_length=2000, description="`next` of the page before.")
]
Limit = Annotated[int, QueryParameter(ge=1, le=500, examples=shown(50))]
Service = Annotated[
    str | None,
    QueryParameter(min_length=1, max_length=200, pattern=NO_NUL, examples=shown("payment")),
]
Environment = Annotated[
    str | None,
    QueryParameter(min_length=1, max_length=200, pattern=NO_NUL, examples=shown("prod")),
]
Known = Annotated[
    bool | None,
    QueryParameter(description="Whether the catalogue explains it.", examples=shown(value=True)),
]
Hours = Annotated[int, QueryParameter(ge=1, le=MOST_HOURS, examples=shown(24))]
Since = Annotated[
    datetime | None,
    QueryParameter(name="from", examples=shown("2026-11-20T00:00:00Z"), schema_extra=MOMENT),
]
Until = Annotated[
    datetime | None,
    QueryParameter(name="to", examples=shown("2026-11-21T00:00:00Z"), schema_extra=MOMENT),
]
