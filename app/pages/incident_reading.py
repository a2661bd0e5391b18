"""Everything the page of an incident shows, read in one transaction."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.di import NamedDependency, Provide
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.judging import version_of
from app.catalogue.live import LiveCatalogue
from app.database import Database
from app.incidents.changes import UnknownIncident
from app.pages.author import name_of
from app.pages.drawing import Pages
from app.pages.highlight import Line, marked_lines, quoted_marks, shared_marks
from app.pages.incident_words import possible_changes, spoken_title, told
from app.pages.markdown import render, render_line
from app.query import incident_queries
from app.query.fix_views import FixView
from app.query.fixes import read_fix
from app.query.hours import filled, hours_between
from app.query.incident_handlers import read_incident
from app.query.incident_views import HourView, IncidentView
from app.query.views import MatchView

DAY: Final = timedelta(days=1)
WEEK: Final = timedelta(days=7)


class HeldClause(msgspec.Struct, frozen=True, kw_only=True):
    """A rule or a quotation of the entry that held."""

    kind: str
    lines: tuple[Line, ...]
    line: int
    """Of the document; 0 when it is not known."""


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """What every handler here needs."""

    request: Request[Any, Any, Any]
    pages: Pages
    database: Database
    catalogue: LiveCatalogue

    async def draw_incident(
        self, incident_id: UUID, *, status: int = 200, suggest: bool = False, **values: Any
    ) -> Response[str]:
        """The page of an incident. Raises `UnknownIncident`."""
        async with self.database.session() as session:
            read = await read_page(
                session, incident_id, self.catalogue, now=datetime.now(UTC), suggest=suggest
            )
        values = {"problem": "", "conflict": None, "merged": None, **values}
        return await self.pages.draw(
            self.request,
            "incident.html",
            status=status,
            suggest=suggest,
            own_name=name_of(self.request),
            **read,
            **values,
        )


async def _desk(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
) -> Desk:
    return Desk(request=request, pages=pages, database=database, catalogue=catalogue)


DESK: Final = {"desk": Provide(_desk)}
"""The dependency `desk` of the handlers."""


def id_in(name: str) -> UUID:
    """Raises `UnknownIncident`: what is no ID is the ID of none."""
    try:
        return UUID(name)
    except ValueError as error:
        raise UnknownIncident from error


async def read_page(
    session: AsyncSession,
    incident_id: UUID,
    catalogue: LiveCatalogue,
    *,
    now: datetime,
    suggest: bool,
) -> dict[str, Any]:
    """The values of the template, by name. Raises `UnknownIncident`."""
    incident = await read_incident(session, incident_id)
    fix = await read_fix(
        session, incident.root_signature_id, incident.match, catalogue.matcher, suggest=suggest
    )
    hours = await _read_hours(session, incident, now=now)
    return {
        "incident": incident,
        "title": spoken_title(incident),
        "fix": fix,
        "error_lines": _error_lines(fix),
        "document_lines": _document_lines(fix),
        "clauses": _clauses(fix.match),
        "verdicts_version": version_of(fix.verdicts[0].decided_at if fix.verdicts else None),
        "judged": {one.known_issue_id: one for one in fix.verdicts},
        "hours": hours,
        "errors_by_hour": [sum(c.errors for c in one.services.values()) for one in hours],
        "possible": possible_changes(incident.status),
        "told": told,
        "render": render,
        "render_line": render_line,
    }


async def _read_hours(
    session: AsyncSession, incident: IncidentView, *, now: datetime
) -> tuple[HourView, ...]:
    """The last day, or the last week of one that is older; of an old one its own last week."""
    end = now if now - incident.last_seen < WEEK else incident.last_seen
    span = DAY if now - incident.first_seen < DAY else WEEK
    hours = hours_between(end - span, end, now=now)
    counts = await incident_queries.hours_of_incident(
        session, incident.incident_id, since=hours[0], until=hours[-1] + timedelta(hours=1)
    )
    return filled(hours, counts)


def _error_lines(fix: FixView) -> tuple[Line, ...]:
    evidence = fix.match.evidence if fix.match else ()
    return marked_lines(fix.error, quoted_marks(fix.error, evidence))


def _document_lines(fix: FixView) -> tuple[Line, ...]:
    """The symptoms of the entry, with the words that its evidence has too."""
    if not fix.match or not fix.symptoms:
        return ()
    quotes = " ".join(one.quote for one in fix.match.evidence)
    return marked_lines(fix.symptoms, shared_marks(fix.symptoms, quotes), most=8)


def _clauses(match: MatchView | None) -> list[HeldClause]:
    """The rules or quotations that held, with the words they share with the error."""
    if match is None:
        return []
    found = []
    for one in match.evidence:
        kind, _, words = one.clause.partition(": ")
        lines = marked_lines(words, shared_marks(words, one.quote))
        found.append(HeldClause(kind=kind, lines=lines, line=one.line))
    return found
