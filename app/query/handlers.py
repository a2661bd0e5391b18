"""What engineers ask: chains, incidents, known issues, and whether an error is known."""

from typing import Annotated, Any

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from app.catalogue.judging import UnknownSignature
from app.catalogue.live import LiveCatalogue
from app.catalogue.matcher import subject_of
from app.catalogue.model import Tier
from app.database import Database
from app.errors import NotFound
from app.normalise.record import ReportedException
from app.query import queries
from app.query.drafting import begin_entry
from app.query.incident_handlers import get_incident, list_events, list_hours, list_incidents
from app.query.match_views import live_match_view
from app.query.views import (
    Debt,
    KnownIssueSummary,
    KnownIssueView,
    MatchAnswer,
)
from app.shapes import KnownIssueId, SignatureId, example_body, problems, shown


class UnknownKnownIssue(NotFound):
    """The catalogue has no entry with this ID."""


class MatchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An error as a person or a CI job has it: text, an exception, or both."""

    text: Annotated[str, msgspec.Meta(max_length=1_048_576)] = ""
    exception: ReportedException | None = None
    service: str = ""
    level: str = ""
    release: str = ""
    attributes: dict[str, Any] = {}
    suggest: bool = False
    """Also name entries that merely share words, when none explains the error."""

    def __post_init__(self) -> None:
        if not self.text.strip() and self.exception is None:
            raise ValueError("give the error in `text`, in `exception`, or in both")


@get("/known-issues", operation_id="listKnownIssues", responses=problems(400, 503))
async def list_known_issues(database: NamedDependency[Database]) -> list[KnownIssueSummary]:
    """Every entry of the catalogue."""
    async with database.session() as session:
        return await queries.list_known_issues(session)


@get(
    "/known-issues/{known_issue_id:str}",
    operation_id="getKnownIssue",
    responses=problems(400, 404, 503),
)
async def get_known_issue(
    known_issue_id: KnownIssueId, database: NamedDependency[Database]
) -> KnownIssueView:
    """One entry: symptoms, causes, fix, and where in which document it stands."""
    # PostgreSQL refuses to compare a text that holds NUL.
    found = None
    if "\0" not in known_issue_id:
        async with database.session() as session:
            found = await queries.known_issue(session, known_issue_id)
    if found is None:
        raise UnknownKnownIssue
    return found


@get("/documentation-debt", operation_id="documentationDebt", responses=problems(400, 503))
async def documentation_debt(
    database: NamedDependency[Database],
    limit: Annotated[int, QueryParameter(ge=1, le=500, examples=shown(50))] = 50,
) -> list[Debt]:
    """Errors that no document explains, ranked by how many chains they fail."""
    async with database.session() as session:
        return await queries.documentation_debt(session, limit=limit)


@get(
    "/signatures/{signature_id:str}/draft",
    operation_id="draftEntry",
    media_type="text/markdown",
    responses=problems(400, 404, 503),
)
async def draft_known_issue(signature_id: SignatureId, database: NamedDependency[Database]) -> str:
    """A catalogue entry in Markdown, begun from an error: its text, chains, rule and sample."""
    if "\0" in signature_id:
        raise UnknownSignature
    async with database.session() as session:
        begun = await begin_entry(session, signature_id)
    if begun is None:
        raise UnknownSignature
    return begun[1]


@post(
    "/match",
    operation_id="matchError",
    operation_class=example_body(
        {"text": "TypeError: Object of type UUID is not JSON serializable", "suggest": True}
    ),
    status_code=200,
    responses=problems(400, 413),
)
async def match_error(
    data: JSONBody[MatchRequest], catalogue: NamedDependency[LiveCatalogue]
) -> MatchAnswer:
    """Which known issue an error is, why, and what to do; or that the catalogue knows none."""
    subject = subject_of(
        data.text,
        data.exception,
        service=data.service,
        level=data.level,
        release=data.release,
        attributes=data.attributes,
    )
    matcher = catalogue.matcher
    matches = matcher.match(subject, suggest=data.suggest)
    found = [live_match_view(match, matcher) for match in matches]
    known = bool(matches) and matches[0].tier is not Tier.SUGGESTED
    return MatchAnswer(
        known=known,
        match=found[0] if known else None,
        others=tuple(found[1:] if known else found),
    )


router = Router(
    path="/api",
    route_handlers=[
        list_incidents,
        get_incident,
        list_events,
        list_hours,
        list_known_issues,
        get_known_issue,
        documentation_debt,
        draft_known_issue,
        match_error,
    ],
)
