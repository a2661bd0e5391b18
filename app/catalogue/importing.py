"""Documents that a person gives: a look at what they would change, and the change itself."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.documents import Compiled, compile_document, compile_together
from app.catalogue.live import compile_matcher
from app.catalogue.matcher import Matcher
from app.catalogue.matching import Preview, preview_change
from app.catalogue.model import KnownIssue, Problem
from app.catalogue.queries import IMPORTED, Synced, sync_known_issues
from app.catalogue.reading import MAX_DOCUMENT_BYTES, NotADocument, decode_document


class Upload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document as a person has it."""

    name: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^/\\\x00]+$")]
    text: Annotated[str, Meta(max_length=MAX_DOCUMENT_BYTES)]


class Foreseen(msgspec.Struct, frozen=True, kw_only=True):
    """What an import would do; nothing was saved."""

    entries: tuple[str, ...]
    changes: Synced
    effects: tuple[Preview, ...]
    problems: tuple[Problem, ...]


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, and when by the database's clock."""

    changes: Synced
    problems: tuple[Problem, ...]
    stored_at: datetime


def compile_uploads(documents: list[Upload]) -> Compiled:
    """Entries of all of them; a broken one is a problem and costs no other."""
    return compile_together([_compile(document) for document in documents])


def _compile(document: Upload) -> Compiled:
    try:
        text = decode_document(document.text.encode("utf-8", "surrogatepass"))
    except NotADocument as error:
        problem = Problem(document=document.name, line=1, reason=str(error))
        return Compiled(problems=(problem,))
    return compile_document(document.name, text)


async def store_documents(session: AsyncSession, documents: list[Upload]) -> Stored:
    """Store their entries; what is gone from one of them is retired."""
    compiled = compile_uploads(documents)
    synced = await _sync(session, documents, compiled)
    return Stored(
        changes=synced,
        problems=compiled.problems + synced.problems,
        stored_at=(await session.execute(select(func.now()))).scalar_one(),
    )


async def foresee_documents(
    session: AsyncSession, documents: list[Upload], before: Matcher
) -> Foreseen:
    """The same, undone; and what it would change among the signatures stored now."""
    compiled = compile_uploads(documents)
    async with session.begin_nested() as tried:
        synced = await _sync(session, documents, compiled)
        await tried.rollback()
    names = {document.name for document in documents}
    kept = {n: i for n, i in before.issues.items() if i.provenance.document not in names}
    merged: dict[str, KnownIssue] = {**{i.known_issue_id: i for i in compiled.issues}, **kept}
    return Foreseen(
        entries=tuple(issue.known_issue_id for issue in compiled.issues),
        changes=synced,
        effects=await preview_change(session, before, compile_matcher(merged.values())),
        problems=compiled.problems + synced.problems,
    )


async def _sync(session: AsyncSession, documents: list[Upload], compiled: Compiled) -> Synced:
    return await sync_known_issues(
        session,
        compiled.issues,
        collection=IMPORTED,
        # What could not be read is no reason to retire what was read of it before.
        documents={document.name for document in documents}
        - {problem.document for problem in compiled.problems},
    )
