"""What is held comes back, nobody gets past the capacity, and nobody takes all of it."""

from contextlib import suppress
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from app.receive.admission import Admission, Overloaded, SenderOverLimit, Ticket

CAPACITY: Final = 100
MIB: Final = 1024 * 1024
SENDERS: Final = st.sampled_from(["a", "b"])
SIZES: Final = st.integers(1, 15) | st.integers(1, 45) | st.integers(90, 200)


class Requests(RuleBasedStateMachine):
    """Requests come, grow, say whose they are, and leave, in any order."""

    tickets: Bundle[Ticket] = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(capacity=CAPACITY)
        self.sizes: dict[Ticket, int] = {}
        self.senders: dict[Ticket, str] = {}

    @rule(target=tickets, size=SIZES)
    def admit(self, size: int) -> Any:
        before = self.admission.held
        try:
            ticket = self.admission.admit(size)
        except Overloaded:
            assert before
            assert before + size > CAPACITY
            assert self.admission.held == before
            return Ticket(self.admission)  # holds nothing, and may leave like any other
        assert not before or before + size <= CAPACITY
        self.sizes[ticket] = size
        return ticket

    @rule(ticket=tickets, size=SIZES)
    def grow(self, ticket: Ticket, size: int) -> None:
        if ticket not in self.sizes:
            return
        held = self.sizes[ticket]
        others = self.admission.held - held
        try:
            ticket.hold(size)
        except Overloaded:
            assert others
            assert others + size > CAPACITY
        except SenderOverLimit:
            assert self.of_same_sender(ticket)
            assert self.of_same_sender(ticket) + size > CAPACITY // 2
        else:
            self.sizes[ticket] = max(size, held)
            assert size <= held or not others or others + size <= CAPACITY

    def of_same_sender(self, ticket: Ticket) -> int:
        """What its other requests hold."""
        sender = self.senders.get(ticket)
        named = (t for t, one in self.senders.items() if one == sender and t is not ticket)
        return sum(map(self.sizes.__getitem__, named))

    @rule(ticket=tickets, sender=SENDERS)
    def name(self, ticket: Ticket, sender: str) -> None:
        if ticket not in self.sizes or ticket in self.senders:
            return
        others = sum(self.sizes[t] for t, named in self.senders.items() if named == sender)
        try:
            ticket.name(sender)
        except SenderOverLimit:
            assert others
            assert others + self.sizes[ticket] > CAPACITY // 2
        else:
            self.senders[ticket] = sender
            assert not others or others + self.sizes[ticket] <= CAPACITY // 2

    @rule(ticket=consumes(tickets))
    def leave(self, ticket: Ticket) -> None:
        self.sizes.pop(ticket, None)
        self.senders.pop(ticket, None)
        ticket.__exit__(None, None, None)

    @invariant()
    def holds_what_its_requests_hold(self) -> None:
        assert self.admission.held == sum(self.sizes.values())
        assert self.admission.is_strained == (self.admission.held > CAPACITY / 2)

    @invariant()
    def exceeds_the_capacity_for_one_request_only(self) -> None:
        assert self.admission.held <= CAPACITY or len(self.sizes) == 1

    @invariant()
    def leaves_half_to_the_others(self) -> None:
        for sender in set(self.senders.values()):
            held = [self.sizes[t] for t, named in self.senders.items() if named == sender]
            assert sum(held) <= CAPACITY // 2 or len(held) == 1

    def teardown(self) -> None:
        for ticket in self.sizes:
            ticket.__exit__(None, None, None)
        assert self.admission.held == 0
        assert not self.admission._by_sender


TestRequests = Requests.TestCase


def test_a_request_larger_than_the_capacity_passes_when_it_is_alone() -> None:
    admission = Admission(capacity=CAPACITY)

    with admission.admit(1) as ticket:
        ticket.hold(10 * CAPACITY)
        ticket.name("a")
        with pytest.raises(Overloaded):
            admission.admit(1)

    assert admission.held == 0


def test_a_noisy_sender_leaves_half_to_the_others() -> None:
    admission = Admission(capacity=CAPACITY)
    for _ in range(5):
        admission.admit(10).name("noisy")

    with (
        pytest.raises(SenderOverLimit, match="'noisy' has more in flight"),
        admission.admit(1) as t,
    ):
        t.name("noisy")
    for _ in range(5):
        admission.admit(10).name("quiet")

    assert admission.held == CAPACITY


def test_a_request_that_grows_stays_within_its_senders_share() -> None:
    admission = Admission(capacity=CAPACITY)

    with admission.admit(10) as first, admission.admit(10) as second:
        first.name("noisy")
        second.name("noisy")
        second.hold(40)
        with pytest.raises(SenderOverLimit):
            first.hold(11)

        assert admission.held == 50


def test_one_request_may_take_more_than_a_share_when_its_sender_has_no_other() -> None:
    admission = Admission(capacity=CAPACITY)

    with admission.admit(80) as ticket:
        ticket.name("a")

        assert admission.held == 80


def test_a_request_that_fails_gives_back_what_it_held() -> None:
    admission = Admission(capacity=CAPACITY)

    with suppress(ValueError), admission.admit(50) as ticket:
        ticket.name("a")
        raise ValueError

    assert admission.held == 0


def test_a_request_is_named_once() -> None:
    admission = Admission(capacity=CAPACITY)
    with admission.admit(40) as first, admission.admit(40) as second:
        first.name("a")
        first.name("b")

        second.name("b")

    assert admission.held == 0
    assert not admission._by_sender


def admits(admission: Admission, size: int) -> bool:
    try:
        with admission.admit(size):
            return True
    except Overloaded:
        return False


def test_late_answers_let_in_less_and_quick_ones_more_again() -> None:
    capacity = 16 * MIB
    admission = Admission(capacity=capacity)
    with admission.admit(3 * MIB):
        for window in range(20):
            admission.observe(1.0, now=float(window))

        assert not admits(admission, 1)

        for window in range(20, 80):
            admission.observe(0.01, now=float(window))

        assert admits(admission, 12 * MIB)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 1)), max_size=60))
def test_whatever_was_observed_a_lone_request_is_let_in(seen: list[tuple[float, float]]) -> None:
    admission = Admission(capacity=4 * MIB)
    now = 0.0
    for seconds, pause in seen:
        now += pause
        admission.observe(seconds, now=now)

    assert admits(admission, 100 * MIB)
    with admission.admit(1):
        assert admits(admission, MIB)
        assert not admits(admission, 4 * MIB)


def test_one_late_answer_in_a_moment_counts_once() -> None:
    admission = Admission(capacity=16 * MIB)
    for _ in range(100):
        admission.observe(1.0, now=1.0)

    with admission.admit(10 * MIB):
        assert admits(admission, 2 * MIB)
