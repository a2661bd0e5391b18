"""Errors that no call ties to what they follow from: other attempts, quotes, names, time. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from app.correlate.calls import Node, Tie
from app.correlate.facts import is_own, is_report, is_vague, tells_of_passing_on
from app.correlate.failure import Bond, Failure, path_up, quotes
from app.correlate.failures import MOST_HEADS, Failures
from app.correlate.outcomes import (
    PASSING_ON,
    has_bad_end_below,
    is_silent,
    own_status,
    was_lived_with,
)


def tie_loose(failures: Failures) -> None:
    """Tie what the calls themselves did not tie."""
    for tie in (_tie_attempts, _tie_rest) if len(failures.all) > 1 else ():
        roots = failures.roots()
        if len(roots) > 1:
            tie(failures, roots)


def _tie_attempts(failures: Failures, roots: Sequence[Failure]) -> None:
    """A report whose callee is silent, when another attempt of that call tells its error."""
    below: dict[tuple[int, str], Failure] = {}
    for failure in failures.all:
        for callee, caller in pairwise(path_up(failure.node)) if failure.first is None else ():
            below.setdefault((failures.paths[id(caller)], callee.service), failure)
            below.setdefault((failures.paths[id(caller)], ""), failure)
    for failure in roots:
        if is_own(failure.link):
            continue
        bad = {child.service for child in failure.node.children if has_bad_end_below(child)}
        name = failures.blamed_by(failure) or (bad.pop() if len(bad) == 1 else "")
        if not name and own_status(failure.node) not in PASSING_ON:
            continue
        other = below.get((failures.paths[id(failure.node)], name))
        if other is not None and failure.node not in path_up(other.node):
            said = f"another attempt of the call tells {other.link.service}'s error"
            failure.follows(other, Bond.NAMED, said)


def _tie_rest(failures: Failures, roots: Sequence[Failure]) -> None:
    """What no call ties: quotes, names, and, where records carry no spans, time."""
    shown = roots[:MOST_HEADS]
    others = list({(f.link.service, f.link.signature_id): f for f in failures.all}.values())
    for failure in shown:
        _tie_one(failures, failure, others[: 4 * MOST_HEADS], shown)


def _tie_one(
    failures: Failures, failure: Failure, others: Iterable[Failure], roots: Sequence[Failure]
) -> bool:
    name = failures.blamed_by(failure)
    if _is_explained(failure, name):
        return False
    others = [o for o in others if o is not failure and o.link.service != failure.link.service]
    for other in others:
        if quotes(failure.link, other.link, strictly=True) and failure.follows(
            other, Bond.QUOTED, f"it quotes {other.link.service}'s error"
        ):
            return True
    if name and name not in failures.names and _tie_to_stray(failure, roots, name):
        return True
    others = [other for other in others if other.node.top is not failure.node.top]
    for other in others:
        if (
            name
            and other.link.service == name
            and failure.follows(other, Bond.NAMED, f"it names {name}, which had failed")
        ):
            return True
    return _tie_by_time(failures, failure, roots, name)


def _tie_to_stray(failure: Failure, roots: Sequence[Failure], name: str) -> bool:
    """It names a service of which no record arrived, and a call by an unknown caller failed.

    That caller is the one it names, as long as only one service was called by unknown ones.
    """
    found: dict[str, Failure] = {}
    above = set(map(id, path_up(failure.node)))
    for other in roots:
        path = path_up(other.node)
        stray = next((n for n in path if n.tie is Tie.GUESS and n.via in ("", name)), None)
        if stray is not None and id(stray) not in above and not was_lived_with(path):
            found.setdefault(stray.service, other)
    if len(found) != 1:
        return False
    (service, other), = found.items()  # fmt: skip
    said = f"it reports {name}, and {service}, whose caller never arrived, failed"
    return failure.follows(other, Bond.FORM, said)


def _tie_by_time(failures: Failures, failure: Failure, roots: Iterable[Failure], name: str) -> bool:
    """Without spans, what came later follows from what came earlier, if it may.

    A report follows what is none, whichever came first: clocks may be off by seconds.
    """
    if name in failures.names and not any(
        is_silent(node) for node in failures.nodes if node.service == name
    ):
        return False
    if is_own(failure.link):
        return False
    form = bool(name) or is_report(failure.link) or own_status(failure.node) in PASSING_ON
    for other in roots:
        if other.place > failure.place and not form:
            return False
        if other.node.top is failure.node.top or not _may_be_cause(failures, other):
            continue
        if failure.node.span_id is None or other.node.span_id is None:
            said = f"{other.link.service} had failed too, and no call tells more"
            if failure.follows(other, Bond.TIME, said):
                return True
    return False


def _may_be_cause(failures: Failures, other: Failure) -> bool:
    if was_lived_with(path_up(other.node)):
        return False
    if not is_report(other.link) and not is_vague(other.link):
        return True
    return _is_explained(other, failures.blamed_by(other))


def _is_explained(failure: Failure, name: str) -> bool:
    """Whether it reports a callee that it did call, that says nothing and passed nothing on."""
    return not tells_of_passing_on(failure.link) and _has_silent_callee(failure.node, name)


def _has_silent_callee(node: Node, name: str) -> bool:
    return any(child.service == name and is_silent(child) for child in node.children)
