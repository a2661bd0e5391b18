"""Rules on a whole chain: order, absence, repetition, times that run backwards, slowness. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from app.catalogue.model import ChainRule, Clause, Evidence
from app.catalogue.rules import BrokenRule, Predicate, Subject, compile_clause
from app.normalise.times import parse_time

MAX_QUOTE: Final = 300
_DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*").fullmatch
_UNIT_MS: Final = {"ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0}
_DUPLICATE: Final = 2


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a chain as chain rules see it."""

    at: datetime
    subject: Subject
    masked: str
    """Its message with everything that varies masked."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that holds for a chain."""

    evidence: tuple[Evidence, ...]
    place: int
    """Of the moment where it shows."""


ChainPredicate = Callable[[Sequence[Moment], datetime], Held | None]
"""Whether the rule holds for the chain as it stands now; moments stand in causal order."""


def compile_chain_rule(rule: ChainRule) -> ChainPredicate:
    """Raises `BrokenRule` unless exactly one kind of rule is given, and given whole."""
    return _KINDS[_kind(rule)](rule)


def compile_due(rule: ChainRule) -> Callable[[Sequence[Moment], datetime], datetime | None]:
    """When a chain must be looked at again, because what is not there yet may still come."""
    if rule.without is None:
        return lambda _moments, _now: None
    unanswered = _unanswered(rule)
    within = _span(rule.within)

    def due(moments: Sequence[Moment], now: datetime) -> datetime | None:
        times = (moments[place].at + within for place in unanswered(moments))
        return min((time for time in times if time > now), default=None)

    return due


def _kind(rule: ChainRule) -> str:
    kinds = {
        "then": rule.then is not None,
        "without": rule.without is not None,
        "same": bool(rule.same),
        "backwards": bool(rule.backwards),
        "slower_than": bool(rule.slower_than),
    }
    given = [name for name, there in kinds.items() if there]
    if len(given) != 1:
        raise BrokenRule(f"a chain rule has exactly one of {', '.join(kinds)}; this has {given}")
    return given[0]


def milliseconds(text: str) -> float:
    """`500ms`, `30s`, `5m`, `1h`, or a bare number of milliseconds. Raises `BrokenRule`."""
    found = _DURATION(text)
    if not found:
        raise BrokenRule(f"{text!r} is no time; write it as 500ms, 30s, 5m or 1h")
    return float(found[1]) * _UNIT_MS[found[2] or "ms"]


def _span(text: str) -> timedelta:
    if not text:
        raise BrokenRule("a rule on two records needs `within`, such as 30s")
    return timedelta(milliseconds=milliseconds(text))


def _required(clause: Clause | None, name: str) -> Predicate:
    if clause is None:
        raise BrokenRule(f"the rule needs `{name}`")
    return compile_clause(clause)


def _then(rule: ChainRule) -> ChainPredicate:
    first, then = _required(rule.first, "first"), _required(rule.then, "then")
    within = _span(rule.within)

    def holds(moments: Sequence[Moment], _now: datetime) -> Held | None:
        newest: int | None = None
        for place, moment in enumerate(moments):
            if newest is not None and then(moment.subject) is not None:
                # When the newest start is too far away, so are those before it.
                start = moments[newest]
                if moment.at - start.at <= within:
                    evidence = (_evidence("first", start), _evidence("then", moment))
                    return Held(evidence=evidence, place=newest)
            if first(moment.subject) is not None:
                newest = place
        return None

    return holds


def _without(rule: ChainRule) -> ChainPredicate:
    unanswered = _unanswered(rule)
    within = _span(rule.within)

    def holds(moments: Sequence[Moment], now: datetime) -> Held | None:
        for place in unanswered(moments):
            # What may still come is not yet missing.
            if now - moments[place].at >= within:
                quote = f"nothing within {rule.within}"
                evidence = (
                    _evidence("first", moments[place]),
                    Evidence(clause="without", quote=quote),
                )
                return Held(evidence=evidence, place=place)
        return None

    return holds


def _unanswered(rule: ChainRule) -> Callable[[Sequence[Moment]], Iterator[int]]:
    first, without = _required(rule.first, "first"), _required(rule.without, "without")
    within = _span(rule.within)

    def find(moments: Sequence[Moment]) -> Iterator[int]:
        # From the end: the answers after each start are then known, each asked for once.
        answers: list[datetime] = []
        open_places = []
        for place in range(len(moments) - 1, -1, -1):
            moment = moments[place]
            if first(moment.subject) is not None and not _any_before(answers, moment.at + within):
                open_places.append(place)
            if without(moment.subject) is not None:
                answers.append(moment.at)
        yield from reversed(open_places)

    return find


def _any_before(times: list[datetime], limit: datetime) -> bool:
    """The times were met from the end: the last of the list is the nearest."""
    return bool(times) and times[-1] <= limit


def _same(rule: ChainRule) -> ChainPredicate:
    among = compile_clause(rule.of) if rule.of else None
    least = rule.times or _DUPLICATE

    def holds(moments: Sequence[Moment], _now: datetime) -> Held | None:
        groups: dict[str, list[int]] = {}
        for place, moment in _among(moments, among):
            value = moment.masked if rule.same == "message" else _value(moment, rule.same)
            if value:
                groups.setdefault(value, []).append(place)
        for value, group in groups.items():
            if len(group) >= least:
                quote = f"{len(group)} times: {value}"[:MAX_QUOTE]
                return _held(f"same: {rule.same}", quote, group[-1])
        return None

    return holds


def _backwards(rule: ChainRule) -> ChainPredicate:
    among = compile_clause(rule.of) if rule.of else None

    def holds(moments: Sequence[Moment], _now: datetime) -> Held | None:
        latest: datetime | None = None
        for place, moment in _among(moments, among):
            parsed = parse_time(moment.subject.attributes.get(rule.backwards))
            if parsed is None:
                continue
            if latest and parsed[0] < latest:
                quote = f"{parsed[0].isoformat()} after {latest.isoformat()}"
                return _held(f"backwards: {rule.backwards}", quote, place)
            latest = parsed[0]
        return None

    return holds


def _slower(rule: ChainRule) -> ChainPredicate:
    among = compile_clause(rule.of) if rule.of else None
    limit = milliseconds(rule.slower_than)

    def holds(moments: Sequence[Moment], _now: datetime) -> Held | None:
        found = list(_among(moments, among))
        slowest, place = max(_durations(found, rule.duration), default=(0.0, 0))
        if slowest <= limit:
            return None
        return _held(f"slower_than: {rule.slower_than}", f"{slowest:.0f} ms", place)

    return holds


def _durations(found: Sequence[tuple[int, Moment]], attribute: str) -> Iterator[tuple[float, int]]:
    """Milliseconds, and the place of the moment that says so."""
    if not attribute and found:
        (_, first), (place, last) = found[0], found[-1]
        yield (last.at - first.at).total_seconds() * 1000, place
    for place, moment in found:
        given = _DURATION(_value(moment, attribute))
        if attribute and given:
            yield float(given[1]) * _UNIT_MS[given[2] or "ms"], place


def _among(moments: Sequence[Moment], among: Predicate | None) -> Iterator[tuple[int, Moment]]:
    return (
        (place, moment)
        for place, moment in enumerate(moments)
        if among is None or among(moment.subject) is not None
    )


def _value(moment: Moment, attribute: str) -> str:
    value = moment.subject.attributes.get(attribute)
    return "" if value is None else str(value)


def _evidence(name: str, moment: Moment) -> Evidence:
    return Evidence(clause=name, quote=moment.subject.text[:MAX_QUOTE])


def _held(clause: str, quote: str, place: int) -> Held:
    return Held(evidence=(Evidence(clause=clause, quote=quote),), place=place)


_KINDS: Final[dict[str, Callable[[ChainRule], ChainPredicate]]] = {
    "then": _then,
    "without": _without,
    "same": _same,
    "backwards": _backwards,
    "slower_than": _slower,
}
