"""What people say of the fix: it is this one, it is not, it is that other one."""

import enum
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect
from msgspec import Meta

from app.catalogue.judging import (
    JudgedMeanwhile,
    Judgement,
    NotAMatch,
    choose,
    hold,
    judge,
)
from app.catalogue.model import Verdict
from app.incidents.changes import UnknownIncident
from app.pages.author import name_of, remember
from app.pages.incident_changes import Conflict
from app.pages.incident_reading import DESK, Desk, id_in
from app.preconditions import etag
from app.query import incident_queries
from app.shapes import NO_NUL

_URLENCODED: Final = Body(media_type=RequestEncodingType.URL_ENCODED)


class Say(enum.StrEnum):
    CONFIRM = "confirm"
    REJECT = "reject"
    CHOOSE = "choose"


class VerdictForm(msgspec.Struct, frozen=True, kw_only=True):
    known_issue_id: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
    say: Say
    version: Annotated[int, Meta(ge=0, le=2**62)]
    """Of what was said of the error, as far as the person had read."""
    done_by: Annotated[str, Meta(max_length=200, pattern=NO_NUL)] = ""
    note: Annotated[str, Meta(max_length=2000, pattern=NO_NUL)] = ""


@post("/incidents/{name:str}/verdict", dependencies=DESK)
async def say_verdict(
    name: FromPath[str], data: Annotated[VerdictForm, _URLENCODED], desk: NamedDependency[Desk]
) -> Response[Any]:
    """Judge the match of the incident's root signature, and lead back to what it is now."""
    incident_id = id_in(name)
    who = data.done_by.strip() or name_of(desk.request)
    judgement = Judgement(
        known_issue_id=data.known_issue_id,
        verdict=Verdict.REJECTED if data.say is Say.REJECT else Verdict.CONFIRMED,
        decided_by=who,
        note=data.note.strip(),
    )
    decide = choose if data.say is Say.CHOOSE else judge
    try:
        async with desk.database.session() as session:
            standing = await incident_queries.incident_standing(session, incident_id)
            if standing is None:
                raise UnknownIncident
            root = standing.root_signature_id
            await hold(session, root, etag(data.version))
            await decide(session, desk.catalogue.matcher, root, judgement)
    except JudgedMeanwhile as error:
        conflict = _conflict(data, who, error)
        return await desk.draw_incident(incident_id, status=412, conflict=conflict)
    except NotAMatch as error:
        return await desk.draw_incident(incident_id, status=409, problem=str(error))
    cookies = [remember(who)] if who else []
    return Redirect(f"/incidents/{incident_id}", status_code=303, cookies=cookies)


def _conflict(form: VerdictForm, who: str, error: JudgedMeanwhile) -> Conflict:
    said = error.newest
    newest = said and {
        "done_by": said.decided_by or "Somebody",
        "kind": f"{said.verdict.value} {said.known_issue_id}",
        "details": {"note": said.note},
    }
    fields = {"known_issue_id": form.known_issue_id, "say": form.say.value, "done_by": who}
    return Conflict(
        wanted="verdict",
        fields={**fields, **({"note": form.note} if form.note else {})},
        newest=newest,
        happened_at=said.decided_at if said else None,
    )


handlers = (say_verdict,)
