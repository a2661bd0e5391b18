"""The parameters that every address of the logs page has, read in one place."""

from typing import Annotated, Final

from litestar.di import Provide
from litestar.params import QueryParameter

from app.pages.log_asking import LogsAsked, columns_of
from app.shapes import NO_NUL

_Flag = Annotated[str, QueryParameter(max_length=10)]


def _read(
    *,
    q: Annotated[str, QueryParameter(max_length=20_000)] = "",
    since: Annotated[str, QueryParameter(name="from", max_length=100, pattern=NO_NUL)] = "",
    until: Annotated[str, QueryParameter(name="to", max_length=100, pattern=NO_NUL)] = "",
    columns: Annotated[list[str] | None, QueryParameter(max_items=50)] = None,
    wrap: _Flag = "",
    live: _Flag = "",
) -> LogsAsked:
    return LogsAsked(
        q=q,
        since=since.strip(),
        until=until.strip(),
        columns=columns_of(columns),
        wrap=wrap == "yes",
        live=live == "yes",
    )


ASKED: Final = {"log_asked": Provide(_read, sync_to_thread=False)}
"""`dependencies` of the handlers."""
