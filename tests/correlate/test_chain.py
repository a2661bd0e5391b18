import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from app.correlate.chain import Link, correlate

START = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


def link(number: int, service: str, *, at: float | None = None, **fields: Any) -> Link:
    return Link(
        record_id=UUID(int=number),
        occurred_at=START + timedelta(seconds=number if at is None else at),
        received_at=START,
        service=service,
        **fields,
    )


def walk(*, inventory_clock: float = 0) -> list[Link]:
    """Gateway calls payment calls inventory; inventory fails, the others report it."""
    gateway: dict[str, Any] = {"span_id": "g"}
    payment: dict[str, Any] = {"span_id": "p", "parent_span_id": "g"}
    inventory: dict[str, Any] = {"span_id": "i", "parent_span_id": "p"}
    return [
        link(1, "gateway", **gateway),
        link(2, "payment", **payment),
        link(3, "inventory", at=3 + inventory_clock, **inventory),
        link(4, "inventory", at=4 + inventory_clock, signature_id="root", **inventory),
        link(5, "payment", signature_id="reports-inventory", **payment),
        link(6, "gateway", signature_id="reports-payment", **gateway),
    ]


def test_the_error_that_came_first_is_the_root_and_the_others_are_symptoms() -> None:
    chain = correlate(walk())

    assert chain.root is not None
    assert chain.root.signature_id == "root"
    assert chain.symptoms == ("reports-inventory", "reports-payment")


def test_services_stand_in_the_order_they_were_reached() -> None:
    assert correlate(walk()).services == ("gateway", "payment", "inventory")


def test_a_callee_whose_clock_is_ahead_still_failed_first() -> None:
    chain = correlate(walk(inventory_clock=30))

    assert chain.root is not None
    assert chain.root.service == "inventory"
    assert chain.services == ("gateway", "payment", "inventory")


def test_without_spans_time_alone_decides() -> None:
    chain = correlate([link(2, "b", signature_id="late"), link(1, "a", signature_id="early")])

    assert chain.root is not None
    assert chain.root.signature_id == "early"
    assert chain.services == ("a", "b")


def test_a_chain_without_errors_has_no_root() -> None:
    chain = correlate([link(1, "a")])

    assert chain.root is None
    assert chain.symptoms == ()


def test_within_one_tick_the_senders_numbering_decides() -> None:
    records = [
        link(9, "a", at=0, instance="i", sequence=1),
        link(1, "a", at=0, instance="i", sequence=2),
    ]

    assert [one.sequence for one in correlate(records).links] == [1, 2]


def test_a_second_call_is_reached_after_all_that_the_first_one_called() -> None:
    records = [
        link(1, "gateway", span_id="g"),
        link(2, "payment", span_id="p", parent_span_id="g"),
        link(3, "bank", span_id="b", parent_span_id="p"),
        link(4, "inventory", span_id="i", parent_span_id="g"),
        link(5, "mailer"),
    ]

    assert correlate(records).services == ("gateway", "payment", "bank", "inventory", "mailer")


def test_thousands_of_nested_calls_take_no_longer_than_their_number() -> None:
    records = [
        link(n, f"s{n}", span_id=str(n), parent_span_id=str(n - 1), signature_id=f"e{n}")
        for n in range(1, 20_000)
    ]

    chain = correlate(records)

    assert chain.root is not None
    assert chain.root.signature_id == "e19999"
    assert chain.services[:2] == ("s1", "s2")


def test_a_cycle_of_spans_ends() -> None:
    records = [
        link(1, "a", span_id="x", parent_span_id="y", signature_id="s"),
        link(2, "b", span_id="y", parent_span_id="x", signature_id="t"),
    ]

    assert correlate(records).root is not None


@given(st.randoms(use_true_random=False))
def test_the_order_in_which_records_come_does_not_matter(chance: random.Random) -> None:
    records = walk()
    shuffled = records[:]
    chance.shuffle(shuffled)

    assert correlate(shuffled) == correlate(records)
