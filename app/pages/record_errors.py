"""The errors of a log record as people read them: the cause first, the team's own frames first.

Pure.
"""

from typing import Final

import msgspec

from app.normalise.record import Frame, ReportedException
from app.signatures import ErrorReport, read_error
from app.signatures.model import RaisedError
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


def errors_in(message: str, exception: ReportedException | None) -> tuple[Raised, ...]:
    """Empty when the record tells of no error with a type; the cause first."""
    return errors_of(read_error(message, exception))


def errors_of(report: ErrorReport) -> tuple[Raised, ...]:
    return tuple(_raised(one) for one in report.errors[:MOST_ERRORS])


def stack_of(exception: ReportedException | None) -> str:
    """The stack as it was sent; empty when it came as frames or not at all."""
    stack = exception.stacktrace if exception else ""
    return stack if isinstance(stack, str) else ""


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
