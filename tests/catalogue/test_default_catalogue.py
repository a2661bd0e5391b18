import pytest

from app.catalogue.documents import DEFAULT_DOCUMENTS, read_documents
from app.catalogue.matcher import Matcher, subject_of
from app.catalogue.model import KnownIssue

CATALOGUE = read_documents([DEFAULT_DOCUMENTS])
MATCHER = Matcher(CATALOGUE.issues)
EXPECTED = {
    "raw-sql-text",
    "asyncpg-dsn-scheme",
    "uuid-not-json-serializable",
    "telemetry-never-arrives",
    "alembic-never-awaited",
    "sqlalchemy-reserved-metadata",
    "enum-drift",
    "httpx-asyncclient-app",
    "pre-auth-state",
    "test-credit-burn",
    "environment-config",
    "webhook-timing-attack",
    "session-prepared-state",
    "transformation-coverage",
    "jsonb-datetime-serialization",
}


def named(issue: KnownIssue) -> str:
    return issue.known_issue_id


def test_every_entry_compiles() -> None:
    assert CATALOGUE.problems == ()
    assert {issue.known_issue_id for issue in CATALOGUE.issues} >= EXPECTED


@pytest.mark.parametrize("issue", CATALOGUE.issues, ids=named)
def test_an_entry_has_three_samples_and_three_near_misses(issue: KnownIssue) -> None:
    assert len(issue.samples) >= 3
    assert len(issue.near_misses) >= 3


@pytest.mark.parametrize("issue", CATALOGUE.issues, ids=named)
def test_each_sample_matches_its_entry_and_no_other(issue: KnownIssue) -> None:
    for sample in issue.samples:
        found = [match.known_issue_id for match in MATCHER.match(subject_of(sample))]
        assert found == [issue.known_issue_id], sample


@pytest.mark.parametrize("issue", CATALOGUE.issues, ids=named)
def test_no_near_miss_matches_its_entry(issue: KnownIssue) -> None:
    for sample in issue.near_misses:
        found = [match.known_issue_id for match in MATCHER.match(subject_of(sample))]
        assert issue.known_issue_id not in found, sample


@pytest.mark.parametrize("issue", CATALOGUE.issues, ids=named)
def test_an_entry_names_the_document_it_was_drawn_from(issue: KnownIssue) -> None:
    assert issue.provenance.origin


@pytest.mark.parametrize(
    "text",
    ["", "KeyError: 'XK'", "everything is fine", "Traceback (most recent call last):", "\x00"],
)
def test_an_error_nobody_wrote_about_matches_nothing(text: str) -> None:
    assert MATCHER.match(subject_of(text)) == []


def test_the_catalogue_hash_follows_the_entries() -> None:
    assert Matcher(CATALOGUE.issues[1:]).catalogue_hash != MATCHER.catalogue_hash
    assert Matcher(CATALOGUE.issues[::-1]).catalogue_hash == MATCHER.catalogue_hash
