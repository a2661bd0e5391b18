"""Rows of several tables -> one view. Pure."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from app.correlate.chain import Link, correlate
from app.query.views import ChainView, ErrorView, MatchView, RecordView, SignatureView

LONGEST_TEXT = 2_000


def assemble_chain(
    correlation_id: str,
    records: Sequence[RecordView],
    *,
    most: int,
    signatures: Mapping[str, SignatureView],
    matches: Mapping[str, MatchView],
    incident_id: UUID | None,
) -> ChainView:
    """The chain of these records; `most` of them are shown, and all of its errors."""
    shown = {(record.occurred_at, record.record_id): record for record in records}
    chain = correlate(_link(record) for record in shown.values())
    ordered = tuple(shown[link.occurred_at, link.record_id] for link in chain.links)
    errors = tuple(_error(r, signatures, matches) for r in ordered if r.signature_id)
    root = chain.root
    return ChainView(
        correlation_id=correlation_id,
        services=chain.services,
        failing=bool(errors),
        root=next((e for e in errors if root and e.record_id == root.record_id), None),
        match=matches.get(root.signature_id or "") if root else None,
        settled=incident_id is not None or not errors,
        incident_id=incident_id,
        errors=errors,
        records=ordered,
        capped=len(records) >= most,
    )


def _link(record: RecordView) -> Link:
    names = (name for name in Link.__struct_fields__ if not name.startswith("exception_"))
    raised = record.exception
    return Link(
        exception_type=raised.type if raised else "",
        exception_message=raised.message[:LONGEST_TEXT] if raised else "",
        **{name: getattr(record, name) for name in names}
        | {"message": record.message[:LONGEST_TEXT]},
    )


def _error(
    record: RecordView, signatures: Mapping[str, SignatureView], matches: Mapping[str, MatchView]
) -> ErrorView:
    name = record.signature_id or ""
    match = matches.get(name)
    return ErrorView(
        record_id=record.record_id,
        occurred_at=record.occurred_at,
        service=record.service,
        message=record.message,
        signature_id=name,
        title=signatures[name].title,
        culprit=signatures[name].culprit,
        known_issue_id=match.known_issue_id if match else None,
    )
