import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.benches.ground import Api, start_bare
from scripts.benches.loads import FRESH, Load, Plan, percentile, request, send
from scripts.benches.sender import digits
from scripts.stack import Stack

ONE = request("/ingest/logs", b'{"message": "m"}', "application/json")
NOT_JSON = request("/ingest/logs", b"{", "application/json")
ELSEWHERE = request("/nothing", b"{}", "application/json")
AGAIN = request("/ingest/logs", b'{"message": "' + FRESH + b'"}', "application/json")


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    logs: Path = tmp_path_factory.mktemp("logs")
    with Stack(logs) as stack:
        yield start_bare(stack)


def test_each_request_is_sent_once_and_answered(bare: Api) -> None:
    load = send(Plan(ports=(bare.port,), requests=[ONE] * 50, connections=4))

    assert load.statuses == {202: 50}
    assert load.good == 50
    assert (load.unsent, load.given_up, load.unanswered) == (0, 0, 0)


def test_answers_that_are_no_success_are_counted_by_status(bare: Api) -> None:
    load = send(Plan(ports=(bare.port,), requests=[ONE, ELSEWHERE, NOT_JSON], connections=1))

    assert load.statuses == {202: 1, 404: 1, 500: 1}
    assert load.good == 1


def test_a_schedule_takes_the_time_it_says(bare: Api) -> None:
    load = send(Plan(ports=(bare.port,), requests=[ONE] * 50, connections=4, rate=100))

    assert load.good == 50
    assert 0.45 < load.seconds < 10


def test_requests_made_fresh_are_told_apart_and_those_not_sent_are_counted(bare: Api) -> None:
    load = send(
        Plan(
            ports=(bare.port,), requests=[AGAIN], connections=1, rate=50_000, seconds=0.3,
            patience=0.1,
        )
    )  # fmt: skip

    assert load.unsent > 0
    assert set(load.accepted.values()) == {1}
    assert len(load.accepted) == load.good
    assert offered(load) == pytest.approx(15_000, rel=0.05)


def offered(load: Load) -> int:
    return load.requests + load.unsent + load.given_up + load.unanswered


@given(st.sets(st.integers(0, 2**32 - 1), max_size=200))
def test_each_number_has_digits_of_its_own(numbers: set[int]) -> None:
    made = {digits(number) for number in numbers}

    assert len(made) == len(numbers)
    assert all(len(one) == 8 for one in made)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_is_one_of_the_values_and_the_last_is_the_largest(
    values: list[float], share: float
) -> None:
    assert percentile(values, share) in values
    assert percentile(values, 1) == max(values)


def test_of_nothing_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))
