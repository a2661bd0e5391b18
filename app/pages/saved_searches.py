"""`/logs/saved`: searches that people keep by name."""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.database import Database
from app.errors import AppError
from app.pages.drawing import Pages
from app.pages.log_asking import LogsAsked, columns_of
from app.pages.log_parameters import ASKED
from app.query import saved_searches
from app.query.saved_handlers import UnknownSavedSearch
from app.query.saved_searches import InvalidSavedSearch, SavedSearch, SavedSearchRequest
from app.query.search.errors import InvalidMoment, InvalidSearch


class SaveForm(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    q: str = ""
    since: str = msgspec.field(name="from", default="")
    until: str = msgspec.field(name="to", default="")
    columns: list[str] | str = msgspec.field(default_factory=list)
    replace: str = ""
    """`yes`: one of this name may go."""


@get("/logs/saved", dependencies=ASKED)
async def list_saved(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    log_asked: NamedDependency[LogsAsked],
) -> Response[str]:
    """All of them, and a form for the search that somebody came from."""
    return await _draw(request, pages, database, log_asked)


@post("/logs/saved")
async def save_search(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    data: Annotated[SaveForm, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[Any]:
    """Save it; what is wrong is said beside the form, with all that was written."""
    columns = [data.columns] if isinstance(data.columns, str) else data.columns
    asked = LogsAsked(
        q=data.q, since=data.since, until=data.until, columns=columns_of(columns or None)
    )
    name = data.name.strip()
    wanted = SavedSearchRequest(
        q=asked.q, since=asked.since, until=asked.until, columns=asked.columns
    )
    try:
        saved_searches.check(name, wanted, now=datetime.now(UTC))
    except (InvalidSavedSearch, InvalidSearch, InvalidMoment) as error:
        return await _draw(request, pages, database, asked, name=name, error=error)
    async with database.session() as session:
        found = await saved_searches.find_saved(session, name, public_url="", for_update=True)
        may_save = found is None or data.replace == "yes"
        if may_save:
            await saved_searches.save(session, name, wanted, public_url="")
    if not may_save:
        return await _draw(request, pages, database, asked, name=name, is_taken=True)
    return Redirect(asked.address(), status_code=303)


@post("/logs/saved/{name:str}/delete")
async def delete_search(name: FromPath[str], database: NamedDependency[Database]) -> Response[Any]:
    """Raises `UnknownSavedSearch` when somebody else was faster."""
    async with database.session() as session:
        found = None
        if "\0" not in name:
            found = await saved_searches.find_saved(session, name, public_url="", for_update=True)
        if found is None:
            raise UnknownSavedSearch
        await saved_searches.delete_saved(session, name)
    return Redirect("/logs/saved", status_code=303)


async def _draw(
    request: Request[Any, Any, Any],
    pages: Pages,
    database: Database,
    asked: LogsAsked,
    *,
    name: str = "",
    error: AppError | None = None,
    is_taken: bool = False,
) -> Response[str]:
    async with database.session() as session:
        found = await saved_searches.list_saved(session, public_url="")
    status = 400 if error else 409 if is_taken else 200
    return await pages.draw(
        request,
        "saved_searches.html",
        status=status,
        saved=[(one, _asked(one).address()) for one in found],
        asked=asked,
        name=name,
        error=str(error) if error else "",
        is_taken=is_taken,
    )


def _asked(saved: SavedSearch) -> LogsAsked:
    columns = columns_of(list(saved.columns) or None)
    return LogsAsked(q=saved.q, since=saved.since, until=saved.until, columns=columns)


handlers = (list_saved, save_search, delete_search)
