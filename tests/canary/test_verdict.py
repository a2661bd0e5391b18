import random
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from app.canary.chains import KnownRecord, known_chain
from app.canary.findings import Finding, Plan
from app.canary.tally import Durations, Tally
from app.canary.verdict import Answer, Delivery, Outcome, Row, Verdict, judge

AT = datetime(2026, 7, 1, 12, tzinfo=UTC)
NUMBERS = st.integers(0, 1000)


def row_of(record: KnownRecord, **changed: Any) -> Row:
    fields = {
        name: getattr(record, name) for name in Row.__struct_fields__ if name != "occurred_at"
    }
    return Row(**{**fields, "occurred_at": record.timestamp or AT, **changed})


def rows_of(sent: list[Delivery]) -> list[Row]:
    return [row_of(one.record) for one in sent]


def accepted(number: int, *, after: float | None = 0.1) -> list[Delivery]:
    return [
        Delivery(record=record, answer=Answer.ACCEPTED, readable_after=after)
        for record in known_chain("run", number, at=AT).records
    ]


def counts(sent: list[Delivery], found: list[Row] | None, *, waited: bool = True) -> Counter[Any]:
    return judge(sent, found, late_after=5, waited=waited).counts()


@given(NUMBERS, st.randoms(use_true_random=False))
def test_what_is_found_as_it_was_sent_is_readable_in_any_order(
    number: int, chance: random.Random
) -> None:
    sent = accepted(number)
    found = rows_of(sent)
    chance.shuffle(found)

    assert counts(sent, found) == {Outcome.READABLE: len(sent)}


@given(NUMBERS, st.data())
def test_each_acknowledged_record_that_is_gone_is_missing_and_no_other(
    number: int, data: st.DataObject
) -> None:
    sent = accepted(number, after=data.draw(st.sampled_from([None, 0.1])))
    gone = data.draw(st.sets(st.sampled_from([one.record.record_id for one in sent])))
    found = [row for row in rows_of(sent) if row.record_id not in gone]

    verdict = judge(sent, found, late_after=5, waited=True)

    missing = {name for name, outcome in verdict.outcomes.items() if outcome is Outcome.MISSING}
    assert missing == gone
    assert verdict.doubled == 0


@given(NUMBERS, st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=6))
def test_each_row_too_many_is_doubled_whatever_id_it_bears(
    number: int, copies: list[tuple[int, bool]]
) -> None:
    sent = accepted(number)
    rows = rows_of(sent)
    more = [
        row if same_id else msgspec.structs.replace(row, record_id=uuid4())
        for row, same_id in ((rows[place % len(rows)], same_id) for place, same_id in copies)
    ]

    counted = counts(sent, [*rows, *more])

    assert counted[Outcome.DOUBLED] == len(copies)
    assert counted[Outcome.READABLE] == len(sent)


@given(NUMBERS, st.sampled_from([Answer.NONE, Answer.REFUSED]), st.booleans(), st.booleans())
def test_what_was_not_acknowledged_is_no_fault_stored_or_not(
    number: int, answer: Answer, stored: bool, waited: bool
) -> None:
    sent = [msgspec.structs.replace(one, answer=answer) for one in accepted(number, after=None)]

    counted = counts(sent, rows_of(sent) if stored else [], waited=waited)

    expected = Outcome.REFUSED if answer is Answer.REFUSED else Outcome.UNANSWERED
    assert counted == {expected: len(sent)}


@given(
    NUMBERS,
    st.sampled_from(
        [
            {"message": "other"},
            {"level": "ERROR"},
            {"service": "canary-z"},
            {"sequence": 99},
            {"instance": None},
            {"attributes": {}},
        ]
    ),
    st.sampled_from(Answer),
)
def test_other_content_under_the_same_id_is_altered_whatever_was_answered(
    number: int, changed: dict[str, Any], answer: Answer
) -> None:
    sent = [msgspec.structs.replace(one, answer=answer) for one in accepted(number)]
    found = rows_of(sent)
    found[0] = row_of(sent[0].record, **changed)

    assert counts(sent, found)[Outcome.ALTERED] == 1


def test_a_time_of_the_senders_own_is_held_and_one_of_the_service_is_not() -> None:
    other = datetime(2026, 7, 2, tzinfo=UTC)
    timed, untimed = accepted(0), accepted(3)

    assert counts(timed, [row_of(one.record, occurred_at=other) for one in timed]) == {
        Outcome.ALTERED: len(timed)
    }
    assert counts(untimed, [row_of(one.record, occurred_at=other) for one in untimed]) == {
        Outcome.READABLE: len(untimed)
    }


@given(NUMBERS, st.floats(0, 30))
def test_what_takes_longer_than_allowed_is_late_and_no_fault(number: int, after: float) -> None:
    sent = accepted(number, after=after)

    expected = Outcome.LATE if after > 5 else Outcome.READABLE
    assert counts(sent, rows_of(sent)) == {expected: len(sent)}


def test_nobody_to_ask_at_the_end_makes_nothing_missing_nor_well() -> None:
    assert counts(accepted(1, after=None), None) == {Outcome.UNREAD: len(accepted(1))}
    assert counts(accepted(1), None) == {Outcome.UNREAD: len(accepted(1))}


def test_asked_too_soon_an_unseen_record_is_unread_and_a_vanished_one_missing() -> None:
    assert counts(accepted(1, after=None), [], waited=False).keys() == {Outcome.UNREAD}
    assert counts(accepted(1), [], waited=False).keys() == {Outcome.MISSING}


@given(NUMBERS, st.data())
def test_every_record_sent_has_one_outcome(number: int, data: st.DataObject) -> None:
    sent = [
        msgspec.structs.replace(
            one,
            answer=data.draw(st.sampled_from(Answer)),
            readable_after=data.draw(st.none() | st.floats(0, 60)),
        )
        for one in accepted(number)
    ]
    found = data.draw(st.none() | st.lists(st.sampled_from(rows_of(sent))))

    verdict = judge(sent, found, late_after=5, waited=data.draw(st.booleans()))

    assert set(verdict.outcomes) == {one.record.record_id for one in sent}
    assert Outcome.DOUBLED not in verdict.outcomes.values()


@given(st.lists(st.floats(1e-5, 1000), min_size=1), st.sampled_from([0.0, 0.5, 0.99, 1.0]))
def test_a_percentile_is_at_most_one_percent_off(seconds: list[float], share: float) -> None:
    durations = Durations()
    for one in seconds:
        durations.add(one)

    exact = sorted(seconds)[max(0, -int(-share * len(seconds) // 1) - 1)]
    found = durations.percentile(share)

    assert found is not None
    assert abs(found - exact) <= 0.0101 * exact


def test_without_a_duration_there_is_no_percentile() -> None:
    assert Durations().percentile(0.5) is None


def test_a_tally_keeps_few_faults_of_many_and_counts_all() -> None:
    tally = Tally()
    for number in range(1000):
        tally.begin()
        tally.add(
            Finding(
                correlation_id=f"canary-run-{number}",
                verdict=Verdict(outcomes={uuid4(): Outcome.MISSING}, doubled=1),
                acknowledged_after=(0.01,),
                readable_after=(),
            )
        )

    report = tally.report()

    assert report["records"]["missing"] == report["records"]["doubled"] == 1000
    assert len(report["faults"]) == 10
    assert report["faults"][0]["outcomes"] == {"missing": 1, "doubled": 1}


def test_a_run_sends_rate_times_seconds_chains_and_never_none() -> None:
    assert Plan(rate=10, seconds=60).chains == 600
    assert Plan(rate=0.1, seconds=1).chains == 1
    assert Plan(rate=1).chains is None
