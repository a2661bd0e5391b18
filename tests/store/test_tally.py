from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from app.normalise.record import Refused
from app.normalise.repairs import REFUSAL_HINTS, Refusal
from app.store.tally import MOST_LISTED, Tally

REASONS: Final = st.sampled_from([r for r in Refusal if r is not Refusal.REQUEST_FAILED])
NAME: Final = "prodsentinel_records_"


def refused(*indexes: int, reason: Refusal = Refusal.NOT_JSON) -> list[Refused]:
    return [Refused(index=index, reason=reason) for index in indexes]


def counted() -> dict[str, float]:
    """Each reason, and what else there is."""
    found = {
        fate: REGISTRY.get_sample_value(f"{NAME}{fate}_total") or 0
        for fate in ("received", "accepted", "shed")
    }
    for reason in Refusal:
        labels = {"reason": reason.value}
        found[reason] = REGISTRY.get_sample_value(f"{NAME}refused_total", labels) or 0
    return found


def published(tally: Tally) -> dict[str, float]:
    before = counted()
    tally.publish()
    return {name: value - before[name] for name, value in counted().items()}


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.lists(st.lists(REASONS, max_size=20), max_size=5),
    st.integers(0, 50),
)
def test_what_was_read_has_exactly_one_fate_each(
    accepted: int, shed: int, refusals: list[list[Refusal]], given_up: int
) -> None:
    tally = Tally()
    reasons = [reason for reasons in refusals for reason in reasons]
    tally.read = accepted + shed + len(reasons) + given_up
    tally.accepted, tally.shed = accepted, shed
    for batch in refusals:
        tally.refuse([Refused(index=0, reason=reason) for reason in batch])

    told = published(tally)

    assert told["received"] == tally.read
    assert told["received"] == sum(told.values()) - told["received"]
    assert told[Refusal.REQUEST_FAILED] == given_up
    assert all(told[reason] == reasons.count(reason) for reason in set(reasons))


@given(st.lists(st.integers(0, 1500), max_size=4))
def test_no_more_than_a_thousand_are_listed_and_the_rest_is_counted(sizes: list[int]) -> None:
    tally = Tally()
    for size in sizes:
        tally.refuse(refused(*range(tally.read, tally.read + size)))
        tally.read += size

    receipt = tally.receipt()

    assert [one.index for one in receipt.rejected] == list(range(min(sum(sizes), MOST_LISTED)))
    assert receipt.unlisted == max(0, sum(sizes) - MOST_LISTED)


def test_rejections_are_listed_in_the_order_of_the_request() -> None:
    tally = Tally()
    tally.read = 9
    tally.refuse(refused(4, 8))
    tally.refuse(refused(1, reason=Refusal.NOT_STORABLE))

    listed = tally.receipt().rejected

    assert [(one.index, one.reason) for one in listed] == [
        (1, "not_storable"), (4, "not_json"), (8, "not_json"),
    ]  # fmt: skip


@pytest.mark.parametrize("reason", Refusal)
def test_each_reason_says_what_to_change(reason: Refusal) -> None:
    tally = Tally()
    tally.refuse(refused(0, reason=reason))

    assert tally.receipt().rejected[0].detail == REFUSAL_HINTS[reason]


def test_an_empty_request_counts_nothing() -> None:
    assert not any(published(Tally()).values())
