"""Which error is passed on from which: the reports, repetitions and consequences. Pure."""

import enum
from collections.abc import Iterable, Sequence
from typing import Final

from app.correlate.calls import Node, Tie
from app.correlate.facts import (
    blamed,
    is_local,
    is_report,
    is_timeout,
    tells_of_handling,
    text_of,
)
from app.correlate.link import Link
from app.correlate.outcomes import ended_well, was_handled, was_repeated_well

MOST_HEADS: Final = 32
"""Failures of one call that its caller may report."""
MOST_NAMES: Final = 64
MOST_STEPS: Final = 64
SHORTEST_QUOTE: Final = 12
LONGEST_QUOTE: Final = 160


class Bond(enum.IntEnum):
    """How well an error is known to follow from another."""

    TIME = 1
    NEAR = 2
    FORM = 3
    NAMED = 4
    QUOTED = 5


class Failure:
    """An error while its chain is being worked out."""

    __slots__ = ("bond", "cause", "first", "link", "node", "number", "place", "reason", "retries")

    def __init__(self, link: Link, node: Node, number: int, place: int) -> None:
        self.link = link
        self.node = node
        self.number = number
        """Its place among the records of its call."""
        self.place = place
        """Its place among the errors of its run."""
        self.cause: Failure | None = None
        self.bond: Bond | None = None
        self.reason = ""
        self.first: Failure | None = None
        """The failure that this one repeats."""
        self.retries = 0

    def origin(self) -> "Failure":
        """What it all goes back to."""
        at = self
        while at.cause is not None or at.first is not None:
            at = at.first or at.cause or at
        return at

    def follows(self, cause: "Failure", bond: Bond, reason: str) -> bool:
        """Say why it happened; refused when that would close a circle."""
        if cause.origin() is self:
            return False
        self.cause, self.bond, self.reason = cause, bond, reason
        return True


class Failures:
    """The errors of a run, tied to what they follow from."""

    def __init__(self, nodes: Sequence[Node], errors: Sequence[Link]) -> None:
        homes = {
            id(link): (node, number)
            for node in nodes
            for number, link in enumerate(node.links)
            if link.signature_id is not None
        }
        self.nodes = nodes
        self.all = [Failure(link, *homes[id(link)], place) for place, link in enumerate(errors)]
        self.names = list(dict.fromkeys(node.service for node in nodes))[:MOST_NAMES]
        if len(self.all) > 1:
            self._fold_retries()
            self._tie_calls()
            self._tie_loose()

    def roots(self) -> list[Failure]:
        return [f for f in self.all if f.cause is None and f.first is None]

    def _fold_retries(self) -> None:
        """The same error in the same place of the call tree is the same failure once more."""
        paths: dict[tuple[int, str], int] = {}
        own: dict[int, int] = {}
        for node in self.nodes:
            above = own[id(node.parent)] if node.parent is not None else -1
            own[id(node)] = paths.setdefault((above, node.service), len(paths))
        met: dict[tuple[int, str | None], Failure] = {}
        for failure in self.all:
            key = own[id(failure.node)], failure.link.signature_id
            first = met.setdefault(key, failure)
            if first is not failure:
                failure.first = first
                first.retries += 1

    def _tie_calls(self) -> None:
        """Callees before their callers: what a call reports is what failed below it."""
        by_node: dict[int, list[Failure]] = {}
        for failure in self.all:
            by_node.setdefault(id(failure.node), []).append(failure)
        heads: dict[int, list[Failure]] = {}
        for node in reversed(self.nodes):
            below = [f for child in node.children for f in heads.get(id(child), ())][-MOST_HEADS:]
            own = by_node.get(id(node), [])
            if own:
                self._tie_call(node, own, below)
            up = own[-MOST_HEADS:] or below
            if up and not (node.parent is not None and ended_well(node)):
                heads[id(node)] = up

    def _tie_call(self, node: Node, own: list[Failure], below: list[Failure]) -> None:
        scored = [
            (failure, *self._reported(failure, node, below))
            for failure in own
            if failure.first is None
        ]
        speaks_later = [score >= Bond.FORM for _, _, score, _ in scored]
        before: Failure | None = None
        for number, (failure, cause, score, reason) in enumerate(scored):
            tied = False
            if cause is not None and score >= Bond.FORM:
                tied = failure.follows(cause, score, reason)
            if not tied and before is not None:
                tied = self._follow_in_call(failure, before)
            if not tied and cause is not None and score == Bond.NEAR:
                local_first = is_local(failure.link) and any(speaks_later[number + 1 :])
                tied = not local_first and failure.follows(cause, score, reason)
            before = failure

    def _follow_in_call(self, failure: Failure, before: Failure) -> bool:
        if quotes(failure.link, before.link):
            return failure.follows(before, Bond.QUOTED, "it quotes the error before it")
        between = [
            link
            for link in failure.node.links[before.number + 1 : failure.number]
            if link.signature_id is None
        ]
        if any(tells_of_handling(one) for one in between):
            return False
        if between and is_local(failure.link) and is_local(before.link):
            return False
        said = "the same call had failed already"
        return failure.follows(before, Bond.NEAR, said)

    def _reported(
        self, failure: Failure, node: Node, below: Sequence[Failure]
    ) -> tuple[Failure | None, Bond, str]:
        """The callee's failure that an error passes on, and how well that is known."""
        if not below:
            return None, Bond.TIME, ""
        for one in reversed(below):
            if quotes(failure.link, one.link):
                return one, Bond.QUOTED, f"it quotes {one.link.service}'s error"
        name = self.blamed_by(failure)
        if name:
            return self._named(node, below, name)
        form = is_report(failure.link) or is_timeout(failure.link)
        for one in reversed(below):
            child = branch_of(one.node, node)
            if child is not None and not was_handled(node, child) and not was_repeated_well(child):
                if form:
                    return one, Bond.FORM, f"it reports a failing call, and {child.service} failed"
                return one, Bond.NEAR, f"{child.service}, which it called, had failed"
        return None, Bond.TIME, ""

    def _named(
        self, node: Node, below: Sequence[Failure], name: str
    ) -> tuple[Failure | None, Bond, str]:
        for one in reversed(below):
            if passes(one.node, node, name):
                return one, Bond.NAMED, f"it names {name}, whose call had failed"
        for one in reversed(below):
            child = branch_of(one.node, node)
            if child is not None and (child.tie == Tie.GUESS or name not in self.names):
                return one, Bond.FORM, f"it reports {name}, and {one.link.service} failed"
        return None, Bond.TIME, ""

    def blamed_by(self, failure: Failure) -> str:
        """The service that an error says failed; neither its own nor one that called it."""
        link, node = failure.link, failure.node
        text = text_of(link)
        known = [name for name in self.names if name in text]
        if known:
            above = set(_services_above(node))
            if not any(child.service == node.service for child in node.children):
                above.add(node.service)
            known = [name for name in known if name not in above]
        name = blamed(link, known)
        return "" if name == node.service and name not in known else name

    def _tie_loose(self) -> None:
        """What no call ties: quotes, names, and, where records carry no spans, time."""
        roots = self.roots()
        if len(roots) < 2:  # noqa: PLR2004
            return
        shown = roots[:MOST_HEADS]
        others = list({(f.link.service, f.link.signature_id): f for f in self.all}.values())
        for failure in shown:
            self._tie_one(failure, others[: 4 * MOST_HEADS], shown)

    def _tie_one(
        self, failure: Failure, others: Iterable[Failure], roots: Iterable[Failure]
    ) -> bool:
        others = [o for o in others if o is not failure and o.link.service != failure.link.service]
        for other in others:
            if quotes(failure.link, other.link) and failure.follows(
                other, Bond.QUOTED, f"it quotes {other.link.service}'s error"
            ):
                return True
        if is_tied(failure.node):
            return False
        name = self.blamed_by(failure)
        for other in others:
            if (
                name
                and other.link.service == name
                and failure.follows(other, Bond.NAMED, f"it names {name}, which had failed")
            ):
                return True
        return self._tie_by_time(failure, roots, name)

    def _tie_by_time(self, failure: Failure, roots: Iterable[Failure], name: str) -> bool:
        """Without spans, what came later follows from what came earlier, if it may."""
        if name in self.names:
            return False
        for other in roots:
            if other.place >= failure.place:
                return False
            if other.cause is not None or is_tied(other.node):
                continue
            if is_local(failure.link) and is_local(other.link):
                continue
            return failure.follows(
                other, Bond.TIME, f"{other.link.service} had failed before, and no call tells more"
            )
        return False


def is_tied(node: Node) -> bool:
    """Whether spans say where in the calls it stands."""
    return node.span_id is not None and (node.wanted is None or node.tie == Tie.SPANS)


def quotes(report: Link, cause: Link) -> bool:
    """Whether an error carries another's text, or is the very same error met again above."""
    if report.signature_id == cause.signature_id and report.service != cause.service:
        return True
    core = (cause.exception_message or cause.message).partition("\n")[0][:LONGEST_QUOTE].strip()
    return len(core) >= SHORTEST_QUOTE and core in text_of(report)


def branch_of(node: Node, above: Node) -> Node | None:
    """The callee of `above` through which `node` was reached."""
    at: Node | None = node
    for _ in range(MOST_STEPS):
        if at is None or at.parent is above:
            return at
        at = at.parent
    return None


def passes(node: Node, above: Node, service: str) -> bool:
    """Whether the calls from `above` down to `node` go through this service."""
    at: Node | None = node
    for _ in range(MOST_STEPS):
        if at is None or at is above:
            return False
        if at.service == service:
            return True
        at = at.parent
    return False


def _services_above(node: Node) -> Iterable[str]:
    at = node.parent
    for _ in range(MOST_STEPS):
        if at is None:
            return
        yield at.service
        at = at.parent
