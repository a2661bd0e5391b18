"""How the catalogue changes over HTTP: documents in, a look before saving, verdicts of people."""

from typing import Annotated, Final

import msgspec
from litestar import Router, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from msgspec import Meta

from app.catalogue.importing import Upload, foresee_documents, store_documents
from app.catalogue.live import LiveCatalogue
from app.catalogue.matching import Preview, match_signatures, subject_of_sample
from app.catalogue.model import Problem, Verdict
from app.catalogue.queries import Synced, forget_match, sample_of, save_verdict
from app.database import Database
from app.errors import AppError, NotFound
from app.shapes import NO_NUL, SignatureId, example_body, problems

_DOCUMENT: Final = {
    "documents": [
        {
            "name": "payments.md",
            "text": "## Card declined twice\n\nSymptoms: `CardDeclined: do_not_honor` comes again."
            "\n\n### Fix\n\nAsk for another card; the bank says no for good.\n",
        }
    ]
}


class NotAMatch(AppError):
    """This entry does not explain this error, so there is nothing to confirm or to reject."""


class UnknownSignature(NotFound):
    """No error with this signature was ever stored."""


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


class Judgement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an engineer says of the pairing of a signature with a known issue."""

    known_issue_id: Annotated[str, Meta(min_length=1, max_length=200, pattern=NO_NUL)]
    verdict: Verdict
    decided_by: Annotated[str, Meta(max_length=200, pattern=NO_NUL)] = ""
    note: Annotated[str, Meta(max_length=2000, pattern=NO_NUL)] = ""


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
        sample = await sample_of(session, signature_id) if "\0" not in signature_id else None
        if sample is None:
            raise UnknownSignature
        found = catalogue.matcher.match(subject_of_sample(sample))
        if data.known_issue_id not in {match.known_issue_id for match in found}:
            raise NotAMatch
        values = msgspec.structs.asdict(data)
        await save_verdict(session, {**values, "signature_id": signature_id, "sample": sample})
        await forget_match(session, signature_id)
        await match_signatures(session, catalogue.matcher, among=[signature_id])


router = Router(path="/api", route_handlers=[import_documents, preview_import, judge_match])
