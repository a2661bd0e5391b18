"""The commerce scenarios are what the catalogue's entries are about, and only by mistake."""

import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.catalogue.chain_rules import Moment, compile_chain_rule
from app.catalogue.documents import DEFAULT_DOCUMENTS, read_documents
from app.catalogue.matcher import subject_of
from fake_services.scenarios import (
    commerce_cache,
    commerce_chats,
    commerce_payments,
    commerce_reviews,
    commerce_tests,
)
from fake_services.scenarios.model import Scenario
from fake_services.scenarios.registry import BY_NAME
from fake_services.scenarios.running import perform
from tests.fake_services.shop import Receiver

pytestmark = pytest.mark.anyio

CATALOGUE = read_documents([DEFAULT_DOCUMENTS])
ISSUES = {issue.known_issue_id: issue for issue in CATALOGUE.issues}
SECRET = "the-same-on-both-sides"  # noqa: S105 - opens nothing
MISSING_LOGS = BY_NAME["missing-logs"]
BEHAVIOURS = [
    BY_NAME[name]
    for name in ("slow-api-responses", "webhook-retry-delays", "whatsapp-message-ordering")
]


def name_of(one: Scenario) -> str:
    return one.name


async def told_by(one: Scenario, receiver: Receiver) -> list[dict[str, Any]]:
    outcome = await perform(one, receiver.url)
    assert (outcome.outcome, outcome.reason) == ("ran", "")
    chain = outcome.correlation_ids[0]
    records = [record for record in list(receiver.records) if record["correlation_id"] == chain]
    return sorted(records, key=lambda record: str(record["timestamp"]))


@pytest.mark.parametrize("one", BEHAVIOURS, ids=name_of)
async def test_a_behaviour_is_what_a_chain_rule_of_its_known_issue_holds_for(
    one: Scenario, receiver: Receiver
) -> None:
    records = await told_by(one, receiver)
    moments = [
        Moment(
            at=datetime.fromisoformat(record["timestamp"]),
            subject=subject_of(record["message"], attributes=record.get("attributes", {})),
            masked=record["message"],
        )
        for record in records
    ]
    holds = [
        compile_chain_rule(rule)(moments, datetime.now(UTC))
        for rule in ISSUES[one.name].chain_rules
    ]

    assert any(holds)


async def test_the_numbers_of_records_that_never_arrive_are_missing(receiver: Receiver) -> None:
    records = await told_by(MISSING_LOGS, receiver)
    numbers = [record["sequence"] for record in records if record["service"] == "receipts"]

    assert max(numbers) > len(numbers)


@pytest.mark.parametrize("given", ["", "sha256=", "sha256=00"])
def test_a_wrong_signature_is_refused_although_the_comparison_leaks(given: str) -> None:
    assert not commerce_reviews.is_from_facebook(b"{}", given)


def a_safe_check(body: bytes, given: str) -> bool:
    expected = hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, given)


def a_check_in_one_line(body: bytes, given: str) -> bool:
    return given != hmac.new(b"secret", body, hashlib.sha256).hexdigest()


def test_a_review_finds_a_leak_only_where_there_is_one() -> None:
    found = commerce_reviews.leaking_comparisons

    assert found(a_safe_check) == []
    assert len(found(a_check_in_one_line)) == 1
    assert found(commerce_reviews.is_from_facebook) == ["expected == given"]


def test_a_body_signed_with_the_right_secret_is_believed() -> None:
    signature = commerce_payments.sign(SECRET, b"{}")

    commerce_payments.check_paystack_signature(b"{}", signature, secret=SECRET)

    with pytest.raises(commerce_payments.SignatureMismatch):
        commerce_payments.check_paystack_signature(b"{} ", signature, secret=SECRET)


def test_a_conversation_that_goes_on_in_time_is_remembered() -> None:
    sessions = commerce_chats.Sessions(60)
    sessions.begin("c-1", "hello")

    assert sessions.go_on("c-1", "order 7") == ["hello", "order 7"]


async def nothing() -> None:
    """Reads no price."""


async def test_a_price_that_nobody_reads_meanwhile_is_the_same_in_cache_and_database(
    tmp_path: Path,
) -> None:
    prices = commerce_cache.Prices(tmp_path / "prices.db")
    prices.read(77)

    await prices.change(77, tell=nothing)

    assert prices.read(77) == prices.stored(77) == 2
    prices.engine.dispose()


def test_an_account_answers_as_long_as_it_has_credits() -> None:
    account = commerce_tests.Account(credits_left=1)

    assert [account.complete().status_code for _ in range(2)] == [200, 429]
