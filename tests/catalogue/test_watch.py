from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.catalogue.chain_rules import Moment
from app.catalogue.documents import compile_document
from app.catalogue.live import default_catalogue
from app.catalogue.matcher import subject_of
from app.catalogue.watch import Watch
from app.normalise.context import Context
from app.normalise.normalise import normalise
from app.normalise.record import LogRecord

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEFAULT = Watch(default_catalogue().issues)
DOCUMENT = """
## Kettles that boil too long {#slow-kettle}
### Symptoms
Tea is late.
### Causes
Lime.
### Fix
Descale.
### Rules
"""


def watch_of(*rules: str) -> Watch:
    fences = "\n".join(f"```yaml chain-rule\n{rule}\n```" for rule in rules)
    compiled = compile_document("kitchen.md", DOCUMENT + fences)
    assert not compiled.problems
    return Watch(compiled.issues)


def record(message: str = "boiled", **attributes: Any) -> LogRecord:
    raw = {"service": "s", "message": message, "correlation_id": "c", "attributes": attributes}
    found = normalise(raw, 0, Context(received_at=NOW))
    assert isinstance(found, LogRecord)
    return found


def moment(message: str, *, seconds: float = 0, **attributes: Any) -> Moment:
    subject = subject_of(message, attributes=attributes)
    return Moment(at=NOW + timedelta(seconds=seconds), subject=subject, masked=message)


@pytest.mark.parametrize(
    "told",
    [
        record("got it", **{"db.statement": "SELECT 1"}),
        record("GET /orders", duration_ms=501),
        record("GET /orders", duration_ms="1.5 s"),
        record("webhook received", event_id="evt_1"),
        record("wamid.1 stored", message_timestamp="2026-11-20T12:00:00Z"),
        record("STK push accepted"),
        record("M-Pesa: mpesa callback received"),
        record("Merchant created"),
    ],
)
def test_a_record_that_may_have_a_part_in_a_chain_rule_has_its_chain_watched(
    told: LogRecord,
) -> None:
    assert DEFAULT.chains_of([record("noise"), told]) == {"c"}


@pytest.mark.parametrize(
    "told",
    [
        record("GET /orders", duration_ms=500),
        record("GET /orders", duration_ms="soon"),
        record("order stored", event_id="evt_1"),
        record("webhook received"),
        record("paid", message_timestamp="2026-11-20T12:00:00Z"),
        record("duration_ms event_id db.statement"),
    ],
)
def test_other_records_cost_nobody_a_second_look(told: LogRecord) -> None:
    assert DEFAULT.chains_of([told]) == set()


def test_nothing_is_watched_for_an_empty_catalogue() -> None:
    assert Watch(()).chains_of([record("webhook", event_id="e")]) == set()
    assert Watch(()).findings([moment("webhook", event_id="e")], NOW) == ()


def test_a_rule_that_names_nothing_to_look_for_is_held_against_failing_chains_alone() -> None:
    watch = watch_of("slower_than: 2s")

    assert watch.chains_of([record("boiled")]) == set()
    assert watch.concerns("boiled", {})
    (found,) = watch.findings([moment("on"), moment("off", seconds=3)], NOW)
    assert (found.known_issue_id, found.explains_errors) == ("slow-kettle", False)


def test_a_finding_says_which_record_it_shows_at_and_where_its_rule_is_written() -> None:
    moments = [moment("webhook", event_id="a"), moment("x"), moment("webhook", event_id="a")]

    (found,) = DEFAULT.findings(moments, NOW)

    assert (found.known_issue_id, found.place) == ("webhook-retry-delays", 2)
    assert found.evidence[0].quote == "2 times: a"
    assert found.evidence[0].line > 0


def test_a_rule_that_explains_errors_is_told_before_the_slowness_of_the_same_entry() -> None:
    watch = watch_of("slower_than: 2s", "same: cup\ntimes: 2")

    (found,) = watch.findings([moment("a", cup=1), moment("b", seconds=9, cup=1)], NOW)

    assert found.explains_errors


def test_what_may_still_come_has_the_chain_looked_at_again() -> None:
    pushed = [moment("STK push accepted")]

    assert DEFAULT.due(pushed, NOW) == NOW + timedelta(seconds=120)
    assert DEFAULT.findings(pushed, NOW) == ()
    assert DEFAULT.findings(pushed, NOW + timedelta(seconds=120))
    answered = [*pushed, moment("mpesa callback", seconds=9)]
    assert DEFAULT.due(answered, NOW) is None
    assert DEFAULT.findings(answered, NOW + timedelta(days=1)) == ()


words = st.sampled_from(["webhook", "wamid", "STK push sent", "Merchant Created", "noise", "ß İ"])
fields = st.dictionaries(
    st.sampled_from(["event_id", "db.statement", "duration_ms", "message_timestamp", "x"]),
    st.one_of(st.integers(0, 2_000), st.text(max_size=5), st.none(), st.booleans()),
    max_size=3,
)


@given(st.lists(st.tuples(words, fields), max_size=5))
def test_no_chain_rule_holds_for_a_chain_that_was_not_watched(
    told: list[tuple[str, dict[str, Any]]],
) -> None:
    records = [record(text, **attributes) for text, attributes in told]
    decoded = [msgspec.json.decode(one.attributes) for one in records]
    moments = [
        moment(one.message, **attributes) for one, attributes in zip(records, decoded, strict=True)
    ]

    held = DEFAULT.findings(moments, NOW + timedelta(days=1))

    if held:
        assert DEFAULT.chains_of(records) == {"c"}
