"""The error of a log record as people read it: the cause and the team's own calls first. Pure."""

import msgspec

from app.normalise.record import ReportedException
from app.signatures import read_error
from app.signatures.v1.frames import read_call

MOST_FRAMES = 200


class Call(msgspec.Struct, frozen=True, kw_only=True):
    function: str
    place: str
    """Module or path, and the line where one is known."""
    source: str | None
    is_own: bool
    """In code of the team, not of a library."""


class Raised(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    message: str
    calls: tuple[Call, ...]
    """The outermost first."""

    @property
    def own(self) -> tuple[Call, ...]:
        return tuple(call for call in self.calls if call.is_own)


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    raised: tuple[Raised, ...]
    """The root cause first."""
    raw: str
    """As it was sent; empty when it came in parts."""


def trace_of(message: str, exception: ReportedException | None) -> Trace | None:
    """None when the record tells of no error with a type."""
    report = read_error(message, exception)
    if not report.errors:
        return None
    stack = exception.stacktrace if exception else ""
    raised = tuple(
        Raised(
            type=error.type,
            message=error.message,
            calls=tuple(
                Call(
                    function=frame.function,
                    place=frame.module + (f":{frame.line}" if frame.line else ""),
                    source=frame.source,
                    is_own=read_call(frame).in_app,
                )
                for frame in error.frames[-MOST_FRAMES:]
            ),
        )
        for error in report.errors
    )
    return Trace(raised=raised, raw=stack if isinstance(stack, str) else "")
