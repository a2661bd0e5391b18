from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.catalogue.chain_rules import Moment, compile_chain_rule, compile_due, milliseconds
from app.catalogue.matcher import subject_of
from app.catalogue.model import ChainRule, Evidence
from app.catalogue.rules import BrokenRule

START = datetime(2026, 2, 1, 8, tzinfo=UTC)
NOW = START + timedelta(hours=1)


def at(seconds: float, text: str, **attributes: Any) -> Moment:
    return Moment(
        at=START + timedelta(seconds=seconds),
        subject=subject_of(text, attributes=attributes),
        masked=text,
    )


def held(
    rule: dict[str, Any], *moments: Moment, now: datetime = NOW
) -> tuple[Evidence, ...] | None:
    found = compile_chain_rule(msgspec.convert(rule, ChainRule))(moments, now)
    return found.evidence if found else None


FIRST = {"first": {"text": "STK push sent"}}
THEN = {**FIRST, "then": {"text": "pin refused"}, "within": "30s"}
WITHOUT = {**FIRST, "without": {"text": "callback"}, "within": "60s"}
SAME_KEY = {"same": "idempotency_key"}
N_PLUS_ONE = {"same": "message", "times": 3, "of": {"text": "SELECT"}}
BACKWARDS = {"backwards": "sent_at"}
SLOW_CHAIN = {"slower_than": "2s"}
SLOW_CALL = {"slower_than": "2s", "duration": "took", "of": {"text": "GET"}}

PUSH, EARLY, LATE = at(0, "STK push sent"), "2026-02-01T07:00:00Z", "2026-02-01T07:00:09Z"


@pytest.mark.parametrize(
    ("rule", "moments"),
    [
        (THEN, [PUSH, at(30, "pin refused")]),
        (THEN, [PUSH, at(5, "noise"), at(100, "STK push sent"), at(110, "pin refused")]),
        (WITHOUT, [PUSH]),
        (WITHOUT, [PUSH, at(61, "callback")]),
        (WITHOUT, [at(-5, "callback"), PUSH]),
        (SAME_KEY, [at(0, "a", idempotency_key="k"), at(1, "b", idempotency_key="k")]),
        (SAME_KEY, [at(0, "a", idempotency_key=7), at(1, "b", idempotency_key="7")]),
        (N_PLUS_ONE, [at(n, "SELECT <num>") for n in range(3)]),
        (BACKWARDS, [at(0, "a", sent_at=LATE), at(1, "b", sent_at=EARLY)]),
        (BACKWARDS, [at(0, "a", sent_at=LATE), at(1, "x"), at(2, "b", sent_at=EARLY)]),
        (SLOW_CHAIN, [at(0, "a"), at(2.5, "b")]),
        (SLOW_CALL, [at(0, "GET /", took=2001)]),
        (SLOW_CALL, [at(0, "GET /", took="2.5s"), at(0, "GET /", took="1 ms")]),
    ],
)
def test_a_rule_that_holds_gives_its_evidence(rule: dict[str, Any], moments: list[Moment]) -> None:
    assert held(rule, *moments)


@pytest.mark.parametrize(
    ("rule", "moments"),
    [
        *((rule, []) for rule in (THEN, WITHOUT, SAME_KEY, N_PLUS_ONE, BACKWARDS, SLOW_CHAIN)),
        (THEN, [PUSH, at(31, "pin refused")]),
        (THEN, [at(0, "pin refused"), at(1, "STK push sent")]),
        (WITHOUT, [PUSH, at(60, "callback")]),
        (WITHOUT, [at(0, "something else")]),
        (SAME_KEY, [at(0, "a", idempotency_key="k"), at(1, "b", idempotency_key="l")]),
        (SAME_KEY, [at(0, "a"), at(1, "b")]),
        (N_PLUS_ONE, [at(n, "SELECT <num>") for n in range(2)]),
        (N_PLUS_ONE, [at(n, "noise") for n in range(5)]),
        (BACKWARDS, [at(0, "a", sent_at=EARLY), at(1, "b", sent_at=LATE)]),
        (BACKWARDS, [at(0, "a", sent_at=LATE), at(1, "b", sent_at="yesterday")]),
        (SLOW_CHAIN, [at(0, "a"), at(2, "b")]),
        (SLOW_CALL, [at(0, "PUT /", took=5000)]),
        (SLOW_CALL, [at(0, "GET /", took="soon"), at(9, "GET /")]),
    ],
)
def test_a_rule_that_does_not_hold_gives_none(rule: dict[str, Any], moments: list[Moment]) -> None:
    assert held(rule, *moments) is None


def test_what_may_still_come_is_not_missing() -> None:
    assert held(WITHOUT, PUSH, now=START + timedelta(seconds=59)) is None
    assert held(WITHOUT, PUSH, now=START + timedelta(seconds=60)) is not None


def test_what_may_still_come_says_when_to_look_again() -> None:
    due = compile_due(msgspec.convert(WITHOUT, ChainRule))

    assert due([PUSH], START) == START + timedelta(seconds=60)
    assert due([PUSH], NOW) is None
    assert due([PUSH, at(3, "callback")], START) is None
    assert compile_due(msgspec.convert(THEN, ChainRule))([PUSH], START) is None


def test_a_rule_says_where_it_shows() -> None:
    slow = compile_chain_rule(msgspec.convert(SLOW_CALL, ChainRule))

    found = slow([at(0, "GET /", took=5), at(1, "GET /", took=3000), at(2, "GET /", took=9)], NOW)

    assert found is not None
    assert found.place == 1


def test_evidence_says_what_was_seen() -> None:
    assert held(THEN, PUSH, at(3, "pin refused")) == (
        Evidence(clause="first", quote="STK push sent"),
        Evidence(clause="then", quote="pin refused"),
    )
    assert held(WITHOUT, PUSH) == (
        Evidence(clause="first", quote="STK push sent"),
        Evidence(clause="without", quote="nothing within 60s"),
    )
    (repeated,) = held(N_PLUS_ONE, *(at(n, "SELECT <num>") for n in range(4))) or ()
    assert repeated.quote == "4 times: SELECT <num>"
    (slow,) = held(SLOW_CHAIN, at(0, "a"), at(3, "b")) or ()
    assert slow == Evidence(clause="slower_than: 2s", quote="3000 ms")


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"of": {"text": "a"}},
        {**SAME_KEY, **BACKWARDS},
        {"then": {"text": "a"}, "within": "1s"},
        {"first": {"text": "a"}, "then": {"text": "b"}},
        {**FIRST, "without": {"text": "a"}, "within": "soon"},
        {**FIRST, "without": {}, "within": "1s"},
        {**SAME_KEY, "of": {"text_re2": "("}},
        {"slower_than": "2 weeks"},
    ],
)
def test_a_rule_that_is_not_whole_is_broken(rule: dict[str, Any]) -> None:
    with pytest.raises(BrokenRule):
        compile_chain_rule(msgspec.convert(rule, ChainRule))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 500), ("30s", 30_000), ("1.5 m", 90_000), ("1h", 3_600_000), ("250", 250)],
)
def test_times_are_read(text: str, expected: float) -> None:
    assert milliseconds(text) == expected
