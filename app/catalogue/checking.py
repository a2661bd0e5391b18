"""A catalogue held against its own samples, and how each entry can be found at all. Pure."""

from collections.abc import Iterable, Iterator

from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import KnownIssue, Problem
from app.catalogue.quotes import compile_phrase


def violations(matcher: Matcher) -> Iterator[Problem]:
    """Samples that another entry takes or none knows, and near misses that match."""
    for issue in matcher.issues.values():
        for n, sample in enumerate(issue.samples, 1):
            if reason := _missed(issue, sample, matcher):
                yield _problem(issue, f"sample {n} of {len(issue.samples)} {reason}")
        for n, near_miss in enumerate(issue.near_misses, 1):
            if reason := _taken(issue, near_miss, matcher):
                yield _problem(issue, f"near miss {n} of {len(issue.near_misses)} {reason}")


def _missed(issue: KnownIssue, sample: str, matcher: Matcher) -> str:
    found = [match.known_issue_id for match in matcher.match(subject_of(sample))]
    if found[:1] == [issue.known_issue_id]:
        return ""
    return f"matches {found[0]!r} first" if found else "matches nothing"


def _taken(issue: KnownIssue, near_miss: str, matcher: Matcher) -> str:
    found = matcher.match(subject_of(near_miss))
    wrong = next((match for match in found if match.known_issue_id == issue.known_issue_id), None)
    return f"matches, by {wrong.evidence[0].clause}" if wrong and wrong.evidence else ""


def _problem(issue: KnownIssue, reason: str) -> Problem:
    place = issue.provenance
    return Problem(
        document=place.document,
        line=place.first_line,
        reason=f"{issue.known_issue_id}: {reason}",
    )


def ways_found(issues: Iterable[KnownIssue], borrowed: dict[str, KnownIssue]) -> dict[str, str]:
    """Entry id -> what it is found by, in words; `nothing` when no error can ever match it."""
    return {issue.known_issue_id: _way_found(issue, borrowed) for issue in issues}


def _way_found(issue: KnownIssue, borrowed: dict[str, KnownIssue]) -> str:
    if issue.rules:
        return "its rules"
    if origin := borrowed.get(issue.known_issue_id):
        return f"the rules of {origin.known_issue_id}"
    quoted = sum(compile_phrase(phrase) is not None for phrase in issue.phrases)
    if quoted:
        return f"{quoted} quoted error{'s' * (quoted > 1)}"
    return "a rule on chains" if issue.chain_rules else "nothing"
