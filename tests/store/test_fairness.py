"""Who waits next to a noisy sender is not kept waiting by it."""

from collections import deque
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from app.store.fairness import FairQueue

Item = tuple[str, int, int]
"""Its sender, its number, its weight."""
ITEMS: Final = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(1, 12)), min_size=1, max_size=40
).map(lambda given: [(sender, number, weight) for number, (sender, weight) in enumerate(given)])


def queue_of(items: list[Item]) -> FairQueue[Item]:
    queue = FairQueue[Item](weigh=lambda item: item[2])
    for item in items:
        queue.push(item[0], item)
    return queue


def all_taken(queue: FairQueue[Item], most: int) -> list[list[Item]]:
    groups = []
    while queue:
        groups.append(queue.take(most))
    return groups


@given(ITEMS, st.integers(1, 20))
def test_every_item_is_taken_once_and_in_its_senders_order(items: list[Item], most: int) -> None:
    taken = [item for group in all_taken(queue_of(items), most) for item in group]

    assert sorted(taken, key=lambda item: item[1]) == items
    for sender in "abcd":
        assert [i for i in taken if i[0] == sender] == [i for i in items if i[0] == sender]


@given(ITEMS, st.integers(1, 20))
def test_a_group_weighs_no_more_than_asked_or_is_one_item(items: list[Item], most: int) -> None:
    for group in all_taken(queue_of(items), most):
        assert group
        assert len(group) == 1 or sum(weight for _, _, weight in group) <= most


@given(ITEMS, st.integers(1, 20))
def test_senders_take_turns_across_groups(items: list[Item], most: int) -> None:
    taken = [item for group in all_taken(queue_of(items), most) for item in group]

    turns = deque(dict.fromkeys(sender for sender, _, _ in items))
    left = {sender: sum(i[0] == sender for i in items) for sender in turns}
    for sender, _, _ in taken:
        assert sender == turns.popleft()
        left[sender] -= 1
        if left[sender]:
            turns.append(sender)


@given(st.integers(1, 50), st.integers(1, 8))
def test_a_quiet_sender_is_served_within_one_round(waiting: int, noisy: int) -> None:
    queue = queue_of([(f"noisy-{n % noisy}", n, 1) for n in range(waiting)])
    senders = min(waiting, noisy) + 1
    queue.push("quiet", ("quiet", 0, 1))

    first = [item for _ in range(senders) for item in queue.take(1)]

    assert "quiet" in [sender for sender, _, _ in first]


def test_who_comes_again_waits_behind_those_who_are_there() -> None:
    queue = queue_of([("a", 0, 1), ("b", 0, 1)])
    queue.take(1)
    queue.push("a", ("a", 1, 1))

    assert [sender for sender, _, _ in queue.take(10)] == ["b", "a"]


def test_an_item_that_does_not_fit_keeps_its_turn() -> None:
    queue = queue_of([("a", 0, 1), ("b", 0, 9), ("c", 0, 1)])

    assert [sender for sender, _, _ in queue.take(5)] == ["a"]
    assert [sender for sender, _, _ in queue.take(5)] == ["b"]
    assert [sender for sender, _, _ in queue.take(5)] == ["c"]


def test_an_empty_queue_gives_nothing() -> None:
    queue = queue_of([])

    assert not queue
    assert queue.take(5) == []
