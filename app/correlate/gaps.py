"""Where a chain is not complete. Pure."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from app.correlate.calls import Node, Tie
from app.correlate.link import Link
from app.correlate.model import Gap, GapKind
from app.correlate.outcomes import asked_in_vain, began, has_errors, is_open, is_silent

Missing = Mapping[tuple[str, str], Sequence[tuple[int, int]]]
NOTHING_MISSING: Final[Missing] = {}
MOST_GAPS: Final = 200


def find_gaps(nodes: Sequence[Node], missing: Missing) -> tuple[Gap, ...]:
    """Numbered records that never came, calls without an answer, requests without an end."""
    gaps = list(_missing_records(nodes, missing)) if missing else []
    gaps += _strays(nodes)
    ends_are_told = False
    for node in nodes:
        if not has_errors(node) and not is_open(node):
            ends_are_told = True
            break
    for node in nodes:
        gaps += _silences(node, ends_are_told=ends_are_told)
    return tuple(gaps[:MOST_GAPS])


def _missing_records(nodes: Iterable[Node], missing: Missing) -> Iterable[Gap]:
    numbered: dict[tuple[str, str], list[Link]] = {}
    for node in nodes:
        for link in node.links:
            if (
                link.sequence is not None
                and link.instance
                and ((link.service, link.instance) in missing)
            ):
                numbered.setdefault((link.service, link.instance), []).append(link)
    for sender, links in numbered.items():
        links.sort(key=lambda link: link.sequence or 0)
        numbers = [link.sequence or 0 for link in links]
        for first, last in sorted(missing[sender]):
            if last >= numbers[0] - 1 and first <= numbers[-1] + 1:
                yield _missing(sender, links, bisect_left(numbers, first), first, last)


def _missing(sender: tuple[str, str], links: Sequence[Link], at: int, first: int, last: int) -> Gap:
    records = last - first + 1
    never = "record never arrived" if records == 1 else "records never arrived"
    before = links[at - 1] if at else None
    return Gap(
        kind=GapKind.MISSING_RECORDS,
        service=sender[0],
        instance=sender[1],
        first_sequence=first,
        last_sequence=last,
        records=records,
        after=before.record_id if before else None,
        before=links[at].record_id if at < len(links) else None,
        since=before.occurred_at if before else None,
        reason=f"{records} {never} from {sender[0]}",
    )


def _strays(nodes: Iterable[Node]) -> Iterable[Gap]:
    """Calls made by a span of which nothing is known.

    The first call of a chain may have such a caller: a browser numbers spans and sends no logs.
    """
    for node in nodes:
        if node.wanted is not None and node.tie == Tie.GUESS:
            yield Gap(
                kind=GapKind.UNKNOWN_CALLER,
                service=node.service,
                instance=node.instance,
                before=node.links[0].record_id,
                since=node.links[0].occurred_at,
                reason=f"no record of the call that called {node.service} arrived",
            )


def _silences(node: Node, *, ends_are_told: bool) -> Iterable[Gap]:
    last = node.links[-1]
    name = asked_in_vain(node)
    if name:
        yield _silence(
            GapKind.UNANSWERED_CALL,
            node,
            last,
            f"{node.service} called {name}, and no record of {name} arrived",
        )
    if not is_silent(node):
        return
    if node.parent is not None and has_errors(node.parent):
        said = f"{node.service} took part, {node.parent.service} failed, and no record says how"
        if began(node) or not is_open(node):
            kind = GapKind.UNANSWERED_CALL if is_open(node) else GapKind.SILENT_SERVICE
        else:
            kind = GapKind.SILENT_SERVICE
        yield _silence(kind, node, last, f"{said} {node.service} ended")
    elif is_open(node) and ends_are_told and began(node):
        yield _silence(
            GapKind.NO_END, node, last, f"{node.service} began and never said that it ended"
        )


def _silence(kind: GapKind, node: Node, last: Link, reason: str) -> Gap:
    return Gap(
        kind=kind,
        service=node.service,
        instance=node.instance,
        after=last.record_id,
        since=last.occurred_at,
        reason=reason,
    )
