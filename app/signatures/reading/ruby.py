"""Backtraces of Ruby (`in \\`foo'` up to 3.3, `in 'Foo#bar'` from 3.4), Rails and Sidekiq."""

import re

import msgspec

from app.normalise.record import Frame
from app.signatures.reading.limits import MAX_ERRORS, Reading, both_ends
from app.signatures.reading.names import headline_within
from app.signatures.reading.stacked import Draft

_PLACE = re.compile(
    r"\s*+(?:[^\n]{0,200}?\b(?:WARN|ERROR|FATAL)(?: --)?: )?(?:\d++: )?(?:from )?"
    r"(\S[^:\n]*+):(\d{1,9}):in [`']"
)
_TYPE = re.compile(r"\(([A-Z]\w*+(?:::\w++)*+)\)$")
_UPSIDE_DOWN = "Traceback (most recent call last)"
_LOOK_BACK = 6
_RAILS = re.compile(r"\s*+([A-Z]\w*+(?:::\w++)*+) \((.*+)$", re.DOTALL)


class _Line(msgspec.Struct, frozen=True):
    frame: Frame
    head: str
    """The message behind the place: only where an exception begins."""


class _Trace(msgspec.Struct):
    """What was read so far."""

    drafts: list[Draft]
    """Outermost first, as they are written."""
    above: list[str]
    pending: list[Frame]
    """Up to 2.7 a terminal was told the outermost call first, and the message at the end."""
    complete: bool = False


def read(text: str) -> Reading | None:
    trace = _Trace([], [], [])
    for line in text.split("\n"):
        place = _place(line)
        if place is not None:
            _take(place, trace)
        elif not _take_text(line, trace):
            break
    if not trace.drafts:
        return None
    if trace.pending:
        trace.drafts[0].frames += trace.pending[::-1]
        trace.above.pop()
    return Reading(
        errors=tuple(draft.finished() for draft in reversed(both_ends(trace.drafts, MAX_ERRORS))),
        language="ruby",
        before="\n".join(trace.above).strip(),
        truncated=not trace.complete,
    )


def _take(place: _Line, trace: _Trace) -> None:
    if place.head:
        trace.complete = trace.complete or not trace.drafts
        trace.drafts.append(_headed(place))
    elif trace.drafts:
        trace.drafts[-1].frames.append(place.frame)
    elif trace.pending or (trace.above and trace.above[-1].startswith(_UPSIDE_DOWN)):
        trace.pending.append(place.frame)
    else:
        draft = _under(trace)
        draft.frames.append(place.frame)
        trace.drafts.append(draft)
        trace.complete = bool(draft.type)


def _take_text(line: str, trace: _Trace) -> bool:
    """A line without a place: part of the text above, or of a message, or the end."""
    if not trace.drafts:
        trace.above.append(line)
    elif len(trace.drafts[-1].frames) == 1:
        trace.drafts[-1].message.append(line)
    else:
        return not line[:1].strip()
    return True


def _place(line: str) -> _Line | None:
    found = _PLACE.match(line)
    if found is None:
        return None
    function, quote, tail = line[found.end() :].partition("'")
    if not quote:
        return None
    frame = Frame(function=function or "?", module=found[1], line=int(found[2]))
    return _Line(frame, tail[2:] if tail.startswith(": ") else "")


def _headed(place: _Line) -> Draft:
    """`app.rb:3:in 'foo': divided by 0 (ZeroDivisionError)`."""
    message = place.head.rstrip()
    found = _TYPE.search(message, max(0, len(message) - 300))
    if found is None:
        return Draft("", [message], [place.frame])
    return Draft(found[1], [message[: found.start()].rstrip()], [place.frame])


def _under(trace: _Trace) -> Draft:
    """Rails: `ZeroDivisionError (divided by 0):`; Sidekiq: `ZeroDivisionError: divided by 0`."""
    above = trace.above
    for index in range(len(above) - 1, max(-1, len(above) - _LOOK_BACK), -1):
        rails = _RAILS.match(above[index])
        if rails is not None:
            message = rails[2].rstrip().removesuffix(":").removesuffix(")")
            draft, start = Draft(rails[1], [message], []), 0
        elif (found := headline_within(above[index])) is not None:
            start, type_, message = found
            draft = Draft(type_, [message], [])
        else:
            continue
        draft.message += above[index + 1 :]
        trace.above = [*above[:index], above[index][:start]]
        return draft
    said = [line for line in above if line.strip()][-1:]
    return Draft("", said, [])
