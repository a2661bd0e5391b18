"""Rows of several tables -> one view. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from app.catalogue.watch import Watch
from app.correlate.chain import correlate
from app.correlate.link import Link
from app.correlate.model import Call, Root
from app.correlate.sequence_queries import (
    Missing,
)
from app.incidents.findings import Found, look
from app.query.chain_views import CallView, ChainView, FindingView, RootView, SymptomView
from app.query.views import ErrorView, MatchView, RecordView, SignatureView

_TOLD: Final = {"level", "message", "exception_type", "exception_message", "attributes"}
_PLAIN: Final = tuple(name for name in Link.__struct_fields__ if name not in _TOLD)
_LONGEST_MESSAGE: Final = 2_000


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the signatures of a chain, and of its incidents by root signature."""

    signatures: Mapping[str, SignatureView]
    matches: Mapping[str, MatchView]
    incidents: Mapping[str, UUID]


def links_of(records: Sequence[RecordView]) -> list[Link]:
    """What correlation needs of these records."""
    return [_link(record) for record in records]


def assemble_chain(
    correlation_id: str,
    records: Sequence[RecordView],
    links: Sequence[Link],
    *,
    missing: Missing,
    known: Known,
    watch: Watch,
    now: datetime,
    capped: bool = False,
    from_evidence: bool = False,
) -> ChainView:
    """The chain of these records; `links` are theirs."""
    shown = {(record.occurred_at, record.record_id): record for record in records}
    chain = correlate(links, missing=missing, capped=capped)
    ordered = tuple(shown[link.occurred_at, link.record_id] for link in chain.links)
    errors = {r.record_id: _error(r, known) for r in ordered if r.signature_id}
    roots = tuple(_root(root, errors, known) for root in chain.roots)
    found = look(chain.links, watch, now=now).found
    findings = tuple(_finding(one, known) for one in found)
    homes = [one.incident_id for one in roots] + [one.incident_id for one in findings]
    incident_id = next(filter(None, homes), None)
    return ChainView(
        correlation_id=correlation_id,
        services=chain.services,
        failing=bool(errors),
        root=roots[0].error if roots else None,
        match=roots[0].match if roots else _match_of(found, known),
        settled=incident_id is not None or not (errors or found),
        incident_id=incident_id,
        roots=roots,
        findings=findings,
        evidence_incomplete=chain.evidence_incomplete,
        gaps=chain.gaps,
        skews=chain.skews,
        calls=tuple(_call(call, ordered) for call in chain.calls),
        errors=tuple(errors.values()),
        records=ordered,
        capped=capped,
        from_evidence=from_evidence,
    )


def _link(record: RecordView) -> Link:
    exception = record.exception
    return Link(
        **{name: getattr(record, name) for name in _PLAIN},
        level=record.level,
        message=record.message[:_LONGEST_MESSAGE],
        exception_type=exception.type if exception else "",
        exception_message=exception.message if exception else "",
        attributes=record.attributes,
    )


def _root(root: Root, errors: Mapping[UUID, ErrorView], known: Known) -> RootView:
    name = root.link.signature_id or ""
    return RootView(
        service=root.service,
        inferred=root.inferred,
        confidence=root.confidence,
        reasons=root.reasons,
        error=errors[root.link.record_id],
        match=known.matches.get(name),
        incident_id=known.incidents.get(name),
        symptoms=tuple(
            SymptomView(
                record_id=symptom.link.record_id,
                service=symptom.link.service,
                title=errors[symptom.link.record_id].title,
                reason=symptom.reason,
            )
            for symptom in root.symptoms
        ),
        retries=root.retries,
    )


def _finding(found: Found, known: Known) -> FindingView:
    return FindingView(
        known_issue_id=found.known_issue_id,
        title=found.title,
        evidence=found.evidence,
        record_id=found.link.record_id,
        incident_id=known.incidents.get(found.signature_id),
    )


def _match_of(found: Sequence[Found], known: Known) -> MatchView | None:
    """What explains a chain in which nothing is an error."""
    return next((m for one in found if (m := known.matches.get(one.signature_id))), None)


def _call(call: Call, ordered: Sequence[RecordView]) -> CallView:
    times = [ordered[place].occurred_at for place in call.places]
    return CallView(
        service=call.service,
        instance=call.instance,
        span_id=call.span_id,
        parent=call.parent,
        depth=call.depth,
        records=call.places,
        first_at=min(times),
        last_at=max(times),
        failing=call.failing,
    )


def _error(record: RecordView, known: Known) -> ErrorView:
    name = record.signature_id or ""
    match = known.matches.get(name)
    return ErrorView(
        record_id=record.record_id,
        occurred_at=record.occurred_at,
        service=record.service,
        message=record.message,
        signature_id=name,
        title=known.signatures[name].title,
        culprit=known.signatures[name].culprit,
        known_issue_id=match.known_issue_id if match else None,
    )
