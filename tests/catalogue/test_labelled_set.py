"""The set that matching is measured on keeps its shape, and holds nothing the catalogue quotes.

`labelled/*.jsonl`, one text a line: `id`, `text`, sometimes what the sender gave besides it
(`exception_type`, `message`, `service`), `expected` (the known issue whose fix applies, or null),
`kind`, and `origin`: the libraries it was made with ("run"), or whose format or words it has.
A near miss names in `origin` the entry that it must not match.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.catalogue.documents import DEFAULT_DOCUMENTS, read_documents

FOLDER = Path(__file__).parent / "labelled"
REQUIRED = {"id", "text", "expected", "kind", "origin"}
GIVEN_BESIDES = {"exception_type", "message", "service"}
KINDS = {"positive", "near_miss", "negative"}
KNOWN_ISSUES = frozenset(
    [
        "sqlalchemy-reserved-metadata",
        "enum-drift",
        "httpx-asyncclient-app",
        "pre-auth-state",
        "test-credit-burn",
        "environment-config",
        "webhook-timing-attack",
        "raw-sql-text",
        "asyncpg-dsn-scheme",
        "uuid-not-json-serializable",
        "telemetry-never-arrives",
        "alembic-never-awaited",
        "alembic-host-unresolved",
        "huggingface-client-api",
        "bcrypt-passlib-build",
        "email-validator-missing",
        "malformed-code-block",
        "vite-proxy-backend-down",
        "eager-client-init",
        "redis-connection-exhaustion",
        "schema-version-mismatch",
        "webhook-retry-delays",
        "whatsapp-message-ordering",
        "conversation-context-loss",
        "mpesa-timeout",
        "paystack-signature-failure",
        "connection-pool-exhaustion",
        "cache-inconsistency",
        "slow-api-responses",
        "missing-logs",
        "session-prepared-state",
        "transformation-coverage",
        "jsonb-datetime-serialization",
    ]
)


def read_set() -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted(FOLDER.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


LABELLED = read_set()


def squeezed(text: str) -> str:
    return " ".join(text.split())


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [row for row in LABELLED if row["kind"] == kind]


def test_every_row_has_its_fields_and_no_other() -> None:
    for row in LABELLED:
        assert row.keys() >= REQUIRED, row["id"]
        assert row.keys() <= REQUIRED | GIVEN_BESIDES, row["id"]
        assert row["kind"] in KINDS, row["id"]
        assert row["text"].strip(), row["id"]
        assert row["origin"].strip(), row["id"]


@pytest.mark.parametrize("field", ["id", "text"])
def test_no_row_stands_twice(field: str) -> None:
    counts = Counter(squeezed(row[field]) for row in LABELLED)

    assert [value for value, n in counts.items() if n > 1] == []


def test_a_positive_expects_one_of_the_33_and_nothing_else_expects_any() -> None:
    assert len(KNOWN_ISSUES) == 33
    for row in LABELLED:
        if row["kind"] == "positive":
            assert row["expected"] in KNOWN_ISSUES, row["id"]
        else:
            assert row["expected"] is None, row["id"]


def test_it_is_large_enough_half_negative_and_full_of_near_misses() -> None:
    negatives = len(of_kind("near_miss")) + len(of_kind("negative"))

    assert len(LABELLED) >= 330
    assert 0.45 <= negatives / len(LABELLED) <= 0.6
    assert len(of_kind("near_miss")) >= negatives / 3


@pytest.mark.parametrize("known_issue", sorted(KNOWN_ISSUES))
def test_each_known_issue_has_four_positives_and_two_near_misses(known_issue: str) -> None:
    expected = Counter(row["expected"] for row in of_kind("positive"))
    missed = Counter(
        row["origin"].removeprefix("near miss of ").partition(";")[0]
        for row in of_kind("near_miss")
    )

    assert expected[known_issue] >= 4
    assert missed[known_issue] >= 2
    assert missed.keys() <= KNOWN_ISSUES


def test_no_text_is_a_sample_of_the_catalogue() -> None:
    issues = read_documents([DEFAULT_DOCUMENTS]).issues
    samples = {squeezed(text) for issue in issues for text in (*issue.samples, *issue.near_misses)}

    assert [row["id"] for row in LABELLED if squeezed(row["text"]) in samples] == []


def test_no_text_tells_of_the_machine_it_was_made_on() -> None:
    for row in LABELLED:
        assert "labwork" not in row["text"], row["id"]
        assert "/root" not in row["text"], row["id"]
        assert "/home/" not in row["text"], row["id"]
