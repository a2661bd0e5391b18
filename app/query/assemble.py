"""Rows of several tables -> one view. Pure."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from app.correlate.chain import Link, correlate
from app.query.views import ChainView, ErrorView, MatchView, RecordView, SignatureView


def assemble_chain(
    correlation_id: str,
    records: Sequence[RecordView],
    *,
    most: int,
    signatures: Mapping[str, SignatureView],
    matches: Mapping[str, MatchView],
    incident_id: UUID | None,
) -> ChainView:
    """The chain of these records; `most` of them are shown."""
    shown = {record.record_id: record for record in records[:most]}
    chain = correlate(_link(record) for record in shown.values())
    errors = tuple(_error(link, signatures, matches) for link in chain.links if link.signature_id)
    root = chain.root
    return ChainView(
        correlation_id=correlation_id,
        services=chain.services,
        failing=bool(errors),
        root=next((e for e in errors if root and e.record_id == root.record_id), None),
        match=matches.get(root.signature_id or "") if root else None,
        incident_id=incident_id,
        errors=errors,
        records=tuple(shown[link.record_id] for link in chain.links),
        capped=len(records) > most,
    )


def _link(record: RecordView) -> Link:
    return Link(**{name: getattr(record, name) for name in Link.__struct_fields__})


def _error(
    link: Link, signatures: Mapping[str, SignatureView], matches: Mapping[str, MatchView]
) -> ErrorView:
    name = link.signature_id or ""
    match = matches.get(name)
    return ErrorView(
        record_id=link.record_id,
        occurred_at=link.occurred_at,
        service=link.service,
        signature_id=name,
        title=signatures[name].title,
        culprit=signatures[name].culprit,
        known_issue_id=match.known_issue_id if match else None,
    )
