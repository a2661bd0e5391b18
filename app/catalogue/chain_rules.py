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


ChainPredicate = Callable[[Sequence[Moment], datetime], tuple[Evidence, ...] | None]
"""Evidence when the rule holds for the chain as it stands now; moments stand in causal order."""


def compile_chain_rule(rule: ChainRule) -> ChainPredicate:
    """Raises `BrokenRule` unless exactly one kind of rule is given, and given whole."""
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
    return _KINDS[given[0]](rule)


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

    def holds(moments: Sequence[Moment], _now: datetime) -> tuple[Evidence, ...] | None:
        for n, start in enumerate(moments):
            if first(start.subject) is None:
                continue
            for later in moments[n + 1 :]:
                if later.at - start.at <= within and then(later.subject) is not None:
                    return _evidence("first", start), _evidence("then", later)
        return None

    return holds


def _without(rule: ChainRule) -> ChainPredicate:
    first, without = _required(rule.first, "first"), _required(rule.without, "without")
    within = _span(rule.within)

    def holds(moments: Sequence[Moment], now: datetime) -> tuple[Evidence, ...] | None:
        for n, start in enumerate(moments):
            # What may still come is not yet missing.
            if first(start.subject) is None or now - start.at < within:
                continue
            answers = (m for m in moments[n + 1 :] if m.at - start.at <= within)
            if all(without(answer.subject) is None for answer in answers):
                quote = f"nothing within {rule.within}"
                return _evidence("first", start), Evidence(clause="without", quote=quote)
        return None

    return holds


def _same(rule: ChainRule) -> ChainPredicate:
    among = compile_clause(rule.of) if rule.of else None
    least = rule.times or _DUPLICATE

    def holds(moments: Sequence[Moment], _now: datetime) -> tuple[Evidence, ...] | None:
        groups: dict[str, list[Moment]] = {}
        for moment in _among(moments, among):
            value = moment.masked if rule.same == "message" else _value(moment, rule.same)
            if value:
                groups.setdefault(value, []).append(moment)
        for value, group in groups.items():
            if len(group) >= least:
                quote = f"{len(group)} times: {value}"[:MAX_QUOTE]
                return (Evidence(clause=f"same: {rule.same}", quote=quote),)
        return None

    return holds


def _backwards(rule: ChainRule) -> ChainPredicate:
    among = compile_clause(rule.of) if rule.of else None

    def holds(moments: Sequence[Moment], _now: datetime) -> tuple[Evidence, ...] | None:
        latest: datetime | None = None
        for moment in _among(moments, among):
            parsed = parse_time(moment.subject.attributes.get(rule.backwards))
            if parsed is None:
                continue
            if latest and parsed[0] < latest:
                quote = f"{parsed[0].isoformat()} after {latest.isoformat()}"
                return (Evidence(clause=f"backwards: {rule.backwards}", quote=quote),)
            latest = parsed[0]
        return None

    return holds


def _slower(rule: ChainRule) -> ChainPredicate:
    among = compile_clause(rule.of) if rule.of else None
    limit = milliseconds(rule.slower_than)

    def holds(moments: Sequence[Moment], _now: datetime) -> tuple[Evidence, ...] | None:
        found = list(_among(moments, among))
        slowest = max(_durations(found, rule.duration), default=0.0)
        if slowest <= limit:
            return None
        return (Evidence(clause=f"slower_than: {rule.slower_than}", quote=f"{slowest:.0f} ms"),)

    return holds


def _durations(moments: Sequence[Moment], attribute: str) -> Iterator[float]:
    if not attribute and moments:
        yield (moments[-1].at - moments[0].at).total_seconds() * 1000
    for moment in moments:
        found = _DURATION(_value(moment, attribute))
        if attribute and found:
            yield float(found[1]) * _UNIT_MS[found[2] or "ms"]


def _among(moments: Sequence[Moment], among: Predicate | None) -> Iterator[Moment]:
    return (m for m in moments if among is None or among(m.subject) is not None)


def _value(moment: Moment, attribute: str) -> str:
    value = moment.subject.attributes.get(attribute)
    return "" if value is None else str(value)


def _evidence(name: str, moment: Moment) -> Evidence:
    return Evidence(clause=name, quote=moment.subject.text[:MAX_QUOTE])


_KINDS: Final[dict[str, Callable[[ChainRule], ChainPredicate]]] = {
    "then": _then,
    "without": _without,
    "same": _same,
    "backwards": _backwards,
    "slower_than": _slower,
}
