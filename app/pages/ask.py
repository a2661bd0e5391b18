"""`/ask`: paste any error and see which known issue it is, and why; or that none is."""

import asyncio
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, QueryParameter
from litestar.response import Redirect
from msgspec import Meta

from app.catalogue.live import LiveCatalogue
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import KnownIssue, Match, Tier
from app.database import Database, DatabaseUnavailable
from app.pages import markdown
from app.pages.drawing import Pages
from app.pages.highlight import Line, marked_lines, quoted_marks
from app.pages.record_errors import Raised, errors_of
from app.query import ask_queries
from app.query.ask_queries import Seen
from app.signatures import ErrorReport, Signature, read_error, sign_text

MOST_CHARACTERS: Final = 1_048_576
LONG: Final = 4_000
"""Characters from which on reading an error is no matter of a moment."""
LONGEST_TOKEN: Final = 200
MOST_OF_ADDRESS: Final = 4_000
"""A longer error has no address: servers and proxies refuse those."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    text: Annotated[str, Meta(max_length=MOST_CHARACTERS)] = ""
    service: Annotated[str, Meta(max_length=200)] = ""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A match with the entry that the matcher holds."""

    match: Match
    issue: KnownIssue
    lines: tuple[Line, ...]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    signature: Signature
    report: ErrorReport
    raised: tuple[Raised, ...]
    matches: tuple[Found, ...]
    """The first one explains the error; the others lost to it."""
    suggestions: tuple[Found, ...]
    looked_at: int
    seen: Seen | None = None
    chain: str = ""
    """Its correlation ID, when that is what was asked about."""


@get("/ask")
async def ask(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
    text: Annotated[str, QueryParameter(max_length=MOST_OF_ADDRESS)] = "",
    service: Annotated[str, QueryParameter(max_length=200)] = "",
) -> Response[str]:
    """The question in the address, so that a colleague can be sent it."""
    return await _draw(request, pages, database, catalogue, Question(text=text, service=service))


@post("/ask", status_code=200)
async def ask_at_length(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
    data: Annotated[Question, Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> Response[Any]:
    """A short question gets an address; a long one its answer at once."""
    asked = {name: value for name, value in msgspec.structs.asdict(data).items() if value}
    if len(data.text) <= MOST_OF_ADDRESS:
        return Redirect(f"/ask?{urlencode(asked)}" if asked else "/ask", status_code=303)
    return await _draw(request, pages, database, catalogue, data)


async def _draw(
    request: Request[Any, Any, Any],
    pages: Pages,
    database: Database,
    catalogue: LiveCatalogue,
    question: Question,
) -> Response[str]:
    answer = None
    if question.text.strip():
        answer = await _answer(database, catalogue.matcher, question)
    return await pages.draw(
        request,
        "ask.html",
        question=question,
        answer=answer,
        entries=len(catalogue.matcher.issues),
        markdown=markdown.render,
        inline=markdown.render_line,
    )


async def _answer(database: Database, matcher: Matcher, question: Question) -> Answer:
    # As browsers send it, lines end in CR LF; no log record's do.
    text = question.text.replace("\r\n", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}")
    work = (matcher, text, question.service)
    # A whole log takes half a second, in which nobody else would be answered.
    read = await asyncio.to_thread(_read, *work) if len(text) > LONG else _read(*work)
    seen, chain = await _stored(database, read.signature.signature_id, text.strip())
    return msgspec.structs.replace(read, seen=seen, chain=chain)


def _read(matcher: Matcher, text: str, service: str) -> Answer:
    """What the text and the catalogue say."""
    report = read_error(text)
    matches = matcher.match(subject_of(text, service=service), suggest=True)
    found = tuple(
        Found(
            match=match,
            issue=matcher.issues[match.known_issue_id],
            lines=_marked(text, match),
        )
        for match in matches
    )
    is_known = bool(matches) and matches[0].tier is not Tier.SUGGESTED
    return Answer(
        signature=sign_text(text),
        report=report,
        raised=errors_of(report),
        matches=found if is_known else (),
        suggestions=() if is_known else found,
        looked_at=len(matcher.issues),
    )


def _marked(text: str, match: Match) -> tuple[Line, ...]:
    """Words in common are no evidence, and are not marked."""
    evidence = match.evidence if match.tier is not Tier.SUGGESTED else ()
    return marked_lines(text, quoted_marks(text, evidence))


async def _stored(database: Database, signature_id: str, text: str) -> tuple[Seen | None, str]:
    """Whether the error was seen, and the text when it is the correlation ID of a chain.

    Neither when the database is away: the catalogue is in memory, and answers all the same.
    """
    try:
        async with database.session() as session:
            seen = await ask_queries.seen(session, signature_id)
            is_token = len(text) <= LONGEST_TOKEN and len(text.split()) == 1
            is_chain = is_token and await ask_queries.is_chain(session, text)
            return seen, text if is_chain else ""
    except DatabaseUnavailable:
        return None, ""


handlers = (ask, ask_at_length)
