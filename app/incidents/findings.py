"""The catalogue's chain rules held against one chain. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from app.catalogue.chain_rules import Moment
from app.catalogue.matcher import subject_of
from app.catalogue.model import Evidence
from app.catalogue.watch import Watch
from app.correlate.link import Link
from app.normalise.record import ReportedException
from app.signatures.v1.masks import mask

MOST_MOMENTS: Final = 2_000
VERSION: Final = "chain"
"""Stands where the version of a signature stands that was made from an error."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A known issue that a chain shows by what happened, in which order, or did not happen."""

    known_issue_id: str
    title: str
    evidence: tuple[Evidence, ...]
    link: Link
    """The record where it shows."""

    @property
    def signature_id(self) -> str:
        """What stands for it as a root, when nothing in the chain is an error."""
        return f"{VERSION}:{self.known_issue_id}"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What the chain rules say of a chain now."""

    found: tuple[Found, ...] = ()
    look_again: datetime | None = None
    """What is absent now may come until then."""


def look(links: Sequence[Link], watch: Watch, *, now: datetime) -> Look:
    """Hold the chain rules against a chain; its links stand in causal order."""
    concerned = [link for link in links if watch.concerns(link.message, link.attributes)]
    if not concerned:
        return Look()
    concerned = concerned[:MOST_MOMENTS]
    moments = [_moment(link) for link in concerned]
    found = tuple(
        Found(
            known_issue_id=finding.known_issue_id,
            title=finding.title,
            evidence=finding.evidence,
            link=concerned[finding.place],
        )
        for finding in watch.findings(moments, now)
    )
    return Look(found=found, look_again=watch.due(moments, now))


def _moment(link: Link) -> Moment:
    exception = None
    if link.exception_type or link.exception_message:
        exception = ReportedException(type=link.exception_type, message=link.exception_message)
    subject = subject_of(
        link.message,
        exception,
        service=link.service,
        level=link.level.value,
        release=link.release or "",
        attributes=_plain(link.attributes),
    )
    return Moment(at=link.occurred_at, subject=subject, masked=mask(link.message).text)


def _plain(attributes: Mapping[str, object]) -> dict[str, object]:
    return dict(attributes)
