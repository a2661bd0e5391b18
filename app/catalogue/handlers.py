"""How the catalogue changes over HTTP: documents in, a look before saving, verdicts of people."""

from typing import Annotated, Final

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from app.catalogue.importing import Upload, foresee_documents, store_documents
from app.catalogue.judging import Judgement, judge
from app.catalogue.live import LiveCatalogue
from app.catalogue.matching import Preview
from app.catalogue.model import Problem
from app.catalogue.queries import Synced
from app.database import Database
from app.shapes import SignatureId, example_body, problems

_DOCUMENT: Final = {
    "documents": [
        {
            "name": "payments.md",
            "text": "## Card declined twice\n\nSymptoms: `CardDeclined: do_not_honor` comes again."
            "\n\n### Fix\n\nAsk for another card; the bank says no for good.\n",
        }
    ]
}


class UploadedDocuments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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


@post(
    "/catalogue/documents",
    operation_id="importDocuments",
    operation_class=example_body(_DOCUMENT),
    responses=problems(400, 413, 503),
)
async def import_documents(
    data: JSONBody[UploadedDocuments], database: NamedDependency[Database]
) -> ImportAnswer:
    """Compile documents and store their entries; what is gone from one of them is retired."""
    async with database.session() as session:
        stored = await store_documents(session, data.documents)
    return ImportAnswer(changes=stored.changes, problems=stored.problems)


@post(
    "/catalogue/preview",
    operation_id="previewImport",
    operation_class=example_body(_DOCUMENT),
    status_code=200,
    responses=problems(400, 413, 503),
)
async def preview_import(
    data: JSONBody[UploadedDocuments],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
) -> PreviewAnswer:
    """What importing these documents would change among the signatures stored now."""
    async with database.session() as session:
        foreseen = await foresee_documents(session, data.documents, catalogue.matcher)
    return PreviewAnswer(
        entries=foreseen.entries, effects=foreseen.effects, problems=foreseen.problems
    )


@post(
    "/signatures/{signature_id:str}/verdicts",
    operation_id="judgeMatch",
    operation_class=example_body(
        {
            "known_issue_id": "uuid-not-json-serializable",
            "verdict": "confirmed",
            "decided_by": "ana",
            "note": "it was the payload of the queue",
        }
    ),
    status_code=204,
    responses=problems(400, 404, 409, 503),
)
async def judge_match(
    signature_id: SignatureId,
    data: JSONBody[Judgement],
    database: NamedDependency[Database],
    catalogue: NamedDependency[LiveCatalogue],
) -> None:
    """Confirm or reject a match. A rejected pairing never comes back for this signature."""
    async with database.session() as session:
        await judge(session, catalogue.matcher, signature_id, data)


router = Router(path="/api", route_handlers=[import_documents, preview_import, judge_match])
