"""Whose turn it is: senders take turns, however much one of them has waiting."""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """First in, first out for each sender; round robin between senders (Nagle, RFC 970)."""

    def __init__(self, *, weigh: Callable[[Item], int]) -> None:
        self._weigh = weigh
        self._waiting: OrderedDict[str, deque[Item]] = OrderedDict()
        self.weight = 0
        """Of all that waits."""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def push(self, sender: str, item: Item) -> None:
        self._waiting.setdefault(sender, deque()).append(item)
        self.weight += self._weigh(item)

    def take(self, most: int) -> list[Item]:
        """Items up to this weight together, or one that is heavier by itself."""
        taken: list[Item] = []
        while self._waiting:
            sender, items = next(iter(self._waiting.items()))
            weight = self._weigh(items[0])
            if taken and weight > most:
                break
            most -= weight
            self.weight -= weight
            taken.append(items.popleft())
            if items:
                self._waiting.move_to_end(sender)
            else:
                del self._waiting[sender]
        return taken
