"""`/catalogue`: the entries, one entry with all there is about it, and what nobody wrote down."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.catalogue.live import LiveCatalogue
from app.database import Database
from app.pages import document_page, markdown
from app.pages.drawing import Pages
from app.pages.entries import changes_of, rules_as_text
from app.query import catalogue_queries, queries
from app.query.catalogue_views import EntryFilter, EntryOrder, EntryState
from app.query.handlers import UnknownKnownIssue
from app.query.root_queries import incidents_of_roots
from app.shapes import NO_NUL

LINES: Final = 100
_MOST_PAGES: Final = 10_000
_DEBTS: Final = 100
_Text = Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)]
_Choice = Annotated[str, QueryParameter(max_length=20)]
_Chosen = TypeVar("_Chosen", EntryState, EntryOrder)


@get("/catalogue")
async def list_entries(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    q: _Text = "",
    document: _Text = "",
    show: _Choice = "",
    order: _Choice = "",
    page: Annotated[int, QueryParameter(ge=1, le=_MOST_PAGES)] = 1,
) -> Response[str]:
    """Entries with how they fare; every filter stands in the address."""
    wanted = EntryFilter(
        words=q,
        document=document,
        state=_chosen(show, EntryState, EntryState.CURRENT),
        order=_chosen(order, EntryOrder, EntryOrder.CHAINS),
    )
    skip = (page - 1) * LINES
    async with database.session() as session:
        found = await catalogue_queries.list_entries(session, wanted, limit=LINES + 1, skip=skip)
        totals = await catalogue_queries.totals(session)
        documents = await catalogue_queries.documents(session)
    return await pages.draw(
        request,
        "catalogue.html",
        entries=found[:LINES],
        more=len(found) > LINES,
        page=page,
        wanted=wanted,
        totals=totals,
        documents=documents,
        inline=markdown.render_line,
    )


@get("/catalogue/documents/missing")
async def show_debt(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
) -> Response[str]:
    """Errors that no document explains, those that fail most chains first."""
    async with database.session() as session:
        debts = await queries.documentation_debt(session, limit=_DEBTS)
        debtors = await incidents_of_roots(session, [one.signature_id for one in debts])
    return await pages.draw(
        request, "catalogue_debt.html", debts=debts, debtors=debtors, most=_DEBTS
    )


@get("/catalogue/{known_issue_id:str}")
async def show_entry(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
    known_issue_id: FromPath[str],
    version: Annotated[int | None, QueryParameter(ge=1, le=1_000_000)] = None,
) -> Response[str]:
    """An entry: what to do, why it is believed, and what it was before."""
    async with database.session() as session:
        entry = await catalogue_queries.find_entry(session, known_issue_id, now=datetime.now(UTC))
    if entry is None:
        raise UnknownKnownIssue
    return await pages.draw(
        request,
        "entry.html",
        entry=entry,
        markdown=markdown.render,
        inline=markdown.render_line,
        most_incidents=catalogue_queries.INCIDENTS,
        rules=rules_as_text(entry),
        change=changes_of(entry, version),
        is_matched=known_issue_id in catalogue.matcher.issues,
    )


def _chosen(given: str, choices: type[_Chosen], usual: _Chosen) -> _Chosen:
    return choices(given) if given in set(choices) else usual


handlers = (list_entries, show_debt, show_entry, *document_page.handlers)
