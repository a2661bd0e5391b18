"""Errors held against the catalogue. Speaks only when a rule of an entry holds."""

import hashlib
from collections.abc import Iterable
from typing import Any, Final

from app.catalogue.model import KnownIssue, Match, Tier
from app.catalogue.rules import Predicate, Subject, compile_clause
from app.normalise.record import Frame, ReportedException
from app.signatures.reading import read_error

MATCHER_VERSION: Final = "1"


class Matcher:
    """The catalogue, compiled once; immutable afterwards."""

    def __init__(self, issues: Iterable[KnownIssue]) -> None:
        self.issues = {issue.known_issue_id: issue for issue in issues}
        self._predicates: list[tuple[str, Predicate]] = [
            (issue.known_issue_id, compile_clause(issue.rules))
            for issue in self.issues.values()
            if issue.rules
        ]
        self.catalogue_hash = _hash(self.issues.values())

    def match(self, subject: Subject) -> list[Match]:
        """The entries that explain this error, the most specific first; often none."""
        found = [
            Match(known_issue_id=name, tier=Tier.EXACT, score=1.0, evidence=evidence)
            for name, predicate in self._predicates
            if (evidence := predicate(subject)) is not None
        ]
        return sorted(found, key=lambda match: (-_specificity(match), match.known_issue_id))


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
    attributes: dict[str, Any] | None = None,
) -> Subject:
    """An error as rules see it, read out of what a sender or a person gave."""
    return Subject(
        report=read_error(message, exception),
        text=_whole_text(message, exception),
        service=service,
        level=level,
        attributes=attributes or {},
    )


def _whole_text(message: str, exception: ReportedException | None) -> str:
    if exception is None:
        return message
    stack = exception.stacktrace
    if not isinstance(stack, str):
        stack = "\n".join(map(_frame_line, stack))
    head = ": ".join(filter(None, (exception.type, exception.message)))
    return "\n".join(filter(None, (message, stack, head)))


def _frame_line(frame: Frame) -> str:
    return f"{frame.module} in {frame.function}: {frame.source or ''}"
