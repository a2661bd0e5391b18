from typing import Any

import msgspec
import pytest

from app.catalogue.matcher import subject_of
from app.catalogue.model import Clause, Evidence
from app.catalogue.rules import BrokenRule, compile_clause
from app.normalise.record import ReportedException

CHAINED = """\
Traceback (most recent call last):
  File "/srv/app/store.py", line 10, in save
    json.dumps(order)
TypeError: Object of type UUID is not JSON serializable

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/srv/app/api.py", line 20, in checkout
    save(order)
RuntimeError: order o-17 could not be saved
"""


def holds(
    rule: dict[str, Any], text: str = CHAINED, service: str = "", level: str = ""
) -> tuple[Evidence, ...] | None:
    return compile_clause(msgspec.convert(rule, Clause))(
        subject_of(text, service=service, level=level, attributes={"order": 17, "tenant": "t"})
    )


@pytest.mark.parametrize(
    "rule",
    [
        {"exception": "TypeError"},
        {"exception": "RuntimeError"},
        {"exception": "TypeError", "message": "UUID"},
        {"message_re2": r"order o-\d+ could not"},
        {"frame": "store.py"},
        {"frame": "checkout"},
        {"text": "json.dumps(order)"},
        {"text_re2": r"(?i)DIRECT cause"},
        {"lines": ["store.py", "TypeError", "RuntimeError"]},
        {"attribute": {"order": "17", "tenant": "*"}},
        {"service": "payment"},
        {"level": "error"},
        {"any": [{"exception": "KeyError"}, {"exception": "TypeError"}]},
        {"all": [{"exception": "TypeError"}, {"exception": "RuntimeError"}]},
        {"exception": "TypeError", "not": {"message": "datetime"}},
    ],
)
def test_a_clause_that_holds(rule: dict[str, Any]) -> None:
    assert holds(rule, service="Payment", level="ERROR") is not None


@pytest.mark.parametrize(
    "rule",
    [
        {"exception": "KeyError"},
        {"exception": "Error"},
        {"exception": "RuntimeError", "message": "UUID"},  # of two different errors
        {"message": "uuid"},
        {"frame": "payment.py"},
        {"lines": ["RuntimeError", "TypeError"]},
        {"lines": ["json.dumps", "dumps(order)"]},
        {"attribute": {"order": "18"}},
        {"attribute": {"nothing": "*"}},
        {"service": "inventory"},
        {"any": [{"exception": "KeyError"}, {"exception": "OSError"}]},
        {"all": [{"exception": "TypeError"}, {"exception": "OSError"}]},
        {"exception": "TypeError", "not": {"message": "UUID"}},
    ],
)
def test_a_clause_that_does_not_hold(rule: dict[str, Any]) -> None:
    assert holds(rule, service="payment", level="error") is None


def test_evidence_quotes_the_part_of_the_error_each_clause_held_on() -> None:
    assert holds({"exception": "TypeError", "message_re2": "type [A-Z]+"}) == (
        Evidence(clause="exception: TypeError", quote="TypeError"),
        Evidence(clause="message_re2: type [A-Z]+", quote="type UUID"),
    )


def test_a_dotted_type_matches_its_end_only_at_a_dot() -> None:
    reported = ReportedException(type="sqlalchemy.exc.ArgumentError", message="m")

    def on(name: str) -> bool:
        clause = compile_clause(Clause(exception=name))
        return clause(subject_of("", reported)) is not None

    assert on("ArgumentError")
    assert on("exc.ArgumentError")
    assert on("sqlalchemy.exc.ArgumentError")
    assert not on("Error")
    assert not on("other.ArgumentError")


@pytest.mark.parametrize(
    "clause", [Clause(), Clause(any=(Clause(),)), Clause(message_re2="("), Clause(not_=Clause())]
)
def test_a_clause_that_says_nothing_or_does_not_compile_is_broken(clause: Clause) -> None:
    with pytest.raises(BrokenRule):
        compile_clause(clause)


def test_a_hostile_pattern_takes_linear_time() -> None:
    clause = compile_clause(Clause(text_re2="(a+)+$"))

    assert clause(subject_of("a" * 100_000 + "!")) is None
