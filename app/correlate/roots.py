"""Errors -> where each failure began, how sure that is, and why. Pure."""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.correlate.calls import Node, Tie
from app.correlate.facts import is_own, is_report, is_timeout, is_vague, tells_of_passing_on
from app.correlate.failure import Bond, Failure
from app.correlate.failures import Failures
from app.correlate.fatal import fatal_first
from app.correlate.link import Link
from app.correlate.loose import tie_loose
from app.correlate.model import Confidence, Root, Symptom
from app.correlate.names import text_of
from app.correlate.outcomes import (
    PASSING_ON,
    Fate,
    asked_in_vain,
    complains_of,
    ended_well,
    fate_of,
    has_bad_end_below,
    is_open,
    is_silent,
    own_status,
    was_handled,
)

MOST_STEPS: Final = 64
MOST_ATTEMPTS: Final = 16
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
    nodes: Sequence[Node], errors: Sequence[Link], *, incomplete: bool
) -> tuple[Root, ...]:
    """The roots of one run; `errors` in causal order."""
    if not errors:
        return ()
    failures = Failures(nodes, errors)
    tie_loose(failures)
    groups: dict[int, list[Failure]] = {}
    for failure in failures.all:
        groups.setdefault(id(failure.origin()), []).append(failure)
    firsts = failures.roots()
    unsure = incomplete or len(firsts) > 1
    if len(firsts) > 1:
        firsts = fatal_first(firsts, groups)
    unsure = unsure or any(not n.failing and fate_of(n) is Fate.BAD for n in nodes)
    return tuple(_root(failures, first, groups[id(first)], unsure=unsure) for first in firsts)


def _root(
    failures: Failures,
    first: Failure,
    group: Sequence[Failure],
    *,
    unsure: bool,
) -> Root:
    own = is_own(first.link)
    origin = None if own else _inferred(failures, first, group)
    symptoms = tuple(
        Symptom(link=f.link, reason=f.reason or "a further attempt of the same call")
        for f in group
        if f is not first and f.first is not first
    )
    return Root(
        link=first.link,
        service=origin.service if origin else first.link.service,
        inferred=origin is not None,
        confidence=_confidence(first, group, origin, own=own, unsure=unsure),
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
    own: bool,
    unsure: bool,
) -> Confidence:
    if origin is not None:
        return Confidence.LIKELY if origin.seen else Confidence.UNSURE
    if any(failure.bond == Bond.TIME for failure in group):
        return Confidence.UNSURE
    if unsure or not _is_whole(first.node):
        return Confidence.LIKELY
    if not own and (_may_report(first.link) or _was_passed_on(first, group)):
        return Confidence.LIKELY
    if any(failure.bond == Bond.NEAR and failure.node is not first.node for failure in group):
        return Confidence.LIKELY
    return Confidence.CERTAIN


def _may_report(link: Link) -> bool:
    return is_report(link) or is_timeout(link) or is_vague(link)


def _was_passed_on(first: Failure, group: Sequence[Failure]) -> bool:
    """Whether a status says that its service only stood between its caller and another one."""
    if own_status(first.node) in PASSING_ON:
        return True
    return any(
        word in text_of(failure.link)
        for failure in group
        if failure.cause is not None and first in (failure.cause, failure.cause.first)
        for word in _PASSED_ON
    )


def _is_whole(node: Node) -> bool:
    """Whether nothing stands below a call that might have failed unseen."""
    return node.tie not in (Tie.GUESS, Tie.WORDS) and all(
        ended_well(child) for child in node.children
    )


def _inferred(failures: Failures, first: Failure, group: Sequence[Failure]) -> Origin | None:
    """Where it began when this error only reports a callee that says nothing itself."""
    link, node = first.link, first.node
    attempts = [node]
    if first.retries:
        attempts += [f.node for f in group if f.first is first and f.node is not node]
    attempts = attempts[:MOST_ATTEMPTS]
    name = failures.blamed_by(first) or _complaint(attempts)
    callees = [child for one in attempts for child in one.children]
    below = [child for child in callees if not name or child.service == name]
    bad = [child for child in below if has_bad_end_below(child)]
    if not (name or bad or _is_passed_on(failures, first, attempts, group)):
        return None
    silent = _last_called(bad or [child for child in below if is_silent(child)])
    if len({child.service for child in silent}) == 1:
        return _beginning(link, silent)
    if silent or (below and name):
        return None
    if name:
        return _elsewhere(failures, first, name)
    asked = asked_in_vain(node)
    return _stranger(link, asked[0]) if len(asked) == 1 else None


def _is_passed_on(
    failures: Failures, first: Failure, attempts: Sequence[Node], group: Sequence[Failure]
) -> bool:
    """Whether its form, its status or its callers say that it is not where the failure began."""
    link = first.link
    if _may_report(link):
        return True
    if any(own_status(one) in PASSING_ON for one in attempts):
        return True
    return any(
        failure.cause is first
        and tells_of_passing_on(failure.link)
        and failures.blamed_by(failure) == link.service
        for failure in group
    )


def _last_called(silent: Sequence[Node]) -> Sequence[Node]:
    """Of several services the one called when the others were done: the caller went on to it."""
    if len({child.service for child in silent}) < 2:  # noqa: PLR2004
        return silent
    last = max(silent, key=lambda child: child.began)
    done = [
        one for child in silent if child.service != last.service for one in (child, *child.children)
    ]
    return [last] if all(one.ended <= last.began for one in done) else silent


def _elsewhere(failures: Failures, first: Failure, name: str) -> Origin | None:
    """It names a service that is not known to be below it."""
    link, node = first.link, first.node
    home = next((n for n in failures.nodes if n.service == name and n is not node), None)
    if home is not None:
        return _beginning(link, [home]) if is_silent(home) else None
    strays = [one for one in node.top.children if one.tie is Tie.GUESS and one.via in ("", name)]
    bad = [one for one in strays if has_bad_end_below(one)]
    if len({one.service for one in bad}) == 1:
        return _beginning(link, bad)
    return _stranger(link, name)


def _stranger(link: Link, name: str) -> Origin:
    said = f"{link.service}'s error reports {name}, of which no record arrived"
    return Origin(service=name, reason=said, seen=False)


def _beginning(link: Link, attempts: Sequence[Node]) -> Origin:
    callee = attempts[-1].service
    what = "never said how it ended" if all(map(is_open, attempts)) else "ended badly"
    service, seen = _descend(attempts, link)
    said = f"{link.service} reports a failing call, and {callee} {what}"
    if service != callee:
        said += f"; the last that is known is its call of {service}"
    return Origin(service=service, reason=said, seen=seen)


def _descend(attempts: Sequence[Node], report: Link) -> tuple[str, bool]:
    """The deepest callee that may have failed unseen, as long as only one comes into question."""
    passed_on = any(word in text_of(report) for word in _PASSED_ON)
    at = attempts
    for _ in range(MOST_STEPS):
        name = _complaint(at)
        children = [child for one in at for child in one.children]
        if name and not any(child.service == name for child in children):
            return name, False
        silent = [child for one in at for child in one.children if _may_have_failed(one, child)]
        bad = [child for child in silent if has_bad_end_below(child)]
        chosen = [child for child in silent if child.service == name] or bad or silent
        asked = [] if bad or name else asked_in_vain(at[-1])
        if len({*(child.service for child in chosen), *asked}) != 1:
            break
        if not (bad or name or _passes_on(at, otherwise=passed_on)):
            break
        if not chosen:
            return asked[0], False
        at = chosen[-MOST_ATTEMPTS:]
    return at[-1].service, True


def _may_have_failed(caller: Node, child: Node) -> bool:
    return is_silent(child) and not was_handled(caller, child, alone=True)


def _complaint(attempts: Sequence[Node]) -> str:
    return next(filter(None, map(complains_of, attempts)), "")


def _passes_on(attempts: Sequence[Node], *, otherwise: bool) -> bool:
    """Whether its status says that another one failed; without a status, what is said of it."""
    told = [status for one in attempts if (status := own_status(one)) is not None]
    return any(status in PASSING_ON for status in told) if told else otherwise
