"""Orders through real processes, and what these tell the receiver."""

import uuid
from datetime import datetime
from itertools import pairwise

import pytest

from tests.fake_services.shop import Receiver, Shop

GOOD_RECORDS = 10
DSN = "invalid DSN: scheme"
SQL = "'SELECT 1'"
SCHEME = "postgresql+asyncpg"
SERVICES = {"gateway", "payment", "inventory"}


def test_a_good_order_walks_all_three_services(shop: Shop, receiver: Receiver) -> None:
    answer = shop.checkout("good-1")
    records = receiver.chain("test-good-1", until=GOOD_RECORDS)

    assert answer.status_code == 201
    assert answer.headers["x-correlation-id"] == "test-good-1"
    assert answer.json()["receipt"]["amount"] == "59.38"
    assert {one["service"] for one in records} == SERVICES
    assert {one["level"] for one in records} == {"INFO"}
    assert not receiver.wrong_requests


def test_every_record_carries_what_the_wire_contract_asks(shop: Shop, receiver: Receiver) -> None:
    shop.checkout("contract-1")
    records = receiver.chain("test-contract-1", until=GOOD_RECORDS)

    for one in records:
        assert uuid.UUID(one["record_id"])
        assert datetime.fromisoformat(one["timestamp"]).tzinfo is not None
        assert one["environment"] == "demo"
        assert one["release"]
        assert isinstance(one["attributes"], dict)
    assert len({one["record_id"] for one in records}) == len(records)


def test_spans_tell_who_called_whom(shop: Shop, receiver: Receiver) -> None:
    shop.checkout("spans-1")
    records = receiver.chain("test-spans-1", until=GOOD_RECORDS)
    span = {one["service"]: one["span_id"] for one in records}
    parent = {one["service"]: one.get("parent_span_id") for one in records}

    assert parent["gateway"] is None
    assert parent["payment"] == span["gateway"]
    assert parent["inventory"] == span["payment"]


def test_sequence_numbers_of_an_instance_rise_by_one(shop: Shop, receiver: Receiver) -> None:
    shop.checkout("sequence-1")
    records = receiver.chain("test-sequence-1", until=GOOD_RECORDS)
    gateway = sorted(one["sequence"] for one in records if one["service"] == "gateway")

    assert len({one["instance"] for one in records}) == len(SERVICES)
    assert all(after - before == 1 for before, after in pairwise(gateway))


def test_the_span_of_an_outer_caller_becomes_the_parent(shop: Shop, receiver: Receiver) -> None:
    outer = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    shop.checkout("outer-1", traceparent=outer)
    records = receiver.chain("test-outer-1", until=GOOD_RECORDS)

    gateway = {one["parent_span_id"] for one in records if one["service"] == "gateway"}
    assert gateway == {"00f067aa0ba902b7"}


def test_an_unusable_correlation_id_is_replaced(shop: Shop) -> None:
    answer = shop.checkout("token-1", **{"x-correlation-id": "two words"})

    assert answer.status_code == 201
    assert answer.headers["x-correlation-id"].startswith("req-")


def test_an_order_id_that_is_no_order_id_is_refused(shop: Shop) -> None:
    answer = shop.checkout("a%20b")

    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("order_id", "service", "raised", "frames"),
    [
        (
            "raw-sql-1",
            "inventory",
            (
                "sqlalchemy.exc.ArgumentError",
                f"Textual SQL expression {SQL} should be explicitly declared as text({SQL})",
            ),
            ("in check_database", "sqlalchemy/ext/asyncio/session.py", "coercions.py"),
        ),
        (
            "bad-dsn-1",
            "inventory",
            (
                "asyncpg.exceptions._base.ClientConfigurationError",
                f"""{DSN} is expected to be either "postgresql" or "postgres", got '{SCHEME}'""",
            ),
            ("in read_stock", "asyncpg/connect_utils.py"),
        ),
        (
            "uuid-json-1",
            "payment",
            ("TypeError", "Object of type UUID is not JSON serializable"),
            ("in write_receipt", "json/encoder.py"),
        ),
        ("mystery-1", "payment", ("KeyError", "'XK'"), ("in price",)),
    ],
)
def test_a_faulty_order_posts_the_traceback_that_python_raised(
    shop: Shop,
    receiver: Receiver,
    *,
    order_id: str,
    service: str,
    raised: tuple[str, str],
    frames: tuple[str, ...],
) -> None:
    answer = shop.checkout(order_id)
    posted = receiver.errors(f"test-{order_id}", of={service})[service]
    kind, said = raised

    assert answer.status_code == 502
    assert answer.headers["x-correlation-id"] == f"test-{order_id}"
    assert posted["type"] == kind
    assert posted["message"] == said
    assert posted["stacktrace"].startswith("Traceback (most recent call last):")
    assert f"{kind}: {said}" in posted["stacktrace"]
    assert all(frame in posted["stacktrace"] for frame in frames)


def test_callers_report_the_failure_of_their_callee(shop: Shop, receiver: Receiver) -> None:
    shop.checkout("raw-sql-2")
    errors = receiver.errors("test-raw-sql-2", of=SERVICES)

    assert set(errors) == SERVICES
    assert errors["payment"]["type"] == errors["gateway"]["type"] == "httpx.HTTPStatusError"
    assert "500 Internal Server Error" in errors["payment"]["message"]
    assert "502 Bad Gateway" in errors["gateway"]["message"]


def test_no_error_text_stands_in_the_sources() -> None:
    from tests.fake_services.shop import ROOT

    sources = "".join(path.read_text() for path in (ROOT / "fake_services").glob("*.py"))

    for typed in ("explicitly declared", "invalid DSN", "not JSON serializable"):
        assert typed not in sources
