"""What engineers ask: chains, incidents, known issues, and whether an error is known."""

import base64
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import KnownIssue, Match
from app.database import Database
from app.errors import AppError, NotFound
from app.incidents.tables import IncidentStatus
from app.normalise.record import ReportedException
from app.query import queries
from app.query.assemble import assemble_chain
from app.query.views import (
    ChainView,
    IncidentPage,
    IncidentSummary,
    IncidentView,
    KnownIssueSummary,
    KnownIssueView,
    MatchAnswer,
    MatchView,
    Source,
)
from app.settings import Settings

SAMPLE_CHAINS = 20


class UnknownChain(NotFound):
    """No log record carries this correlation ID."""


class UnknownIncident(NotFound):
    """No incident has this ID."""


class UnknownKnownIssue(NotFound):
    """The catalogue has no entry with this ID."""


class InvalidCursor(AppError):
    """The cursor in `after` is none that this service gave out; leave it out to start anew."""


class MatchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An error as a person or a CI job has it: text, an exception, or both."""

    text: Annotated[str, msgspec.Meta(max_length=1_048_576)] = ""
    exception: ReportedException | None = None
    service: str = ""
    level: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip() and self.exception is None:
            raise ValueError("give the error in `text`, in `exception`, or in both")


@get("/chains/{correlation_id:str}", operation_id="getChain")
async def get_chain(
    correlation_id: FromPath[str],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
) -> ChainView:
    """All records with one correlation ID, in order, and which error came first."""
    most = settings.max_chain_records
    async with database.session() as session:
        records = await queries.chain_records(session, correlation_id, most=most + 1)
        if not records:
            raise UnknownChain
        names = {record.signature_id for record in records if record.signature_id}
        return assemble_chain(
            correlation_id,
            records,
            most=most,
            signatures=await queries.signatures_by_id(session, names),
            matches=await queries.matches_by_signature(session, names),
            incident_id=await queries.incident_of_chain(session, correlation_id),
        )


@get("/incidents", operation_id="listIncidents")
async def list_incidents(
    database: NamedDependency[Database],
    status: Annotated[IncidentStatus | None, QueryParameter()] = None,
    after: Annotated[str | None, QueryParameter(max_length=200)] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 50,
) -> IncidentPage:
    """Incidents, the one last seen first."""
    place = _read_cursor(after) if after else None
    async with database.session() as session:
        found = await queries.list_incidents(session, status=status, after=place, limit=limit + 1)
    page = tuple(found[:limit])
    return IncidentPage(incidents=page, next=_cursor(page[-1]) if len(found) > limit else None)


@get("/incidents/{incident_id:uuid}", operation_id="getIncident")
async def get_incident(
    incident_id: FromPath[UUID], database: NamedDependency[Database]
) -> IncidentView:
    """One incident: its root signature, its known issue and fix, symptoms, latest chains."""
    async with database.session() as session:
        summary = await queries.incident_summary(session, incident_id)
        if summary is None:
            raise UnknownIncident
        chains, symptoms = await queries.latest_chains(session, incident_id, limit=SAMPLE_CHAINS)
        root = summary.root_signature_id
        signatures = await queries.signatures_by_id(session, {root, *symptoms})
        matches = await queries.matches_by_signature(session, {root})
    return IncidentView(
        **msgspec.structs.asdict(summary),
        match=matches.get(root),
        signature=signatures[root],
        symptoms=tuple(signatures[name] for name in sorted(symptoms) if name in signatures),
        sample_chains=tuple(chains),
    )


@get("/known-issues", operation_id="listKnownIssues")
async def list_known_issues(database: NamedDependency[Database]) -> list[KnownIssueSummary]:
    """Every entry of the catalogue."""
    async with database.session() as session:
        return await queries.list_known_issues(session)


@get("/known-issues/{known_issue_id:str}", operation_id="getKnownIssue")
async def get_known_issue(
    known_issue_id: FromPath[str], database: NamedDependency[Database]
) -> KnownIssueView:
    """One entry: symptoms, causes, fix, and where in which document it stands."""
    async with database.session() as session:
        found = await queries.known_issue(session, known_issue_id)
    if found is None:
        raise UnknownKnownIssue
    return found


@post("/match", operation_id="matchError", status_code=200)
async def match_error(
    data: JSONBody[MatchRequest], matcher: NamedDependency[Matcher]
) -> MatchAnswer:
    """Which known issue an error is, why, and what to do; or that the catalogue knows none."""
    subject = subject_of(data.text, data.exception, service=data.service, level=data.level)
    found = [
        _match_view(match, matcher.issues[match.known_issue_id]) for match in matcher.match(subject)
    ]
    return MatchAnswer(
        known=bool(found), match=found[0] if found else None, others=tuple(found[1:])
    )


def _match_view(match: Match, issue: KnownIssue) -> MatchView:
    place = issue.provenance
    return MatchView(
        known_issue_id=issue.known_issue_id,
        title=issue.title,
        tier=match.tier,
        score=match.score,
        evidence=match.evidence,
        fix=issue.fix,
        caution=issue.caution,
        source=Source(
            document=place.document,
            heading_path=place.heading_path,
            first_line=place.first_line,
            last_line=place.last_line,
            origin=place.origin,
        ),
    )


def _cursor(incident: IncidentSummary) -> str:
    place = f"{incident.last_seen.isoformat()} {incident.incident_id}"
    return base64.urlsafe_b64encode(place.encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    try:
        moment, _, incident_id = base64.urlsafe_b64decode(cursor).decode().partition(" ")
        return datetime.fromisoformat(moment), UUID(incident_id)
    except ValueError as error:
        raise InvalidCursor from error


router = Router(
    path="/api",
    route_handlers=[
        get_chain,
        list_incidents,
        get_incident,
        list_known_issues,
        get_known_issue,
        match_error,
    ],
)
