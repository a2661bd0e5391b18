"""`/incidents/{id}`: what broke, and what the team did about it last time."""

from typing import Annotated, Any, Final
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Redirect

from app.pages import incident_changes, incident_draft, incident_verdicts
from app.pages.drawing import own_address
from app.pages.headers import PRIVATE
from app.pages.incident_markdown import as_markdown
from app.pages.incident_reading import DESK, Desk, id_in
from app.query import incident_queries
from app.query.incident_handlers import read_incident
from app.settings import Settings

_MARKDOWN: Final = ".md"
_Word = Annotated[str, QueryParameter(max_length=40)]


@get("/incidents/{name:str}", dependencies=DESK)
async def show_incident(
    *,
    name: FromPath[str],
    desk: NamedDependency[Desk],
    settings: NamedDependency[Settings],
    suggest: _Word = "",
    merged: _Word = "",
) -> Response[Any]:
    """The page; with `.md` behind the ID the same as Markdown, for a ticket."""
    if name.endswith(_MARKDOWN):
        return await _markdown(id_in(name.removesuffix(_MARKDOWN)), desk, settings)
    incident_id = id_in(name)
    async with desk.database.session() as session:
        standing = await incident_queries.incident_standing(session, incident_id)
    if standing and standing.merged_into:
        return Redirect(f"/incidents/{standing.merged_into}?merged={incident_id}", status_code=303)
    return await desk.draw_incident(incident_id, suggest=bool(suggest), merged=_id_or_none(merged))


async def _markdown(incident_id: UUID, desk: Desk, settings: Settings) -> Response[str]:
    async with desk.database.session() as session:
        incident = await read_incident(session, incident_id)
    base = own_address(desk.request, settings)
    return Response(as_markdown(incident, base=base), media_type="text/markdown", headers=PRIVATE)


def _id_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


handlers = (
    show_incident,
    *incident_changes.handlers,
    *incident_verdicts.handlers,
    *incident_draft.handlers,
)
