"""How much is in flight: in all, and of each sender. Refusing is one comparison.

Bytes are those of bodies before decoding into records, which take some six times as much.
"""

from types import TracebackType
from typing import Final, Self

from app.errors import AppError

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
        self._share = capacity // 2
        """Of one sender: however noisy it is, the others find room."""
        self._held = 0
        self._by_sender: dict[str, int] = {}

    def admit(self, size: int) -> "Ticket":
        """Room for a request of so many bytes. Raises `Overloaded`."""
        ticket = Ticket(self)
        ticket.hold(size)
        return ticket

    @property
    def is_strained(self) -> bool:
        """Whether it is time to shed what senders said may be shed."""
        return self._held * 2 > self._capacity

    @property
    def held(self) -> int:
        return self._held

    def take(self, sender: str, size: int, *, held_already: int) -> None:
        # A request larger than the capacity passes when it is alone.
        if self._held + size > self._capacity and self._held > held_already:
            raise Overloaded
        if sender != UNNAMED:
            self._check_share(sender, size, others=self._by_sender[sender] - held_already)
        self._held += size
        self._by_sender[sender] = self._by_sender.get(sender, 0) + size

    def give(self, sender: str, size: int) -> None:
        self._held -= size
        left = self._by_sender.pop(sender) - size
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
        if others and self._by_sender[sender] + size > self._share:
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
