"""`/incidents/{id}/draft`: an entry written from an incident, looked at before it is saved."""

import enum
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath, QueryParameter
from litestar.response import Redirect
from msgspec import Meta

from app.catalogue.checking import violations
from app.catalogue.documents import Compiled, compile_document
from app.catalogue.importing import Foreseen, Upload, foresee_documents, store_documents
from app.catalogue.live import compile_matcher
from app.catalogue.matching import match_signatures, subject_of_sample
from app.catalogue.model import Match, Problem
from app.catalogue.queries import sample_of
from app.catalogue.reading import MAX_DOCUMENT_BYTES
from app.incidents.changes import UnknownIncident
from app.pages.drawing import asks_for_part
from app.pages.incident_reading import DESK, Desk, id_in
from app.pages.markdown import render, render_line
from app.query import incident_queries
from app.query.draft import WHAT_TO_DO
from app.query.drafting import begin_entry
from app.query.incident_views import IncidentStanding
from app.shapes import NO_NUL

_TEMPLATE: Final = "incident_draft.html"
_Entry = Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)]


class Step(enum.StrEnum):
    READ = "read"
    """What the text says so far, while somebody writes."""
    EFFECT = "effect"
    """And what it would change among all signatures."""
    SAVE = "save"


class DraftForm(msgspec.Struct, frozen=True, kw_only=True):
    document: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^/\\\x00]+$")]
    text: Annotated[str, Meta(max_length=MAX_DOCUMENT_BYTES)]
    step: Step = Step.READ
    entry: Annotated[str, Meta(max_length=200, pattern=NO_NUL)] = ""
    """Whose causes and fix it began with, if any."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a text would be as entries."""

    compiled: Compiled
    match: Match | None
    """How it would explain the error that it was begun from."""
    effect: Foreseen | None = None


@get("/incidents/{name:str}/draft", dependencies=DESK)
async def show_draft(
    name: FromPath[str], desk: NamedDependency[Desk], entry: _Entry = ""
) -> Response[str]:
    """A text to begin with; of `entry`, an entry of the catalogue, with its causes and its fix."""
    async with desk.database.session() as session:
        incident = await incident_queries.incident_standing(session, id_in(name))
        if incident is None:
            raise UnknownIncident
        begun = await begin_entry(session, incident.root_signature_id)
    if begun is None:
        raise UnknownIncident
    text = begun[1]
    if issue := desk.catalogue.matcher.issues.get(entry):
        text = text.replace("[why it happens]", issue.causes or "[why it happens]", 1)
        text = text.replace(WHAT_TO_DO, issue.fix or WHAT_TO_DO, 1)
    document = f"incident-{str(incident.incident_id)[:8]}.md"
    form = DraftForm(document=document, text=text, entry=entry if issue else "")
    return await _draw(desk, incident, form)


@post("/incidents/{name:str}/draft", dependencies=DESK)
async def change_draft(
    name: FromPath[str],
    data: Annotated[DraftForm, Body(media_type=RequestEncodingType.URL_ENCODED)],
    desk: NamedDependency[Desk],
) -> Response[Any]:
    """Preview it, or save it as a document of the catalogue: then the incident shows its fix."""
    incident_id = id_in(name)
    async with desk.database.session() as session:
        incident = await incident_queries.incident_standing(session, incident_id)
    if incident is None:
        raise UnknownIncident
    if data.step is not Step.SAVE:
        return await _draw(desk, incident, data)
    reading = await _read(desk, incident.root_signature_id, data)
    problems = _unready(reading, data) or await _save(desk, incident, data)
    if problems:
        return await _draw(desk, incident, data, status=400, refused=problems)
    return Redirect(f"/incidents/{incident_id}", status_code=303)


def _compile(form: DraftForm) -> Compiled:
    compiled = compile_document(form.document, form.text)
    if compiled.issues or compiled.problems:
        missed = violations(compile_matcher(compiled.issues))
        return Compiled(issues=compiled.issues, problems=(*compiled.problems, *missed))
    reason = "there is no entry in it: an entry is a heading with `### Fix` below it"
    return Compiled(problems=(Problem(document=form.document, line=1, reason=reason),))


def _unready(reading: Reading, form: DraftForm) -> tuple[Problem, ...]:
    """Why it would be no entry for this incident."""
    if reading.compiled.problems:
        return reading.compiled.problems
    line = next((n for n, one in enumerate(form.text.splitlines(), 1) if WHAT_TO_DO in one), 0)
    reason = f"the fix still says {WHAT_TO_DO}: write what helps in its place"
    if not line and reading.match is None:
        line, reason = 1, "its rules do not hold for the error of this incident; preview it"
    return (Problem(document=form.document, line=line, reason=reason),) if line else ()


async def _save(desk: Desk, incident: IncidentStanding, form: DraftForm) -> tuple[Problem, ...]:
    """Import it, and match the error of this incident at once; others follow in the background."""
    async with desk.database.session() as session:
        stored = await store_documents(session, [_upload(form)])
    if stored.problems:
        return stored.problems
    async with desk.database.session() as session:
        await desk.catalogue.refresh(session)
        matcher = desk.catalogue.matcher
        await match_signatures(session, matcher, among=[incident.root_signature_id])
    return ()


def _upload(form: DraftForm) -> Upload:
    return Upload(name=form.document, text=form.text.replace("\r\n", "\n"))


async def _draw(
    desk: Desk,
    incident: IncidentStanding,
    form: DraftForm,
    *,
    status: int = 200,
    refused: tuple[Problem, ...] = (),
) -> Response[str]:
    return await desk.pages.draw(
        desk.request,
        _TEMPLATE,
        status=status,
        block="preview" if asks_for_part(desk.request) else None,
        incident=incident,
        form=form,
        reading=await _read(desk, incident.root_signature_id, form),
        refused=refused,
        begun_from=desk.catalogue.matcher.issues.get(form.entry),
        render=render,
        render_line=render_line,
    )


async def _read(desk: Desk, signature_id: str, form: DraftForm) -> Reading:
    compiled = _compile(form)
    async with desk.database.session() as session:
        sample = await sample_of(session, signature_id)
    match = _match(compiled, sample or {"message": ""})
    effect = None
    if form.step is Step.EFFECT and not compiled.problems:
        async with desk.database.session() as session:
            effect = await foresee_documents(session, [_upload(form)], desk.catalogue.matcher)
    return Reading(compiled=compiled, match=match, effect=effect)


def _match(compiled: Compiled, sample: dict[str, Any]) -> Match | None:
    found = compile_matcher(compiled.issues).match(subject_of_sample(sample))
    return found[0] if found else None


handlers = (show_draft, change_draft)
