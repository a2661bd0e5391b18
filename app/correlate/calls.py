"""Records -> calls, and which call was made by which. Pure.

A span is a call. Without spans, all that one instance of a service says is one call.
"""

import enum
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from app.correlate.link import Link
from app.correlate.names import (
    callee_fields,
    caller_fields,
    mentions,
    said_callee,
    said_caller,
    text_of,
)
from app.normalise.record import Severity

MOST_NAMES = 64
"""Services whose names are looked for in texts; more is no chain that people follow."""


class Tie(enum.IntEnum):
    """How well it is known who made a call."""

    NONE = 0
    GUESS = 1
    """The caller's span is unknown: it hangs below the only call that has no caller."""
    WORDS = 2
    FIELDS = 3
    SPANS = 4


class Node:
    """A call while its chain is being worked out."""

    __slots__ = (
        "asked", "began", "children", "coped", "depth", "ended", "failing", "fate", "instance",
        "links", "parent", "place", "service", "span_id", "tie", "top", "via", "wanted",
    )  # fmt: skip

    def __init__(self, service: str, instance: str | None, span_id: str | None) -> None:
        self.service = service
        self.instance = instance
        self.span_id = span_id
        self.links: list[Link] = []
        self.parent: Node | None = None
        self.tie = Tie.NONE
        self.wanted: str | None = None
        """Span of its caller, as its records say."""
        self.children: list[Node] = []
        self.depth = 0
        self.place = 0
        self.top: Node = self
        """The call that all of its callers go back to."""
        self.via = ""
        """The service between it and its caller, of which no record arrived."""
        self.began = 0
        self.ended = 0
        """Causal times of its first and last record, in microseconds."""
        self.failing = False
        self.asked: list[str] | None = None
        """Services that it called in vain, once that was asked."""
        self.coped: list[Link] | None = None
        """Its words of failures that it lived with, once that was asked."""
        self.fate: Any = None
        """What became of it, once that was asked."""

    @property
    def clock(self) -> tuple[str, str | None]:
        return self.service, self.instance

    @property
    def first(self) -> datetime:
        return self.links[0].occurred_at


def build_calls(links: Sequence[Link]) -> list[Node]:
    """The calls of these records, callers before callees; `links` must be sorted by time."""
    nodes = _nodes(links)
    if len(nodes) > 1:
        _tie_by_spans(nodes)
        _tie_by_words(nodes)
        _tie_strays(nodes)
        _cut_cycles(nodes)
        return _callers_first(nodes)
    return nodes


def _nodes(links: Sequence[Link]) -> list[Node]:
    found: dict[tuple[str | None, str, str | None], Node] = {}
    for link in links:
        span = link.span_id or None
        key = (span, link.service, None if span else link.instance)
        node = found.get(key)
        if node is None:
            node = found[key] = Node(link.service, link.instance, span)
        node.links.append(link)
        if link.signature_id is not None:
            node.failing = True
        if node.wanted is None and link.parent_span_id:
            node.wanted = link.parent_span_id
        if node.instance is None:
            node.instance = link.instance
    nodes = list(found.values())
    if len(nodes) > 1 and any(node.span_id is None for node in nodes):
        nodes = _adopted(nodes)
    return nodes


def _adopted(nodes: list[Node]) -> list[Node]:
    """Records without a span belong to the only span that their service has here."""
    spans: dict[str, list[Node]] = {}
    for node in nodes:
        if node.span_id is not None:
            spans.setdefault(node.service, []).append(node)
    kept = []
    for node in nodes:
        homes = spans.get(node.service, [])
        if node.span_id is None and len(homes) == 1 and node.instance in (None, homes[0].instance):
            homes[0].links += node.links
            homes[0].failing |= node.failing
            homes[0].links.sort(key=_moment)
        else:
            kept.append(node)
    return kept


def _moment(link: Link) -> tuple[datetime, object]:
    return link.occurred_at, link.record_id


def _tie_by_spans(nodes: list[Node]) -> None:
    by_span: dict[str, list[Node]] = {}
    for node in nodes:
        if node.span_id is not None:
            by_span.setdefault(node.span_id, []).append(node)
    for node in nodes:
        if node.wanted is not None:
            callers = [n for n in by_span.get(node.wanted, ()) if n is not node]
            if callers:
                same = [n for n in callers if n.service == node.service]
                node.parent, node.tie = (same or callers)[0], Tie.SPANS


def _tie_by_words(nodes: list[Node]) -> None:
    """Fields first, then what messages say; only for calls whose caller no span tells."""
    loose = [node for node in nodes if node.parent is None and node.wanted is None]
    names = list(dict.fromkeys(node.service for node in nodes))
    if len(loose) < 1 + any(node.parent for node in nodes) or len(names) < 2:  # noqa: PLR2004
        return
    said = _Said(nodes, names[:MOST_NAMES])
    for node in loose:
        for tie, callers in ((Tie.FIELDS, said.by_fields), (Tie.WORDS, said.by_words)):
            makers = [n for n in callers.get(node.service, ()) if n is not node]
            makers = [n for n in makers if not _stands_below(n, node)]
            if makers:
                node.parent, node.tie = makers[0], tie
                break
        else:
            said.tie_through_stranger(node, loose)


def _stands_below(node: Node, other: Node) -> bool:
    at: Node | None = node
    for _ in range(MOST_NAMES):
        if at is None:
            return False
        if at is other:
            return True
        at = at.parent
    return False


class _Said:
    """Who called a service, as fields and messages of both sides tell."""

    def __init__(self, nodes: Iterable[Node], names: Sequence[str]) -> None:
        self.by_fields: dict[str, list[Node]] = {}
        self.by_words: dict[str, list[Node]] = {}
        self._strange_caller: dict[str, str] = {}
        self._calls_stranger: dict[str, Node] = {}
        self._homes: dict[str, Node] = {}
        nodes = list(nodes)
        self._low = {name.lower(): name for name in names}
        for node in nodes:
            self._homes.setdefault(node.service, node)
        for node in nodes:
            seen: set[str] = set()
            for link in node.links:
                self._read(node, link, names, seen)

    def _read(self, node: Node, link: Link, names: Sequence[str], seen: set[str]) -> None:
        if link.attributes:
            self._read_fields(node, link)
        if link.message in seen:
            return
        seen.add(link.message)
        if link.signature_id is None:
            self._read_caller(node, said_caller(link))
        name = said_callee(link).lower()
        if name and name not in self._low:
            self._calls_stranger.setdefault(name, node)
        elif name:
            self._add(self.by_words, self._low[name], node)
        elif link.signature_id is not None or link.level is Severity.WARNING:
            self._read_trouble(node, link, names)

    def _read_fields(self, node: Node, link: Link) -> None:
        for name in caller_fields(link.attributes):
            if name in self._homes:
                self._add(self.by_fields, node.service, self._homes[name])
            else:
                self._strange_caller.setdefault(node.service, name)
        for name in callee_fields(link.attributes):
            if name in self._homes:
                self._add(self.by_fields, name, node)
            else:
                self._calls_stranger.setdefault(name.lower(), node)

    def _read_caller(self, node: Node, name: str) -> None:
        caller = self._low.get(name.lower())
        if caller is not None:
            self._add(self.by_words, node.service, self._homes[caller])
        elif name:
            self._strange_caller.setdefault(node.service, name)

    def _read_trouble(self, node: Node, link: Link, names: Sequence[str]) -> None:
        """It names its callee, and perhaps whom that one called: the first is its own."""
        text = text_of(link)
        places = [(text.find(n), n) for n in names if n != node.service and mentions(text, n)]
        if places:
            self._add(self.by_words, min(places)[1], node)

    def tie_through_stranger(self, node: Node, loose: Sequence[Node]) -> None:
        """Its caller is named and told nothing: it belongs below whoever called that one."""
        name = self._strange_caller.get(node.service)
        if name is None:
            return
        maker = self._calls_stranger.get(name.lower())
        if maker is None:
            tops = [n for n in loose if n.service not in self._strange_caller and n is not node]
            tops = [n for n in tops if n.parent is None]
            maker = tops[0] if len(tops) == 1 else None
        if maker is not None and maker is not node and not _stands_below(maker, node):
            node.parent, node.tie, node.via = maker, Tie.GUESS, name

    @staticmethod
    def _add(callers: dict[str, list[Node]], callee: str, node: Node) -> None:
        if node.service == callee:
            return
        known = callers.setdefault(callee, [])
        if len(known) < MOST_NAMES and node not in known:
            known.append(node)


def _tie_strays(nodes: list[Node]) -> None:
    """A call whose caller's records never came belongs below the only call without a caller."""
    tops = [node for node in nodes if node.parent is None and node.wanted is None]
    if len(tops) == 1:
        for node in nodes:
            if node.parent is None and node.wanted is not None:
                node.parent, node.tie = tops[0], Tie.GUESS


def _cut_cycles(nodes: list[Node]) -> None:
    """A cycle is cut above its earliest call."""
    done: set[int] = set()
    for start in nodes:
        path: list[Node] = []
        on_path: set[int] = set()
        at: Node | None = start
        while at is not None and id(at) not in done and id(at) not in on_path:
            path.append(at)
            on_path.add(id(at))
            at = at.parent
        if at is not None and id(at) in on_path:
            ring = path[path.index(at) :]
            first = min(ring, key=lambda node: _moment(node.links[0]))
            first.parent, first.tie = None, Tie.NONE
        done |= on_path


def _callers_first(nodes: list[Node]) -> list[Node]:
    """Depth and children set; each call stands behind its caller."""
    for node in nodes:
        if node.parent is not None:
            node.parent.children.append(node)
    ordered: list[Node] = []
    waiting = [node for node in reversed(nodes) if node.parent is None]
    while waiting:
        node = waiting.pop()
        if node.parent is not None:
            node.depth = node.parent.depth + 1
            node.top = node.parent.top
        ordered.append(node)
        waiting += reversed(node.children)
    return ordered
