"""What became of a call: ended well, ended badly, failed, or nobody knows. Pure."""

import enum
from collections.abc import Sequence
from http import HTTPStatus
from itertools import pairwise
from typing import Final

from app.correlate.calls import Node
from app.correlate.facts import is_end, is_good, is_start, status_of, tells_of_handling
from app.correlate.link import Link
from app.correlate.names import callee_fields, complained_of, mentions, said_callee
from app.normalise.record import Severity

MOST_CALLEES = 8
"""Callees whose names are looked for in their caller's records."""
MOST_SIBLINGS = 1_000
PASSING_ON: Final = (502, 504)
"""HTTP status by which a service says that another one failed (RFC 9110, 15.6.3 and 15.6.5)."""


class Fate(enum.Enum):
    """What the records of a call tell of its end."""

    WELL = enum.auto()
    """Its last word is an answer that is no failure."""
    FAILED = enum.auto()
    """It tells of an error."""
    BAD = enum.auto()
    """It answered with a failure, and tells of no error."""
    OPEN = enum.auto()
    """Neither an error nor an end."""


def fate_of(node: Node) -> Fate:
    """Worked out once for each call."""
    if node.fate is None:
        node.fate = _fate(node)
    fate: Fate = node.fate
    return fate


def _fate(node: Node) -> Fate:
    failing = node.failing
    for link in reversed(node.links):
        if link.signature_id is not None:
            return Fate.FAILED
        if is_own_end(node, link):
            if is_good(link) and not (failing and _says_little(link)):
                return Fate.WELL
            return Fate.FAILED if failing else Fate.BAD
    return Fate.OPEN


def _says_little(link: Link) -> bool:
    """Beside an error of one's own a bare `done` is no good end, nor is a 4xx."""
    status = status_of(link)
    return status is None or status >= HTTPStatus.BAD_REQUEST


def is_own_end(node: Node, link: Link) -> bool:
    """Whether a call ended with this record; `inventory answered 200` is another's end."""
    if link.signature_id is not None or not is_end(link):
        return False
    if link.attributes and any(name != node.service for name in callee_fields(link.attributes)):
        return False
    return not any(mentions(link.message, one.service) for one in node.children[:MOST_CALLEES])


def ended_well(node: Node) -> bool:
    return fate_of(node) is Fate.WELL


def is_silent(node: Node) -> bool:
    """Whether it tells neither of an error nor of a good end."""
    return fate_of(node) in (Fate.BAD, Fate.OPEN)


def is_open(node: Node) -> bool:
    return fate_of(node) is Fate.OPEN


def began(node: Node) -> bool:
    return any(is_start(link) for link in node.links)


def own_status(node: Node) -> int | None:
    """HTTP status that it answered with, when it says so."""
    for link in reversed(node.links):
        if is_own_end(node, link):
            return status_of(link)
    return None


def has_bad_end_below(node: Node, steps: int = 200) -> bool:
    """Whether a call in it, or it itself, answered with a failure that no error tells of."""
    waiting = [node]
    while waiting and steps:
        steps -= 1
        at = waiting.pop()
        fate = fate_of(at)
        if fate is Fate.BAD:
            return True
        if fate is Fate.OPEN:
            waiting += at.children
    return False


def asked_in_vain(node: Node) -> list[str]:
    """Services that it says it called, and of which no record is below it; the last one first."""
    if node.asked is None:
        node.asked = _asked_in_vain(node)
    return node.asked


def _asked_in_vain(node: Node) -> list[str]:
    asked: dict[str, None] = {}
    for link in reversed(node.links):
        if link.signature_id is None:
            if link.attributes:
                asked |= dict.fromkeys(callee_fields(link.attributes))
            asked[said_callee(link)] = None
    known = {child.service.lower() for child in node.children}
    known |= {node.service.lower(), ""}
    return [name for name in asked if name.lower() not in known]


def complains_of(node: Node) -> str:
    """The callee that one of its warnings says failed; empty when none does."""
    for link in reversed(node.links):
        if (
            link.signature_id is None
            and link.level is Severity.WARNING
            and not tells_of_handling(link)
        ):
            for child in node.children[:MOST_CALLEES]:
                if mentions(link.message, child.service):
                    return child.service
            for name in asked_in_vain(node):
                if mentions(link.message, name):
                    return name
            if name := complained_of(link):
                return name
    return ""


def was_handled(caller: Node, failed: Node, *, alone: bool) -> bool:
    """Whether the caller says that it lived with the failure of this callee.

    `alone`: what it says counts only when it names the callee.
    """
    if caller.coped is None:
        caller.coped = [
            link for link in caller.links if link.signature_id is None and tells_of_handling(link)
        ]
    return any(_is_about(link, caller, failed.service, alone=alone) for link in caller.coped)


def was_lived_with(path: Sequence[Node]) -> bool:
    """Whether a call, or one of those above it in `path`, was done without or mended."""
    if any(ended_well(node) or was_repeated_well(node) for node in path):
        return True
    return any(
        was_handled(caller, failed, alone=_must_be_named(caller, failed))
        for failed, caller in pairwise(path)
    )


def _must_be_named(caller: Node, failed: Node) -> bool:
    """A word about no callee in particular is about any but the last that failed: it lived on."""
    others = [one for one in caller.children if one.service != failed.service]
    rivals = [one for one in others[:MOST_CALLEES] if one.failing or fate_of(one) is Fate.BAD]
    if not rivals:
        return bool(others)
    return failed.ended >= max(one.ended for one in rivals)


def _is_about(link: Link, caller: Node, service: str, *, alone: bool) -> bool:
    if mentions(link.message, service) or service in callee_fields(link.attributes):
        return True
    if alone:
        return False
    return not any(mentions(link.message, one.service) for one in caller.children[:MOST_CALLEES])


def was_repeated_well(failed: Node) -> bool:
    """Whether the same callee, called again by the same caller afterwards, answered well."""
    caller = failed.parent
    if caller is None or len(caller.children) > MOST_SIBLINGS:
        return False
    end = failed.links[-1].occurred_at
    return any(
        other.service == failed.service and other.first >= end and ended_well(other)
        for other in caller.children
        if other is not failed
    )
