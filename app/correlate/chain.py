"""All records with one correlation ID, in causal order, and where their failures began. Pure."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from app.correlate.calls import Node, build_calls
from app.correlate.gaps import NOTHING_MISSING, Missing, find_gaps
from app.correlate.link import Link
from app.correlate.model import (
    Call,
    Chain,
    Confidence,
    Gap,
    GapKind,
    Root,
    Skew,
    Symptom,
)
from app.correlate.order import Times, causal_order
from app.correlate.roots import find_roots
from app.correlate.skew import Clock, clock_offsets, microseconds

__all__ = [
    "Call",
    "Chain",
    "Confidence",
    "Gap",
    "GapKind",
    "Link",
    "Root",
    "Skew",
    "Symptom",
    "correlate",
]

PAUSE: Final = timedelta(hours=1)
"""A longer silence than this separates two uses of one correlation ID."""
_PAUSE: Final = PAUSE // timedelta(microseconds=1)


def correlate(
    links: Iterable[Link], *, missing: Missing = NOTHING_MISSING, capped: bool = False
) -> Chain:
    """The chain of these records, whatever order they come in.

    `missing` holds, by (service, instance), the inclusive ranges of numbers that were never
    received. `capped` says that the chain is longer than `links`.
    """
    runs = [_Run(run, times, missing) for run, times in _runs(links)]
    incomplete = capped or any(run.gaps for run in runs)
    roots = [root for run in runs for root in run.find_roots(incomplete=incomplete)]
    return Chain(
        links=tuple(link for run in runs for link in run.ordered),
        services=tuple(dict.fromkeys(node.service for run in runs for node in run.nodes)),
        roots=tuple(roots),
        skews=tuple(skew for run in runs for skew in run.skews),
        gaps=tuple(gap for run in runs for gap in run.gaps),
        calls=_calls(runs),
        evidence_incomplete=incomplete,
        capped=capped,
    )


class _Run:
    """The records between two long pauses."""

    def __init__(self, links: Sequence[Link], times: Times, missing: Missing) -> None:
        self.nodes = build_calls(links)
        self.skews: tuple[Skew, ...] = ()
        if len(links) == 1:
            self.ordered = tuple(links)
        else:
            offsets: dict[Clock, int] = {}
            if len(self.nodes) > 1:
                offsets, self.skews = clock_offsets(self.nodes, times)
            self.ordered = causal_order(self.nodes, offsets, times)
        self.gaps = find_gaps(self.nodes, missing)

    def find_roots(self, *, incomplete: bool) -> tuple[Root, ...]:
        errors = [link for link in self.ordered if link.signature_id is not None]
        return find_roots(self.nodes, errors, incomplete=incomplete)


def _runs(links: Iterable[Link]) -> Iterable[tuple[list[Link], Times]]:
    """Records by time, cut at long pauses, and their times."""
    links = list({id(link): link for link in links}.values())
    if len(links) == 1:
        yield links, {}
        return
    timed = [(microseconds(link.occurred_at), link.record_id, link) for link in links]
    timed.sort(key=_stamp)
    run: list[Link] = []
    times: Times = {}
    before = 0
    for time, _, link in timed:
        if run and time - before > _PAUSE:
            yield run, times
            run, times = [], {}
        run.append(link)
        times[id(link)] = before = time
    if run:
        yield run, times


def _stamp(entry: tuple[int, UUID, Link]) -> tuple[int, int]:
    return entry[0], entry[1].int  # far cheaper to compare than the UUID itself


def _calls(runs: Sequence[_Run]) -> tuple[Call, ...]:
    calls: list[Call] = []
    places: dict[int, int] = {}
    for run in runs:
        start = len(places)
        places.update({id(link): start + n for n, link in enumerate(run.ordered)})
        first = len(calls)
        for number, node in enumerate(run.nodes):
            node.place = first + number
            calls.append(_call(node, places))
    return tuple(calls)


def _call(node: Node, places: dict[int, int]) -> Call:
    return Call(
        service=node.service,
        instance=node.instance,
        span_id=node.span_id,
        parent=node.parent.place if node.parent else None,
        depth=node.depth,
        places=tuple(places[id(link)] for link in node.links),
        failing=any(link.signature_id is not None for link in node.links),
    )
