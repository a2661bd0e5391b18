"""Which error is passed on from which: the reports, repetitions and consequences. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from app.correlate.calls import Node, Tie
from app.correlate.facts import is_local, is_report, is_timeout, tells_of_handling
from app.correlate.failure import (
    Bond,
    Failure,
    branch_of,
    passes,
    quotes,
    services_above,
)
from app.correlate.link import Link
from app.correlate.names import blamed, text_of
from app.correlate.outcomes import (
    asked_in_vain,
    ended_well,
    was_handled,
    was_repeated_well,
)

MOST_HEADS: Final = 32
"""Failures of one call that its caller may report."""
MOST_NAMES: Final = 64
MOST_TWINS: Final = 4


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
        self.paths: dict[int, int] = {}
        """The place of each call in the tree of services, by `id`; all its attempts share it."""
        self.names = list(dict.fromkeys(node.service for node in nodes))[:MOST_NAMES]
        if len(self.all) > 1:
            self._fold_retries()
            self._tie_calls()

    def roots(self) -> list[Failure]:
        return [f for f in self.all if f.cause is None and f.first is None]

    def _fold_retries(self) -> None:
        """The same error in the same place of the call tree is the same failure once more."""
        self._place_calls()
        met: dict[tuple[int, str | None], Failure] = {}
        for failure in self.all:
            key = self.paths[id(failure.node)], failure.link.signature_id
            first = met.setdefault(key, failure)
            if first is not failure:
                failure.first = failure.above = first
                first.retries += 1

    def _place_calls(self) -> None:
        """A call whose caller never arrived stands where its service stands otherwise."""
        paths: dict[tuple[int, str], int] = {}
        usual: dict[str, int] = {}
        strays = []
        own = self.paths
        for node in self.nodes:
            if node.tie == Tie.GUESS:
                strays.append(node)
            elif node.parent is None or id(node.parent) in own:
                above = own[id(node.parent)] if node.parent is not None else -1
                own[id(node)] = paths.setdefault((above, node.service), len(paths))
                usual.setdefault(node.service, own[id(node)])
        for node in self.nodes if strays else ():
            if id(node) not in own and node.parent is not None:
                key = own[id(node.parent)], node.service
                place = usual.get(node.service) if node.tie == Tie.GUESS else None
                own[id(node)] = paths.setdefault(key, len(paths)) if place is None else place

    def _tie_calls(self) -> None:
        """Callees before their callers: what a call reports is what failed below it."""
        by_node: dict[int, list[Failure]] = {}
        for failure in self.all:
            by_node.setdefault(id(failure.node), []).append(failure)
        attempts: dict[int, list[Node]] = {}
        for node in self.nodes:
            attempts.setdefault(self.paths[id(node)], []).append(node)
        heads: dict[int, list[Failure]] = {}
        for node in reversed(self.nodes):
            failed = [(one, heads[id(one)]) for one in node.children if id(one) in heads]
            twins = attempts[self.paths[id(node)]][:MOST_TWINS] if failed else []
            below = _unhandled(failed, [node, *twins]) if failed else []
            own = by_node.get(id(node), [])
            if own:
                self._tie_call(node, own, below, _by_place(failed))
            up = own[-MOST_HEADS:] or below
            if up and not (node.parent is not None and ended_well(node)):
                heads[id(node)] = up

    def _tie_call(
        self, node: Node, own: list[Failure], below: list[Failure], every: list[Failure]
    ) -> None:
        scored = [(failure, *self._reported(failure, node, below, every)) for failure in own]
        speaks_later = [score >= Bond.FORM for _, _, score, _ in scored]
        before: Failure | None = None
        for number, (failure, cause, score, reason) in enumerate(scored):
            tied = failure.first is not None
            if not tied and cause is not None and score >= Bond.FORM:
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
        self,
        failure: Failure,
        node: Node,
        below: Sequence[Failure],
        every: Sequence[Failure],
    ) -> tuple[Failure | None, Bond, str]:
        """The callee's failure that an error passes on, and how well that is known."""
        if not every:
            return None, Bond.TIME, ""
        for one in reversed(every):
            if quotes(failure.link, one.link):
                return one, Bond.QUOTED, f"it quotes {one.link.service}'s error"
        name = self.blamed_by(failure)
        if name:
            return self._named(node, [*every, *below], name)
        form = is_report(failure.link) or is_timeout(failure.link)
        for one in reversed(below):
            child = branch_of(one.node, node)
            if child is not None and not was_repeated_well(child):
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
            if child is not None and child.tie == Tie.GUESS and child.via in ("", name):
                return one, Bond.FORM, f"it reports {name}, and {one.link.service} failed"
        return None, Bond.TIME, ""

    def blamed_by(self, failure: Failure) -> str:
        """The service that an error says failed; neither its own nor one that called it."""
        link, node = failure.link, failure.node
        text = text_of(link)
        known = [name for name in self.names if name in text]
        if known:
            above = set(services_above(node))
            if not any(child.service == node.service for child in node.children):
                above.add(node.service)
            known = [name for name in known if name not in above]
        known += [name for name in asked_in_vain(node) if name in text and name not in known]
        name = blamed(link, known)
        return "" if name == node.service and name not in known else name


def _unhandled(
    failed: Sequence[tuple[Node, list[Failure]]], attempts: Sequence[Node]
) -> list[Failure]:
    """What may be why a call failed: not what it says it lived with; what failed last comes last.

    `attempts`: the call itself, then others of the same call: what one says goes for all. A word
    about no callee in particular is about any but the last that failed: it lived on.
    """
    latest: dict[str, int] = {}
    for child, found in failed:
        latest[child.service] = max(found[-1].place, latest.get(child.service, -1))
    last = max(latest.values(), default=-1) if len(latest) > 1 else -1
    mended = {
        child.service
        for one in attempts
        for child in one.children[:MOST_HEADS]
        if child.failing and was_repeated_well(child)
    }
    return _by_place(
        (child, found)
        for child, found in failed
        if child.service not in mended
        and not any(
            was_handled(one, child, alone=number > 0 or latest[child.service] == last)
            for number, one in enumerate(attempts)
        )
    )


def _by_place(failed: Iterable[tuple[Node, list[Failure]]]) -> list[Failure]:
    below = [failure for _, found in failed for failure in found]
    below.sort(key=lambda failure: failure.place)
    return below[-MOST_HEADS:]
