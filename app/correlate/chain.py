"""All records with one correlation ID, in causal order, and where their failures began. Pure."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

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
from app.correlate.order import causal_order
from app.correlate.roots import find_roots
from app.correlate.skew import clock_offsets, microseconds

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
    runs = [_Run(run, missing, capped=capped) for run in _runs(links)]
    roots = [root for run in runs for root in run.roots]
    return Chain(
        links=tuple(link for run in runs for link in run.ordered),
        services=tuple(dict.fromkeys(node.service for run in runs for node in run.nodes)),
        roots=tuple(roots),
        skews=tuple(skew for run in runs for skew in run.skews),
        gaps=tuple(gap for run in runs for gap in run.gaps),
        calls=_calls(runs),
        evidence_incomplete=capped or any(run.gaps for run in runs),
        capped=capped,
    )


class _Run:
    """The records between two long pauses."""

    def __init__(self, links: Sequence[Link], missing: Missing, *, capped: bool) -> None:
        self.nodes = build_calls(links)
        offsets, self.skews = clock_offsets(self.nodes)
        self.ordered = causal_order(self.nodes, offsets)
        self.gaps = find_gaps(self.nodes, missing)
        errors = [link for link in self.ordered if link.signature_id is not None]
        self.roots = find_roots(self.nodes, errors, self.gaps, incomplete=capped or bool(self.gaps))


def _runs(links: Iterable[Link]) -> Iterable[list[Link]]:
    """Records by time, cut at long pauses."""
    timed = [(microseconds(link.occurred_at), link.record_id, link) for link in links]
    timed.sort(key=lambda entry: entry[:2])
    run: list[Link] = []
    before = 0
    for time, _, link in timed:
        if run and time - before > _PAUSE:
            yield run
            run = []
        run.append(link)
        before = time
    if run:
        yield run


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
