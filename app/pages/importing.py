"""`/catalogue/documents/…`: documents in, with a look at what they would change before they do."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import QueryParameter
from litestar.response import Redirect

from app.catalogue.importing import Foreseen, Stored, foresee_documents, store_documents
from app.catalogue.judging import UnknownSignature
from app.catalogue.live import LiveCatalogue
from app.database import Database
from app.pages.drawing import Pages
from app.pages.uploads import Received, received
from app.pages.wording import machine
from app.query import catalogue_queries
from app.query.draft import name_of_draft
from app.query.drafting import begin_entry
from app.query.search.times import parse_moment
from app.shapes import NO_NUL

MOST_BYTES: Final = 32 * 1024 * 1024
MOST_OF_ADDRESS: Final = 7_000
"""Of a report, in characters: servers and proxies refuse longer ones."""
_TOLD: Final = 20
"""Most problems, and entries that came back, that stand in the address of a report."""
_Texts = Annotated[list[str] | None, QueryParameter(max_items=_TOLD)]
_Name = Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)]


@get("/catalogue/documents/new")
async def choose_documents(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    draft: _Name = "",
) -> Response[str]:
    """Files to choose or drop, or an entry to write; `draft`: begun from this signature."""
    written = Received()
    if draft:
        async with database.session() as session:
            begun = await begin_entry(session, draft)
        if begun is None:
            raise UnknownSignature
        written = Received(name=f"{name_of_draft(begun[0])}.md", text=begun[1])
    return await pages.draw(request, "import.html", written=written, foreseen=None)


@post("/catalogue/documents/preview", status_code=200, request_max_body_size=MOST_BYTES)
async def preview_documents(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
) -> Response[str]:
    """What would be new, changed and retired, and which errors that explains; nothing is saved."""
    given = await received(request)
    foreseen: Foreseen | None = None
    if given.documents:
        async with database.session() as session:
            foreseen = await foresee_documents(session, list(given.documents), catalogue.matcher)
    return await pages.draw(request, "import.html", written=given, foreseen=foreseen)


@post("/catalogue/documents", request_max_body_size=MOST_BYTES)
async def import_documents(
    request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> Redirect:
    """Store them; the report has an address of its own."""
    given = await received(request)
    if not given.documents:
        return Redirect("/catalogue/documents/new", status_code=303)
    async with database.session() as session:
        stored = await store_documents(session, list(given.documents))
    return Redirect(_report_address(stored, given), status_code=303)


def _report_address(stored: Stored, given: Received) -> str:
    problems = [
        f"{one.document}:{one.line}: {one.reason}"[:300]
        for one in (*given.problems, *stored.problems)
    ]
    told = [
        ("at", machine(stored.stored_at)),
        ("unchanged", str(len(stored.changes.unchanged))),
        *(("problem", problem) for problem in problems[:_TOLD]),
        *(("new", name) for name in stored.changes.new[:_TOLD]),
    ]
    while len(query := urlencode(told)) > MOST_OF_ADDRESS:
        told.pop()
    return f"/catalogue/documents/imported?{query}"


@get("/catalogue/documents/imported")
async def show_report(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    at: Annotated[str, QueryParameter(max_length=100)],
    unchanged: Annotated[int, QueryParameter(ge=0)] = 0,
    problem: _Texts = None,
    new: _Texts = None,
) -> Response[str]:
    """What an import changed, as the database has it; what it left out, as it was told then."""
    moment = parse_moment(at, now=datetime.now(UTC))
    async with database.session() as session:
        found = await catalogue_queries.entries_imported(session, moment)
    fresh = {one.known_issue_id for one in found if not one.retired_at}
    return await pages.draw(
        request,
        "import_report.html",
        at=moment,
        found=found,
        unchanged=unchanged,
        problems=problem or [],
        returned=[name for name in new or [] if name not in fresh],
    )


handlers = (choose_documents, preview_documents, import_documents, show_report)
