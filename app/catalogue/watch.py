"""Chain rules at work: which records may concern one, and what holds for a chain.

Most chains that a chain rule is about hold no error, so nothing else would have them looked at.
A record concerns a rule when it carries the attribute or one of the literals that the rule
cannot hold without. A rule that names neither is held against failing chains alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

import msgspec
import re2

from app.catalogue.chain_rules import (
    ChainPredicate,
    Moment,
    compile_chain_rule,
    compile_due,
    milliseconds,
)
from app.catalogue.gates import Gate, folded, gate_of
from app.catalogue.model import ChainRule, Clause, Evidence, KnownIssue
from app.catalogue.rules import BrokenRule
from app.normalise.record import LogRecord


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A known issue whose chain rule holds."""

    known_issue_id: str
    title: str
    evidence: tuple[Evidence, ...]
    place: int
    """Of the moment where it shows."""
    explains_errors: bool
    """False for slowness: what fails for any reason is often slow as well."""


class _Need(msgspec.Struct, frozen=True, kw_only=True):
    """What a record must have to concern a rule; without both it always may."""

    attribute: str = ""
    above: float | None = None
    """Milliseconds that the attribute must exceed."""
    literals: Gate = None


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    known_issue_id: str
    title: str
    line: int
    explains_errors: bool
    holds: ChainPredicate
    due: Callable[[Sequence[Moment], datetime], datetime | None]
    needs: tuple[_Need, ...]


class Watch:
    """The chain rules of a catalogue, compiled once; immutable afterwards."""

    def __init__(self, issues: Iterable[KnownIssue]) -> None:
        self._rules = [
            _Rule(
                known_issue_id=issue.known_issue_id,
                title=issue.title,
                line=issue.rules_line or issue.provenance.first_line,
                explains_errors=not rule.slower_than,
                holds=compile_chain_rule(rule),
                due=compile_due(rule),
                needs=tuple(_needs(rule)),
            )
            for issue in issues
            for rule in issue.chain_rules
        ]
        needs = [need for rule in self._rules for need in rule.needs]
        self._needs = [need for need in needs if need.attribute or need.literals]
        self._names = frozenset(need.attribute for need in self._needs if need.attribute)
        self._some_concern_all = len(self._needs) < len(needs)

    def chains_of(self, records: Sequence[LogRecord]) -> set[str]:
        """Chains that one of these records makes worth a look, though nothing failed in them."""
        if not self._needs or not records:
            return set()
        # All of them in one go first: mostly none concerns any rule.
        whole = "\n".join([text for one in records for text in (one.message, one.attributes)])
        if self._glance(whole) is None:
            return set()
        return {one.correlation_id for one in records if self._concerns(one)}

    def concerns(self, message: str, attributes: Mapping[str, Any]) -> bool:
        """Whether a record of a chain that is looked at may have a part in any rule."""
        if self._some_concern_all:
            return True
        if self._names.isdisjoint(attributes) and self._glance(message) is None:
            return False
        return any(_has(need, message, attributes) for need in self._needs)

    def findings(self, moments: Sequence[Moment], now: datetime) -> tuple[Finding, ...]:
        """What holds for a chain now, one finding an entry; moments stand in causal order."""
        found: dict[str, Finding] = {}
        for rule in self._rules:
            before = found.get(rule.known_issue_id)
            if before and before.explains_errors >= rule.explains_errors:
                continue
            if held := rule.holds(moments, now):
                placed = (msgspec.structs.replace(e, line=rule.line) for e in held.evidence)
                found[rule.known_issue_id] = Finding(
                    known_issue_id=rule.known_issue_id,
                    title=rule.title,
                    evidence=tuple(placed),
                    place=held.place,
                    explains_errors=rule.explains_errors,
                )
        return tuple(found.values())

    def due(self, moments: Sequence[Moment], now: datetime) -> datetime | None:
        """When the chain must be looked at again."""
        times = (rule.due(moments, now) for rule in self._rules)
        return min((time for time in times if time), default=None)

    def _concerns(self, record: LogRecord) -> bool:
        if self._glance(record.message) is None and self._glance(record.attributes) is None:
            return False
        attributes = msgspec.json.decode(record.attributes)
        return any(_has(need, record.message, attributes) for need in self._needs)

    @cached_property
    def _glance(self) -> Callable[[str], Any]:
        if not self._needs:
            return lambda _text: None
        literals = {one for need in self._needs for one in need.literals or ()}
        parts = [re2.escape(one) for one in sorted(literals)]
        parts += [f'"{re2.escape(name)}"' for name in sorted(self._names)]
        options = re2.Options()
        options.never_capture = True
        options.case_sensitive = False
        search: Callable[[str], Any] = re2.compile("|".join(parts), options).search
        return search


def _needs(rule: ChainRule) -> Iterable[_Need]:
    if rule.same or rule.backwards or rule.slower_than:
        name = rule.backwards or rule.duration or (rule.same if rule.same != "message" else "")
        above = milliseconds(rule.slower_than) if rule.duration else None
        own = _need_of(rule.of) if rule.of else _Need()
        yield _Need(attribute=name or own.attribute, above=above, literals=own.literals)
        return
    for clause in (rule.first, rule.then, rule.without):
        if clause:
            yield _need_of(clause)


def _need_of(clause: Clause) -> _Need:
    return _Need(attribute=next(iter(clause.attribute), ""), literals=gate_of(clause))


def _has(need: _Need, message: str, attributes: Any) -> bool:
    if need.attribute and need.attribute not in attributes:
        return False
    if need.above is not None and not _exceeds(attributes[need.attribute], need.above):
        return False
    if need.literals is None:
        return True
    text = folded(message)
    return any(literal in text for literal in need.literals)


def _exceeds(value: Any, limit: float) -> bool:
    try:
        return milliseconds(str(value)) > limit
    except BrokenRule:
        return False
