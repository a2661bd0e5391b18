"""What holds for every chain, whatever its records say."""

import cProfile
import pstats
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.correlate import chain as room
from app.correlate.chain import Chain, Link, correlate
from tests.correlate.records import START, error, record

NAMES = st.sampled_from(["gateway", "payment", "inventory", "tax"])
SPANS = st.one_of(st.none(), st.sampled_from(["1", "2", "3", "4", "5"]))
WORDS = st.sampled_from([
    "", "request received", "request received from gateway", "calling payment",
    "request answered 200", "request answered 502", "502 from payment", "timeout calling tax",
    "inventory failed, using cached value", "could not complete: 'sku-1' is unknown",
    "'sku-1' is unknown", "call to inventory failed: 'sku-1' is unknown",
])  # fmt: skip
TYPES = st.sampled_from(["", "KeyError", "httpx.ReadTimeout", "shop.CallFailed"])


@st.composite
def some_links(draw: st.DrawFn, *, longest: int = 14) -> list[Link]:
    return [
        Link(
            record_id=UUID(int=number),
            occurred_at=START + timedelta(seconds=draw(st.integers(0, 9_000))),
            received_at=START,
            service=draw(NAMES),
            instance=draw(st.sampled_from([None, "1", "2"])),
            sequence=draw(st.one_of(st.none(), st.integers(-3, 30))),
            span_id=draw(SPANS),
            parent_span_id=draw(SPANS),
            signature_id=draw(st.sampled_from([None, None, "s", "t"])),
            message=draw(WORDS),
            exception_type=draw(TYPES),
            attributes=draw(
                st.sampled_from([{}, {"caller": "gateway"}, {"peer.service": "tax"},
                                 {"status": 500}, {"status": "x", "attempt": None, "url": 3}])
            ),
        )
        for number in range(draw(st.integers(0, longest)))
    ]  # fmt: skip


@st.composite
def spanned_links(draw: st.DrawFn) -> list[Link]:
    """A tree of calls with spans, each service on one clock, complete."""
    links, number = [], 1
    count = draw(st.integers(2, 6))
    for call in range(count):
        above = draw(st.integers(0, call - 1)) if call else None
        for place in range(draw(st.integers(1, 3))):
            failing = draw(st.booleans())
            links.append(
                record(
                    number,
                    f"s{call}",
                    draw(WORDS),
                    at=call + place * 20,
                    span_id=f"{call}",
                    parent_span_id=None if above is None else f"{above}",
                    signature_id=draw(st.sampled_from(["x", "y"])) if failing else None,
                    exception_type=draw(TYPES) if failing else "",
                )
            )
            number += 1
    return links


def root_records(chain: Chain) -> set[UUID]:
    return {root.link.record_id for root in chain.roots}


@given(some_links(), st.randoms(use_true_random=False))
def test_the_order_in_which_records_come_changes_nothing(
    links: list[Link], chance: random.Random
) -> None:
    shuffled = links[:]
    chance.shuffle(shuffled)

    assert correlate(shuffled) == correlate(links)


@given(some_links())
def test_every_error_is_exactly_one_of_root_symptom_and_retry(links: list[Link]) -> None:
    chain = correlate(links)

    told = Counter(root.link.record_id for root in chain.roots)
    told.update(one.link.record_id for root in chain.roots for one in root.symptoms)
    errors = [link.record_id for link in links if link.is_error]
    assert max(told.values(), default=1) == 1
    assert set(told) <= set(errors)
    assert sum(told.values()) + sum(root.retries for root in chain.roots) == len(errors)


@given(some_links())
def test_no_record_is_lost_and_every_call_stands_behind_its_caller(links: list[Link]) -> None:
    chain = correlate(links)

    assert sorted(link.record_id.int for link in chain.links) == list(range(len(links)))
    assert sorted(p for call in chain.calls for p in call.places) == list(range(len(links)))
    for place, call in enumerate(chain.calls):
        assert call.parent is None or call.parent < place
        assert call.depth == (0 if call.parent is None else chain.calls[call.parent].depth + 1)


@given(some_links(), st.booleans())
def test_nothing_is_certain_while_evidence_is_incomplete(
    links: list[Link],
    capped: bool,
) -> None:
    chain = correlate(links, capped=capped)

    if chain.evidence_incomplete:
        assert all(root.confidence is not room.Confidence.CERTAIN for root in chain.roots)


@given(spanned_links())
def test_a_further_word_at_the_end_changes_no_root(links: list[Link]) -> None:
    top = links[0]
    last = msgspec.structs.replace(
        top, record_id=UUID(int=999), occurred_at=START + timedelta(seconds=100),
        message="metrics flushed", signature_id=None, exception_type="",
    )  # fmt: skip

    assert root_records(correlate([*links, last])) == root_records(correlate(links))


@given(spanned_links(), st.integers(0, 5), st.floats(-5, 5))
def test_a_clock_that_is_off_changes_no_root(
    links: list[Link], service: int, seconds: float
) -> None:
    off = timedelta(seconds=seconds)
    shifted = [
        msgspec.structs.replace(link, occurred_at=link.occurred_at + off)
        if link.service == f"s{service}"
        else link
        for link in links
    ]

    assert root_records(correlate(shifted)) == root_records(correlate(links))


@given(st.lists(st.sampled_from([None, "1", "2", "3"]), min_size=3, max_size=3))
def test_spans_in_a_circle_end(parents: list[str | None]) -> None:
    links = [
        error(n, f"s{n}", f"failed {n}", span_id=str(n), parent_span_id=parent)
        for n, parent in enumerate(parents, 1)
    ]

    assert correlate(links).roots


@pytest.mark.parametrize("moment", [datetime.min, datetime.max, datetime(1, 1, 1, tzinfo=UTC)])  # noqa: DTZ901
def test_any_time_is_borne(moment: datetime) -> None:
    links = [record(1, "a"), msgspec.structs.replace(error(2, "b", "x"), occurred_at=moment)]

    assert len(correlate(links).roots) == 1


def deep(count: int) -> list[Link]:
    return [
        error(n, f"s{n}", "failed", span_id=str(n), parent_span_id=str(n - 1))
        for n in range(1, count)
    ]


def wide(count: int) -> list[Link]:
    return [
        error(n, f"s{n % 9}", f"502 from s{n % 7}", at=n / 100, span_id=str(n), parent_span_id="1")
        for n in range(1, count)
    ]


def plain(count: int) -> list[Link]:
    return [error(n, f"s{n}", f"calling s{n + 1}", at=n / 100) for n in range(1, count)]


def one_call(count: int) -> list[Link]:
    return [error(n, "s", f"failed {n}", at=n / 100, instance="i", sequence=-n)
            for n in range(1, count)]  # fmt: skip


@pytest.mark.parametrize("shape", [deep, wide, plain, one_call])
def test_a_chain_ten_times_as_long_takes_about_ten_times_the_steps(
    shape: Callable[[int], list[Link]],
) -> None:
    steps = [_steps(shape(count)) / count for count in (300, 3_000)]

    assert steps[1] < 3 * steps[0]


def _steps(links: list[Link]) -> int:
    """Function calls made, those into C included: a measure that no busy machine changes."""
    profile = cProfile.Profile()
    profile.runcall(correlate, links)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]
