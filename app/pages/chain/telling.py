"""One record, opened: its errors with the team's own frames first, and as JSON. Pure."""

from typing import Final

import msgspec

from app.normalise.record import Frame
from app.query.views import RecordView
from app.signatures.model import RaisedError
from app.signatures.reading.reader import read_error
from app.signatures.v1.frames import read_call

MOST_FRAMES: Final = 50
MOST_ERRORS: Final = 10


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    """One error of the chain of causes."""

    type: str
    message: str
    own: tuple[Frame, ...]
    """Frames of the team's own code, where it was raised first."""
    library: tuple[Frame, ...]
    """All others, likewise."""
    left_out: int
    """Frames that are not among these: what was sent holds them."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a record holds, ready to be read."""

    record: RecordView
    errors: tuple[Raised, ...]
    """The cause first."""
    stack: str
    """The stack as it was sent; empty when it came as frames or not at all."""
    attributes: tuple[tuple[str, str], ...]
    json: str


def tell(record: RecordView) -> Told:
    exception = record.exception
    stack = exception.stacktrace if exception and isinstance(exception.stacktrace, str) else ""
    report = read_error(record.message, exception) if record.signature_id or exception else None
    return Told(
        record=record,
        errors=tuple(_raised(one) for one in report.errors[:MOST_ERRORS]) if report else (),
        stack=stack,
        attributes=tuple((name, _written(value)) for name, value in record.attributes.items()),
        json=json_of(record),
    )


def _raised(error: RaisedError) -> Raised:
    frames = list(reversed(error.frames))
    own = [frame for frame in frames if read_call(frame).in_app]
    library = [frame for frame in frames if not read_call(frame).in_app]
    kept_own, kept_library = own[:MOST_FRAMES], library[:MOST_FRAMES]
    return Raised(
        type=error.type,
        message=error.message,
        own=tuple(kept_own),
        library=tuple(kept_library),
        left_out=len(frames) - len(kept_own) - len(kept_library),
    )


def _written(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def json_of(record: RecordView) -> str:
    """What the API says of it, indented."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2).decode()
