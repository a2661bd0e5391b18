"""The causal order of a run's records. Pure.

What a sender numbers is in the order of its numbers; a callee stands behind its caller's first
record; all else goes by time, less what a clock runs ahead.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from app.correlate.calls import Node
from app.correlate.link import Link
from app.correlate.skew import Clock

Times = dict[int, int]
"""Causal time of each record by its `id`, in microseconds."""


def causal_order(
    nodes: Sequence[Node], offsets: Mapping[Clock, int], times: Times
) -> tuple[Link, ...]:
    """All records of these calls, callers before callees in `nodes`, in causal order.

    `times`, the stamps of the records, become causal times.
    """
    if offsets:
        _correct(nodes, offsets, times)
    _obey_numbering(nodes, times)
    _obey_calls(nodes, times)
    for node in nodes:
        node.began, node.ended = times[id(node.links[0])], times[id(node.links[-1])]
    ranked = [
        (times[id(link)], node.depth, number, link)
        for node in nodes
        for number, link in enumerate(node.links)
    ]
    ranked.sort(key=_rank)
    return tuple(link for _, _, _, link in ranked)


def _rank(entry: tuple[int, int, int, Link]) -> tuple[int, int, str, int, int, UUID]:
    time, depth, number, link = entry
    return time, depth, link.service, link.sequence or 0, number, link.record_id


def _correct(nodes: Iterable[Node], offsets: Mapping[Clock, int], times: Times) -> None:
    for node in nodes:
        for link in node.links:
            times[id(link)] -= offsets.get((link.service, link.instance), 0)


def _obey_numbering(nodes: Iterable[Node], times: Times) -> None:
    """The numbered records of an instance change times among themselves, no others do."""
    numbered: dict[Clock, list[Link]] = {}
    for node in nodes:
        for link in node.links:
            if link.sequence is not None and link.instance:
                numbered.setdefault((link.service, link.instance), []).append(link)
    for links in numbered.values():
        if len(links) > 1:
            links.sort(key=lambda link: (link.sequence or 0, times[id(link)], link.record_id))
            for link, time in zip(links, sorted(times[id(one)] for one in links), strict=True):
                times[id(link)] = time
    for node in nodes:
        if len(node.links) > 1:
            node.links.sort(key=lambda link: (times[id(link)], link.sequence or 0, link.record_id))


def _obey_calls(nodes: Iterable[Node], times: Times) -> None:
    """A call that seems to begin before its caller did is moved behind it, as a whole.

    The caller may be known by its last words only: its calls then move, and keep their order.
    """
    done: dict[tuple[int, Clock], tuple[int, int]] = {}
    for node in nodes:
        if node.parent is None:
            continue
        first, last = times[id(node.links[0])], times[id(node.links[-1])]
        earliest = times[id(node.parent.links[0])]
        ended, moved = done.get((id(node.parent), node.clock), (first, first))
        early = max(earliest, moved if ended <= first else first) - first
        if early > 0:
            for link in node.links:
                times[id(link)] += early
        done[id(node.parent), node.clock] = last, last + early + 1
