"""Errors held against the catalogue. Speaks when a rule or a quoted error holds, else not.

| tier | what held | score |
|---|---|---|
| exact | a rule that the entry's author wrote | 0.98 |
| probable | rules borrowed from the default entry about the same failure | 0.95 |
| probable | an error text that the document quotes | 0.85 |
| suggested | nothing; words in common. Only when asked for | below 0.5 |

A score is the share of matches of its kind that were right on the labelled set, in
`tests/catalogue/labelled`; `scripts/bench.py matching` measures it again.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any, Final

import msgspec

from app.catalogue.alignment import Lexicon
from app.catalogue.gates import Gate, Gates, alternatives, gates_of, haystack_of
from app.catalogue.model import Evidence, KnownIssue, Match, Tier
from app.catalogue.quotes import compile_phrase
from app.catalogue.rules import Predicate, Subject, compile_clause
from app.catalogue.suggestions import Suggestions
from app.catalogue.watch import Watch
from app.normalise.record import Frame, ReportedException
from app.signatures.model import ErrorReport
from app.signatures.reading import read_error

MATCHER_VERSION: Final = "3"
EXACT_SCORE: Final = 0.98
BORROWED_SCORE: Final = 0.95
QUOTED_SCORE: Final = 0.85


class _Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which an entry may match."""

    issue: KnownIssue
    tier: Tier
    score: float
    gate: Gate
    compile: Callable[[], Predicate]
    """Called when the gate opens for the first time: most entries of a day never do."""
    borrowed_from: str = ""


class Matcher:
    """A catalogue, compiled once; immutable afterwards."""

    def __init__(self, issues: Iterable[KnownIssue], lexicon: Lexicon | None = None) -> None:
        self.issues = {issue.known_issue_id: issue for issue in issues}
        self._candidates = list(_candidates(list(self.issues.values()), lexicon))
        self._gates = Gates((n, one.gate) for n, one in enumerate(self._candidates))
        self._compiled: dict[int, Predicate] = {}
        self.catalogue_hash = _hash(self.issues.values())

    def match(self, subject: Subject, *, suggest: bool = False) -> list[Match]:
        """The entries that explain this error, the surest and most specific first; often none.

        With `suggest`, and when none does, up to three entries with words in common.
        """
        opened = self._gates.opened_by(haystack_of(subject))
        best: dict[str, Match] = {}
        for n in sorted(opened):
            candidate = self._candidates[n]
            name = candidate.issue.known_issue_id
            known = best.get(name)
            if known and known.score >= candidate.score:
                continue
            if (evidence := self._predicate(n)(subject)) is not None:
                best[name] = Match(
                    known_issue_id=name,
                    tier=candidate.tier,
                    score=candidate.score,
                    evidence=tuple(_placed(one, subject, candidate) for one in evidence),
                    borrowed_from=candidate.borrowed_from,
                )
        ranked = sorted(best.values(), key=lambda m: (-m.score, -_specificity(m), m.known_issue_id))
        if not ranked and suggest:
            return self.suggest(subject)
        return [*ranked[:1], *(_with_reason(match, ranked[0]) for match in ranked[1:])]

    def suggest(self, subject: Subject) -> list[Match]:
        """Up to three entries with words in common, whether or not one explains the error."""
        return self._suggestions.for_subject(subject)

    def _predicate(self, n: int) -> Predicate:
        if n not in self._compiled:
            self._compiled[n] = self._candidates[n].compile()
        return self._compiled[n]

    @cached_property
    def watch(self) -> Watch:
        """The chain rules of the same entries."""
        return Watch(self.issues.values())

    @cached_property
    def _suggestions(self) -> Suggestions:
        return Suggestions(self.issues.values())


def _candidates(issues: list[KnownIssue], lexicon: Lexicon | None) -> Iterable[_Candidate]:
    without = [issue for issue in issues if issue.rules is None]
    borrowed = lexicon.counterparts(without) if lexicon and without else {}
    for issue in issues:
        if issue.rules:
            yield from _by_rules(issue, issue, tier=Tier.EXACT, score=EXACT_SCORE)
            continue
        if origin := borrowed.get(issue.known_issue_id):
            yield from _by_rules(issue, origin, tier=Tier.PROBABLE, score=BORROWED_SCORE)
            # What libraries are known to print beats a quotation from memory, unless they never
            # print what is quoted: then the document speaks of something else as well.
            if not issue.phrases or _explains_a_quotation(origin, issue):
                continue
        for compiled in filter(None, map(compile_phrase, issue.phrases)):
            yield _by_quotation(issue, *compiled)


def _explains_a_quotation(origin: KnownIssue, issue: KnownIssue) -> bool:
    assert origin.rules is not None  # noqa: S101 - a lexicon holds entries with rules
    holds = compile_clause(origin.rules)
    return any(holds(subject_of(phrase.text)) is not None for phrase in issue.phrases)


def _by_quotation(issue: KnownIssue, holds: Predicate, gate: Gate) -> _Candidate:
    return _Candidate(
        issue=issue, tier=Tier.PROBABLE, score=QUOTED_SCORE, gate=gate, compile=lambda: holds
    )


def _by_rules(
    issue: KnownIssue, owner: KnownIssue, *, tier: Tier, score: float
) -> Iterable[_Candidate]:
    assert owner.rules is not None  # noqa: S101 - both callers asked
    clauses = list(alternatives(owner.rules))
    gates = owner.gates
    if len(gates) != len(clauses):  # an older version of the service made and stored them
        gates = gates_of(owner.rules)
    for clause, gate in zip(clauses, gates, strict=True):
        yield _Candidate(
            issue=issue,
            tier=tier,
            score=score,
            gate=frozenset(gate) if gate else None,
            compile=partial(compile_clause, clause),
            borrowed_from="" if owner is issue else owner.known_issue_id,
        )


def _placed(evidence: Evidence, subject: Subject, candidate: _Candidate) -> Evidence:
    start = subject.text.find(evidence.quote) if evidence.quote else -1
    own = 0 if candidate.borrowed_from else candidate.issue.rules_line
    return msgspec.structs.replace(evidence, start=start, line=evidence.line or own)


def _with_reason(match: Match, first: Match) -> Match:
    if match.score < first.score:
        why = f"{match.tier} is less sure than {first.tier}"
    else:
        why = (
            f"less specific: it accounts for {_specificity(match)} characters of the error, "
            f"{first.known_issue_id} for {_specificity(first)}"
        )
    return msgspec.structs.replace(match, lost=why)


def _specificity(match: Match) -> int:
    """How many characters of the error the entry's clauses account for."""
    return sum(len(evidence.quote) for evidence in match.evidence)


def _hash(issues: Iterable[KnownIssue]) -> str:
    parts = sorted(f"{i.known_issue_id} {i.provenance.content_hash}" for i in issues)
    return hashlib.sha256("\n".join([MATCHER_VERSION, *parts]).encode()).hexdigest()[:16]


def subject_of(
    message: str,
    exception: ReportedException | None = None,
    *,
    service: str = "",
    level: str = "",
    release: str = "",
    attributes: dict[str, Any] | None = None,
) -> Subject:
    """An error as rules see it, read out of what a sender or a person gave."""
    return Subject(
        report=_report(message, exception),
        text=_whole_text(message, exception),
        service=service,
        level=level,
        release=release,
        attributes=attributes or {},
    )


def _report(message: str, exception: ReportedException | None) -> ErrorReport:
    report = read_error(message, exception)
    if exception is None or exception.stacktrace:
        return report
    # Type and message beside a log text: the causes and frames stand in the text alone.
    told = read_error(message).errors
    again = any(e.type == o.type and e.message == o.message for e in told for o in report.errors)
    errors = told if again else (*told, *report.errors)
    return msgspec.structs.replace(report, errors=errors)


def _whole_text(message: str, exception: ReportedException | None) -> str:
    if exception is None:
        return message
    stack = exception.stacktrace
    if not isinstance(stack, str):
        stack = "\n".join(map(_frame_line, stack))
    head = ": ".join(filter(None, (exception.type, exception.message)))
    parts: list[str] = []
    for part in (message, stack, head):
        # What was said already is said once: rules on ordered lines would see it twice.
        if part and not any(part in before for before in parts):
            parts.append(part)
    return "\n".join(parts)


def _frame_line(frame: Frame) -> str:
    return f"{frame.module} in {frame.function}: {frame.source or ''}"
