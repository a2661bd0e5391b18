"""All records with one correlation ID, in order, and the error that came first. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import msgspec


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """What correlation needs of a record."""

    record_id: UUID
    occurred_at: datetime
    received_at: datetime
    service: str
    environment: str | None = None
    release: str | None = None
    instance: str | None = None
    sequence: int | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    signature_id: str | None = None

    @property
    def seen_at(self) -> datetime:
        """When it occurred, or when it was received if the sender's clock runs ahead of ours.

        Lists sort by this: a clock in the year 2099 must not stand first until then.
        """
        return min(self.occurred_at, self.received_at)

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
    ordered = in_order(links)
    tree = _SpanTree(ordered)
    errors = [link for link in ordered if link.is_error]
    root = _root(errors, tree)
    others = (e.signature_id for e in errors if root and e.signature_id != root.signature_id)
    return Chain(
        links=ordered,
        services=tuple(dict.fromkeys(link.service for link in tree.walk())),
        root=root,
        symptoms=tuple(dict.fromkeys(name for name in others if name)),
    )


def in_order(links: Iterable[Link]) -> tuple[Link, ...]:
    """By time; within one tick of the clock, a sender's own numbering knows better."""
    by_time = sorted(links, key=lambda link: (link.occurred_at, link.record_id))
    return tuple(
        link
        for _, tick in groupby(by_time, key=lambda link: link.occurred_at)
        for link in _by_numbering(list(tick))
    )


def _by_numbering(tick: list[Link]) -> list[Link]:
    """The numbered records of each instance change places among themselves, no others move."""
    places: dict[str, list[int]] = {}
    for place, link in enumerate(tick):
        if link.instance and link.sequence is not None:
            places.setdefault(link.instance, []).append(place)
    ordered = tick[:]
    for own in places.values():
        numbered = sorted((tick[place] for place in own), key=lambda link: link.sequence or 0)
        for place, link in zip(own, numbered, strict=True):
            ordered[place] = link
    return ordered


def _root(errors: Sequence[Link], tree: "_SpanTree") -> Link | None:
    """The first error in time whose span has no failing span below it.

    A caller that reports its callee's failure thus never wins, even when its clock is behind.
    """
    callers = tree.callers_of({error.span_id for error in errors if error.span_id})
    return next((e for e in errors if e.span_id not in callers), errors[0] if errors else None)


class _SpanTree:
    """Which span was called from which, as far as the records say. Cycles end where they began."""

    def __init__(self, links: Sequence[Link]) -> None:
        self._parents: dict[str, str] = {}
        self._spans: dict[str, list[Link]] = {}
        for link in links:
            # A record without a span is a span of its own, reached when it occurred.
            span = link.span_id or str(link.record_id)
            self._spans.setdefault(span, []).append(link)
            if link.span_id and link.parent_span_id:
                self._parents.setdefault(link.span_id, link.parent_span_id)

    def callers_of(self, spans: Iterable[str]) -> set[str]:
        """Every span above one of these."""
        callers: set[str] = set()
        for span in spans:
            parent = self._parents.get(span)
            while parent and parent not in callers and parent != span:
                callers.add(parent)
                parent = self._parents.get(parent)
        return callers

    def walk(self) -> Iterator[Link]:
        """The records in the order of the calls: a caller, then its callees by time."""
        children: dict[str, list[str]] = {}
        tops = []
        for span in self._spans:
            parent = self._parents.get(span)
            if parent in self._spans:
                children.setdefault(parent, []).append(span)
            else:
                tops.append(span)
        seen: set[str] = set()
        # Spans in a cycle hang below no top: they follow at the end.
        for start in (*tops, *self._spans):
            waiting = [start]
            while waiting:
                span = waiting.pop()
                if span not in seen:
                    seen.add(span)
                    yield from self._spans[span]
                    waiting += reversed(children.get(span, []))
