"""How much is in flight: in all, and of each sender. Refusing is one comparison.

Bytes are those of bodies before decoding into records, which take some six times as much.
"""

from types import TracebackType
from typing import Final, Self

from app.errors import AppError

SENDER_SHARE: Final = 0.5
"""Of one sender: however noisy it is, the others find room."""
LATE_SECONDS: Final = 0.2
WINDOW_SECONDS: Final = 0.1
LEAST_LIMIT: Final = 2 * 1024 * 1024
UNNAMED: Final = ""
"""The sender of a request whose first record has not been read yet."""


class Overloaded(AppError):
    """More is in flight than this service takes; send again shortly."""


class SenderOverLimit(AppError):
    """This sender has more in flight than its share; send again shortly."""


class Admission:
    """What one process holds of its requests, from their first byte to their commit."""

    def __init__(self, *, capacity: int) -> None:
        self._capacity = capacity
        self._limit = float(capacity)
        """What is let in now: less than the capacity while answers come late."""
        self._held = 0
        self._slowest = 0.0
        self._window_ends = 0.0
        self._by_sender: dict[str, int] = {}

    def admit(self, size: int) -> "Ticket":
        """Room for a request of so many bytes. Raises `Overloaded`."""
        ticket = Ticket(self)
        ticket.hold(size)
        return ticket

    def observe(self, seconds: float, *, now: float) -> None:
        """How long a request waited for its answer once it was read; `now` in the same clock.

        Who waits half a second gets nothing from an answer that comes later. So what is let in
        follows the waiting: additive increase, multiplicative decrease (Chiu and Jain, 1989).
        """
        self._slowest = max(self._slowest, seconds)
        if now < self._window_ends:
            return
        if self._slowest > LATE_SECONDS:
            self._limit = max(self._limit * 0.8, min(self._capacity, LEAST_LIMIT))
        else:
            self._limit = min(self._limit + self._capacity / 32, self._capacity)
        self._slowest = 0.0
        self._window_ends = now + WINDOW_SECONDS

    @property
    def is_strained(self) -> bool:
        """Whether it is time to shed what senders said may be shed."""
        return self._held * 2 > self._limit

    @property
    def held(self) -> int:
        return self._held

    def take(self, sender: str, size: int, *, held_already: int) -> None:
        # A request larger than the capacity passes when it is alone.
        if self._held + size > self._limit and self._held > held_already:
            raise Overloaded
        if sender != UNNAMED:
            self._check_share(sender, size, others=self._by_sender.get(sender, 0) - held_already)
        self._held += size
        self._by_sender[sender] = self._by_sender.get(sender, 0) + size

    def give(self, sender: str, size: int) -> None:
        self._held -= size
        left = self._by_sender.pop(sender, 0) - size
        if left:
            self._by_sender[sender] = left

    def rename(self, sender: str, size: int) -> None:
        others = self._by_sender.get(sender, 0)
        self._check_share(sender, size, others=others)
        self.give(UNNAMED, size)
        self._held += size
        self._by_sender[sender] = others + size

    def _check_share(self, sender: str, size: int, *, others: int) -> None:
        """`others`: what this sender's other requests hold; a lone one may exceed the share."""
        if others and self._by_sender[sender] + size > self._limit * SENDER_SHARE:
            raise SenderOverLimit(
                f"{sender!r} has more in flight than its share; send again shortly"
            )


class Ticket:
    """One request's room; given back at the end of the `with` block."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0
        self._sender = UNNAMED

    def hold(self, size: int) -> None:
        """Hold room for at least so many bytes. Raises `Overloaded`, `SenderOverLimit`."""
        if size > self._size:
            self._admission.take(self._sender, size - self._size, held_already=self._size)
            self._size = size

    def name(self, sender: str) -> None:
        """Whose request it is, as soon as that is known. Raises `SenderOverLimit`."""
        if self._sender == UNNAMED != sender:
            self._admission.rename(sender, self._size)
            self._sender = sender

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._admission.give(self._sender, self._size)
