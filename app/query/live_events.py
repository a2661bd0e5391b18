"""Server-sent events of the live tail, and the cursors in their ids. Pure.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from app.query.cursors import InvalidCursor
from app.store.arrivals import Moment, read_moment

RETRY_MS: Final = 2_000
MOST_REMAINING: Final = 5_000
"""Records that a batch may hold."""
_encode: Final = msgspec.json.Encoder().encode


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """How far a listener has read: all that came until a moment; or of what came from there to
    the following one all but the last `remaining` records."""

    moment: Moment
    following: Moment | None = None
    remaining: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What came between two moments, ready to be sent to any number of listeners."""

    payload: bytes
    records: int
    place: Place


def write_place(place: Place) -> str:
    """For `id:`; a client gives it back in `Last-Event-ID`."""
    parts: list[Any] = _written(place.moment)
    if place.following is not None:
        parts += [*_written(place.following), place.remaining]
    return base64.urlsafe_b64encode(_encode(parts)).decode().rstrip("=")


def read_place(cursor: str) -> Place:
    """Raises `InvalidCursor`."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        parts = msgspec.json.decode(base64.urlsafe_b64decode(padded), type=list[str | int])
        if len(parts) == len(_PLAIN):
            return Place(moment=_moment(parts))
        following, remaining = _moment(parts[2:4]), parts[4]
        is_count = isinstance(remaining, int) and 0 < remaining <= MOST_REMAINING
        if len(parts) != len(_BETWEEN) or not is_count:
            raise InvalidCursor
        return Place(moment=_moment(parts), following=following, remaining=int(remaining))
    except (ValueError, IndexError, OverflowError, msgspec.MsgspecError) as error:
        raise InvalidCursor from error


_PLAIN: Final = ("snapshot", "taken_at")
_BETWEEN: Final = (*_PLAIN, *_PLAIN, "remaining")


def _written(moment: Moment) -> list[Any]:
    return [str(moment), moment.taken_at.isoformat()]


def _moment(parts: Sequence[str | int]) -> Moment:
    snapshot, taken_at = parts[0], parts[1]
    if not isinstance(snapshot, str) or not isinstance(taken_at, str):
        raise InvalidCursor
    at = datetime.fromisoformat(taken_at)
    if at.tzinfo is None:
        raise InvalidCursor
    return read_moment(snapshot, at.astimezone(UTC))


def opening(place: Place) -> bytes:
    """The first event of a stream: from where it tells, and when to come back after a break."""
    return f"retry: {RETRY_MS}\nid: {write_place(place)}\n\n".encode()


def heartbeat(place: Place) -> bytes:
    """No event, but a place: what was read without a match need not be read again."""
    return f": heartbeat\nid: {write_place(place)}\n\n".encode()


def skipped(records: int | None, reason: str) -> bytes:
    """How many were left out; None when nobody counted them."""
    return b"event: skipped\ndata: " + _encode({"records": records, "reason": reason}) + b"\n\n"


def batch_of(records: Sequence[bytes], *, since: Moment, until: Moment, left_out: int) -> Batch:
    """The events of what came between two moments, each record given as JSON; the oldest ones may
    have been left out."""
    parts = [skipped(left_out, "too many at once")] if left_out else []
    for number, record in enumerate(records, 1):
        place = Place(moment=until)
        if remaining := len(records) - number:
            place = Place(moment=since, following=until, remaining=remaining)
        parts.append(b"id: " + write_place(place).encode() + b"\ndata: " + record + b"\n\n")
    return Batch(payload=b"".join(parts), records=len(records), place=Place(moment=until))
