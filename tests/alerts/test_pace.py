"""Pauses between attempts, and what goes out in a storm."""

import random

from hypothesis import given
from hypothesis import strategies as st

from app.alerts.pace import (
    CAP_SECONDS,
    LONGEST_WAIT_SECONDS,
    MOST_ATTEMPTS,
    ceiling,
    next_turn,
    pause,
)


@given(st.integers(1, 10_000), st.integers())
def test_a_pause_is_between_nothing_and_its_ceiling(attempts: int, seed: int) -> None:
    found = pause(attempts, uniform=random.Random(seed).uniform)  # noqa: S311

    assert 0 <= found <= ceiling(attempts) <= CAP_SECONDS


@given(st.integers(1, 10_000))
def test_ceilings_double_up_to_the_cap(attempts: int) -> None:
    assert ceiling(attempts + 1) == min(CAP_SECONDS, 2 * ceiling(attempts))


def test_all_attempts_together_take_hours() -> None:
    longest = sum(ceiling(attempt) for attempt in range(1, MOST_ATTEMPTS))

    assert 4 * 3600 < longest < 12 * 3600


@given(st.integers(1, 20), st.floats(0, 1e9), st.integers())
def test_the_receiver_may_ask_for_more_within_bounds(
    attempts: int, asked: float, seed: int
) -> None:
    found = pause(attempts, retry_after=asked, uniform=random.Random(seed).uniform)  # noqa: S311

    assert found >= min(asked, LONGEST_WAIT_SECONDS)
    assert found <= max(CAP_SECONDS, LONGEST_WAIT_SECONDS)


@given(st.integers(0, 10_000), st.integers(-5, 600))
def test_a_turn_keeps_within_the_room_and_forgets_nobody(due: int, room: int) -> None:
    turn = next_turn(due=due, room=room)

    assert turn.send is (due > 0 and room > 0)
    messages = due if turn.keep is None else turn.keep + 1
    assert not turn.send or 1 <= messages <= room or messages == due <= room
    assert turn.keep is None or due - turn.keep >= 2
