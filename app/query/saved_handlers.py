"""Saved searches over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from litestar import Response, Router, delete, get, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from app.alerts.inputs import VersionChanged
from app.database import Database
from app.errors import NotFound
from app.preconditions import IF_MATCH, etag, holds
from app.query import saved_searches
from app.query.saved_searches import SavedSearch, SavedSearchRequest
from app.settings import Settings
from app.shapes import example_body, problems, shown

_Name = Annotated[str, PathParameter(examples=shown("late-payments"))]


class UnknownSavedSearch(NotFound):
    """No search is saved under this name."""


@get("/saved-searches", operation_id="listSavedSearches", responses=problems(400, 503))
async def list_saved(
    database: NamedDependency[Database], settings: NamedDependency[Settings]
) -> list[SavedSearch]:
    """All of them, by name."""
    async with database.session() as session:
        return await saved_searches.list_saved(session, public_url=settings.public_url)


@get("/saved-searches/{name:str}", operation_id="getSavedSearch", responses=problems(400, 404, 503))
async def get_saved(
    name: _Name, database: NamedDependency[Database], settings: NamedDependency[Settings]
) -> Response[SavedSearch]:
    """One, with its version as ETag, and a link that opens it."""
    found = None
    if "\0" not in name:
        async with database.session() as session:
            found = await saved_searches.find_saved(session, name, public_url=settings.public_url)
    return _tagged(_found(found))


@put(
    "/saved-searches/{name:str}",
    operation_id="putSavedSearch",
    operation_class=example_body(
        {
            "q": "service:payment timed out",
            "from": "-1d",
            "columns": ["service", "attr.order_id"],
        }
    ),
    responses=problems(400, 412, 428, 503),
)
async def put_saved(
    name: _Name,
    data: JSONBody[SavedSearchRequest],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    if_match: NamedDependency[str | None],
) -> Response[SavedSearch]:
    """Save it, or replace the one of this name."""
    saved_searches.check(name, data, now=datetime.now(UTC))
    url = settings.public_url
    async with database.session() as session:
        before = await saved_searches.find_saved(session, name, public_url=url, for_update=True)
        _require(if_match, before.version if before else None)
        return _tagged(await saved_searches.save(session, name, data, public_url=url))


@delete(
    "/saved-searches/{name:str}",
    operation_id="deleteSavedSearch",
    responses=problems(400, 404, 412, 428, 503),
)
async def delete_saved(
    name: _Name,
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> None:
    """It is forgotten; links to it stay good, for they hold the search itself."""
    if "\0" in name:
        raise UnknownSavedSearch
    async with database.session() as session:
        found = await saved_searches.find_saved(session, name, public_url="", for_update=True)
        _require(if_match, _found(found).version)
        await saved_searches.delete_saved(session, name)


def _require(if_match: str | None, version: int | None) -> None:
    if not holds(if_match, version):
        raise VersionChanged


def _found(saved: SavedSearch | None) -> SavedSearch:
    if saved is None:
        raise UnknownSavedSearch
    return saved


def _tagged(saved: SavedSearch) -> Response[SavedSearch]:
    return Response(saved, headers={"ETag": etag(saved.version)})


router = Router(
    path="/api",
    route_handlers=[list_saved, get_saved, put_saved, delete_saved],
    dependencies=IF_MATCH,
)
