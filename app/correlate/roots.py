"""Errors -> where each failure began, how sure that is, and why. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from app.correlate.calls import Node, Tie
from app.correlate.facts import is_local, is_report, is_timeout, status_of, text_of
from app.correlate.failures import Bond, Failure, Failures
from app.correlate.link import Link
from app.correlate.model import Confidence, Gap, GapKind, Root, Symptom
from app.correlate.outcomes import asked_in_vain, ended_well, is_open, is_silent

MOST_STEPS: Final = 64
_PASSED_ON: Final = (
    "502",
    "504",
    "Bad Gateway",
    "bad gateway",
    "Gateway Time",
    "imeout",
    "imed out",
)


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Where a failure began, as its nearest report tells."""

    service: str
    reason: str
    seen: bool
    """The service took part in the chain."""


def find_roots(
    nodes: Sequence[Node], errors: Sequence[Link], gaps: Sequence[Gap], *, incomplete: bool
) -> tuple[Root, ...]:
    """The roots of one run; `errors` in causal order."""
    if not errors:
        return ()
    failures = Failures(nodes, errors)
    groups: dict[int, list[Failure]] = {}
    for failure in failures.all:
        groups.setdefault(id(failure.origin()), []).append(failure)
    damaged = {gap.service for gap in gaps if gap.kind == GapKind.MISSING_RECORDS}
    found = []
    for first in failures.roots():
        root = _root(failures, first, groups[id(first)], damaged, incomplete=incomplete)
        highest = min(failure.node.depth for failure in groups[id(first)])
        found.append(((_was_survived(groups[id(first)]), highest, first.place), root))
    found.sort(key=lambda pair: pair[0])
    return tuple(root for _, root in found)


def _was_survived(group: Iterable[Failure]) -> bool:
    """Whether some call above its highest error ended well all the same."""
    at: Node | None = min((f.node for f in group), key=lambda node: node.depth)
    for _ in range(MOST_STEPS):
        if at is None:
            return False
        if ended_well(at):
            return True
        at = at.parent
    return False


def _root(
    failures: Failures,
    first: Failure,
    group: Sequence[Failure],
    damaged: set[str],
    *,
    incomplete: bool,
) -> Root:
    origin = _inferred(failures, first, damaged)
    symptoms = tuple(
        Symptom(link=f.link, reason=f.reason or "a further attempt of the same call")
        for f in group
        if f is not first and f.first is not first
    )
    return Root(
        link=first.link,
        service=origin.service if origin else first.link.service,
        inferred=origin is not None,
        confidence=_confidence(first, group, origin, incomplete=incomplete),
        reasons=_reasons(first, group, origin, alone=len(failures.all) == 1),
        symptoms=symptoms,
        retries=first.retries,
    )


def _reasons(
    first: Failure, group: Sequence[Failure], origin: Origin | None, *, alone: bool
) -> tuple[str, ...]:
    if origin is not None:
        return (origin.reason, f"{first.link.service}'s error is the nearest report of it")
    if alone:
        return ("the only error of the chain",)
    reasons = ["no failing call below it"]
    for failure in group:
        if failure.cause is first and failure.bond is not None and failure.bond >= Bond.NAMED:
            what = "quotes it" if failure.bond == Bond.QUOTED else f"names {first.link.service}"
            reasons.append(f"{failure.link.service}'s error {what}")
    if len(group) > 1:
        reasons.append("earliest in causal order")
    return tuple(dict.fromkeys(reasons))


def _confidence(
    first: Failure,
    group: Sequence[Failure],
    origin: Origin | None,
    *,
    incomplete: bool,
) -> Confidence:
    if origin is not None:
        return Confidence.LIKELY if origin.seen else Confidence.UNSURE
    if any(failure.bond == Bond.TIME for failure in group):
        return Confidence.UNSURE
    report = not is_local(first.link) and (is_report(first.link) or is_timeout(first.link))
    if incomplete or report or not _is_whole(first.node):
        return Confidence.LIKELY
    if any(failure.bond == Bond.NEAR and failure.node is not first.node for failure in group):
        return Confidence.LIKELY
    return Confidence.CERTAIN


def _is_whole(node: Node) -> bool:
    """Whether nothing stands below a call that might have failed unseen."""
    return node.tie not in (Tie.GUESS, Tie.WORDS) and all(
        ended_well(child) for child in node.children
    )


def _inferred(failures: Failures, first: Failure, damaged: set[str]) -> Origin | None:
    """Where it began when this error only reports a callee that says nothing itself."""
    link, node = first.link, first.node
    if is_local(link):
        return None
    name = failures.blamed_by(first)
    if not name and not is_report(link) and not is_timeout(link):
        return None
    below = [child for child in node.children if not name or child.service == name]
    if below:
        return _below(link, below, damaged)
    if not name:
        name = asked_in_vain(node)
        said = f"{link.service} called {name}, which never answered"
    elif name in failures.names:
        home = next(n for n in failures.nodes if n.service == name)
        if home is not node and is_silent(home):
            deepest = _descend(home, link, damaged)
            return Origin(
                service=deepest.service, seen=True, reason=f"{link.service}'s error names {name}"
            )
        return None
    else:
        said = f"{link.service}'s error names {name}, of which no record arrived"
    return Origin(service=name, reason=said, seen=False) if name else None


def _below(link: Link, below: Sequence[Node], damaged: set[str]) -> Origin | None:
    silent = [child for child in below if is_silent(child)]
    ended = [child for child in silent if not is_open(child)]
    chosen = ended or silent
    if not chosen or len({child.service for child in chosen}) > 1:
        return None
    child = chosen[-1]
    deepest = _descend(child, link, damaged)
    what = "ended badly" if not is_open(child) else "never said how it ended"
    said = f"{link.service} reports a failing call, and {child.service} {what}"
    return Origin(service=deepest.service, reason=said, seen=True)


def _descend(node: Node, report: Link, damaged: set[str]) -> Node:
    """The deepest callee that may have failed unseen, as long as only one comes into question."""
    passed_on = any(word in text_of(report) for word in _PASSED_ON)
    at = node
    for _ in range(MOST_STEPS):
        silent = [child for child in at.children if is_silent(child)]
        ended = [child for child in silent if not is_open(child)]
        chosen = ended or silent
        if len({child.service for child in chosen}) != 1:
            return at
        if not ended and not passed_on and not _own_status_is_gateway(at):
            return at
        if at.service in damaged and chosen[-1].service not in damaged:
            return at
        at = chosen[-1]
    return at


def _own_status_is_gateway(node: Node) -> bool:
    status = status_of(node.links[-1])
    return status in (502, 504)
