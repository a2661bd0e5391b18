"""How fast messages go to one target: again after a failure, and fewer in a storm. Pure."""

import math
import random
from collections.abc import Callable
from typing import Final

from msgspec import Struct

MOST_ATTEMPTS: Final = 10
BASE_SECONDS: Final = 30.0
CAP_SECONDS: Final = 7_200.0
LONGEST_WAIT_SECONDS: Final = 21_600.0
"""A receiver that asks for more is asked again after this."""


def ceiling(attempts: int) -> float:
    """The longest pause after so many failed attempts, in seconds: doubled each time, capped."""
    # Bounded exponent: a float has no room for 2 to the power of anything.
    return min(CAP_SECONDS, math.ldexp(BASE_SECONDS, min(attempts, 30)))


def pause(
    attempts: int,
    *,
    retry_after: float | None = None,
    uniform: Callable[[float, float], float] = random.uniform,
) -> float:
    """Seconds until the next attempt, after `attempts` that failed (from 1).

    Exponential backoff with full jitter (M. Brooker, AWS Architecture Blog, 2015): random between
    0 and the ceiling. At least what the receiver asked for in `Retry-After`, within six hours.
    """
    jittered = uniform(0, ceiling(attempts))
    return max(jittered, min(retry_after or 0.0, LONGEST_WAIT_SECONDS))


class Turn(Struct, frozen=True, kw_only=True):
    """What to do for a target now."""

    send: bool
    keep: int | None = None
    """So many of the oldest stay messages of their own; one summary stands for the rest."""


def next_turn(*, due: int, room: int) -> Turn:
    """`due` messages wait, and `room` may still go out in this minute.

    What goes out within the room is each message, or, when they are too many for it, all but one
    of them and a summary of the others.
    """
    if due <= 0 or room <= 0:
        return Turn(send=False)
    return Turn(send=True, keep=room - 1 if due > room else None)
