"""All records with one correlation ID, in order, and the error that came first. Pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from app.normalise.record import Severity


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What correlation needs of a record."""

    record_id: UUID
    occurred_at: datetime
    service: str
    level: Severity
    environment: str | None = None
    release: str | None = None
    instance: str | None = None
    sequence: int | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    signature_id: str | None = None

    @property
    def is_error(self) -> bool:
        return self.signature_id is not None


class Chain(msgspec.Struct, frozen=True, kw_only=True):
    """A chain as far as it is known."""

    links: tuple[Link, ...]
    services: tuple[str, ...]
    """In the order they were reached."""
    root: Link | None
    """The error that came first: no failing callee stands below it, none came before it."""
    symptoms: tuple[str, ...]
    """Signatures of the other errors, in order, without the root's."""


def correlate(links: Iterable[Link]) -> Chain:
    """The chain of these records, whatever order they come in."""
    ordered = tuple(sorted(links, key=_place_in_time))
    tree = _SpanTree(ordered)
    errors = [link for link in ordered if link.is_error]
    root = _root(errors, tree)
    return Chain(
        links=ordered,
        services=tuple(dict.fromkeys(link.service for link in sorted(ordered, key=tree.depth_of))),
        root=root,
        symptoms=tuple(
            dict.fromkeys(
                e.signature_id
                for e in errors
                if e.signature_id and root and e.signature_id != root.signature_id
            )
        ),
    )


def _place_in_time(link: Link) -> tuple[datetime, str, int, UUID]:
    # Clocks tick in milliseconds: within one sender its own numbering knows better.
    return link.occurred_at, link.instance or "", link.sequence or 0, link.record_id


def _root(errors: Sequence[Link], tree: "_SpanTree") -> Link | None:
    """The first error in time whose span has no failing span below it.

    A caller that reports its callee's failure thus never wins, even when its clock is behind.
    """
    failing = {error.span_id for error in errors if error.span_id}
    callers = {caller for span in failing for caller in tree.above(span)}
    return next((e for e in errors if e.span_id not in callers), errors[0] if errors else None)


class _SpanTree:
    """Which span was called from which, as far as the records say."""

    def __init__(self, links: Iterable[Link]) -> None:
        self._parents = {
            link.span_id: link.parent_span_id
            for link in links
            if link.span_id and link.parent_span_id
        }

    def above(self, span: str) -> list[str]:
        """The callers of a span, the nearest first; a cycle ends where it began."""
        found: dict[str, None] = {}
        parent = self._parents.get(span)
        while parent and parent not in found and parent != span:
            found[parent] = None
            parent = self._parents.get(parent)
        return list(found)

    def depth_of(self, link: Link) -> int:
        return len(self.above(link.span_id)) if link.span_id else 0
