"""How the catalogue changes over HTTP: documents in, a look before saving, verdicts of people."""

from typing import Annotated

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from msgspec import Meta

from app.catalogue.documents import Compiled, compile_document, compile_together
from app.catalogue.judging import Judgement, judge
from app.catalogue.live import LiveCatalogue, compile_matcher
from app.catalogue.matching import Preview, preview_change
from app.catalogue.model import KnownIssue, Problem
from app.catalogue.queries import IMPORTED, Synced, sync_known_issues
from app.catalogue.reading import MAX_DOCUMENT_BYTES, NotADocument, decode_document
from app.database import Database
from app.shapes import problems


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A document as a person has it."""

    name: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^/\\\x00]+$")]
    text: Annotated[str, Meta(max_length=MAX_DOCUMENT_BYTES)]


class UploadedDocuments(msgspec.Struct, frozen=True, kw_only=True):
    documents: Annotated[list[Upload], Meta(min_length=1, max_length=200)]


class ImportAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, by entry id; a broken entry is named and costs no other."""

    changes: Synced
    problems: tuple[Problem, ...]


class PreviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What an import would do; nothing was saved."""

    entries: tuple[str, ...]
    effects: tuple[Preview, ...]
    problems: tuple[Problem, ...]


@post("/catalogue/documents", operation_id="importDocuments", responses=problems(400, 413, 503))
async def import_documents(
    data: JSONBody[UploadedDocuments], database: NamedDependency[Database]
) -> ImportAnswer:
    """Compile documents and store their entries; what is gone from one of them is retired."""
    compiled = _compile(data.documents)
    async with database.session() as session:
        synced = await sync_known_issues(
            session,
            compiled.issues,
            collection=IMPORTED,
            # What could not be read is no reason to retire what was read of it before.
            documents={document.name for document in data.documents}
            - {problem.document for problem in compiled.problems},
        )
    return ImportAnswer(changes=synced, problems=compiled.problems + synced.problems)


@post(
    "/catalogue/preview",
    operation_id="previewImport",
    status_code=200,
    responses=problems(400, 413, 503),
)
async def preview_import(
    data: JSONBody[UploadedDocuments],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
) -> PreviewAnswer:
    """What importing these documents would change among the signatures stored now."""
    compiled = _compile(data.documents)
    before = catalogue.matcher
    names = {document.name for document in data.documents}
    kept = {n: i for n, i in before.issues.items() if i.provenance.document not in names}
    merged: dict[str, KnownIssue] = {**{i.known_issue_id: i for i in compiled.issues}, **kept}
    async with database.session() as session:
        effects = await preview_change(session, before, compile_matcher(merged.values()))
    return PreviewAnswer(
        entries=tuple(issue.known_issue_id for issue in compiled.issues),
        effects=effects,
        problems=compiled.problems,
    )


def _compile(documents: list[Upload]) -> Compiled:
    return compile_together([_compile_upload(document) for document in documents])


def _compile_upload(document: Upload) -> Compiled:
    try:
        text = decode_document(document.text.encode("utf-8", "surrogatepass"))
    except NotADocument as error:
        problem = Problem(document=document.name, line=1, reason=str(error))
        return Compiled(problems=(problem,))
    return compile_document(document.name, text)


@post(
    "/signatures/{signature_id:str}/verdicts",
    operation_id="judgeMatch",
    status_code=204,
    responses=problems(400, 404, 409, 503),
)
async def judge_match(
    signature_id: FromPath[str],
    data: JSONBody[Judgement],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
) -> None:
    """Confirm or reject a match. A rejected pairing never comes back for this signature."""
    async with database.session() as session:
        await judge(session, catalogue.matcher, signature_id, data)


router = Router(path="/api", route_handlers=[import_documents, preview_import, judge_match])
