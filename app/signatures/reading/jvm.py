"""Stack traces of Java, Kotlin, Scala and Groovy, as `Throwable.printStackTrace` writes them."""

import re
from collections.abc import Sequence

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import (
    MAX_ERRORS,
    MAX_FRAMES,
    Reading,
    both_ends,
)
from app.signatures.reading.names import headline_within
from app.signatures.reading.stacked import Draft, indent, read_head

_FRAME = re.compile(r"\s*+at ([^\s()]++)\(([^()]*+)\)")
_LOCATION = re.compile(
    r"(?=.)(?:[^\s:.]++\.(?:java|kts?|scala|groovy|cljc?)|SourceFile|R8\$\S*+|Unknown Source|)"
    r"(?::(\d{1,9}))?$|Native Method$|<(?:generated|unknown)>$",
    re.IGNORECASE,
)
_OMITTED = re.compile(r"\s*+\.\.\. (\d{1,6}) (?:more|common frames omitted)")
_CIRCULAR = "[CIRCULAR REFERENCE"
_CAUSE = re.compile(r"\s*+(?:Caused by|Wrapped by): (.*+)", re.DOTALL)


def read(text: str) -> Reading | None:
    lines = text.split("\n")
    first = next(
        (i for i, line in enumerate(lines) if "at " in line and _frame(line) is not None), None
    )
    if first is None:
        return None
    start = next((i for i in range(first) if _CAUSE.match(lines[i])), first)
    head = read_head(lines[:start])
    draft = head.draft
    drafts = _drafts(lines[start:], draft)
    if not head.found and not draft.frames:
        drafts = drafts[1:]
    errors = _restored(drafts)
    if "Wrapped by: " not in text:
        errors = errors[::-1]
    return Reading(
        errors=tuple(errors), language="jvm", before=head.before, truncated=not head.found
    )


def _frame(line: str) -> Frame | None:
    found = _FRAME.match(line)
    if found is None:
        return None
    location = _LOCATION.match(found[2])
    if location is None:
        return None
    path, _, function = _without_module(found[1]).rpartition(".")
    number = location[1]
    return Frame(function=function, module=path or "?", line=int(number) if number else None)


def _without_module(name: str) -> str:
    """`java.base/java.util.X.get` and `app//com.acme.X.get` without the loader and the module.

    The slash of a hidden class (`X$$Lambda$14/0x0000000800066840.run`) is part of its name.
    """
    head, slash, tail = name.partition("/")
    if not slash or "$" in head:
        return name
    return _without_module(tail) if tail.startswith("/") else tail.rpartition("//")[2] or tail


def _drafts(lines: Sequence[str], first: Draft) -> list[Draft]:
    drafts = [first]
    suppressed = 0
    for line in lines:
        margin = indent(line)
        if suppressed and margin >= suppressed and line.strip():
            continue
        suppressed = 0
        cause = _CAUSE.match(line)
        frame = None if cause else _frame(line)
        if frame is not None:
            drafts[-1].frames.append(frame)
        elif cause is not None and cause[1].startswith(_CIRCULAR):
            # It leads back to an error that was told above.
            continue
        elif cause is not None:
            drafts.append(_cause(cause[1]))
        elif line.startswith("Suppressed: ", margin):
            # Its frames and its own causes are indented as deeply or deeper.
            suppressed = max(margin, 1)
        elif not _continued(line, drafts[-1]):
            break
    return drafts


def _cause(text: str) -> Draft:
    found = headline_within(text)
    if found is not None and found[0] == 0:
        return Draft(found[1], [found[2]], [])
    type_, _, message = text.partition(": ")
    return Draft(type_, [message], []) if " " not in type_ else Draft("", [text], [])


def _continued(line: str, draft: Draft) -> bool:
    """Take a line that is no frame; False where another record begins."""
    omitted = _OMITTED.match(line)
    if omitted is not None:
        draft.omitted = int(omitted[1])
    elif not draft.frames:
        draft.message.append(line)
    else:
        return not line[:1].strip() or headline_within(line) is None
    return True


def _restored(drafts: Sequence[Draft]) -> list[RaisedError]:
    """Give every cause the frames that `... 12 more` spared, from the error printed above it."""
    enclosing: list[Frame] = []
    errors = []
    for draft in both_ends(drafts, MAX_ERRORS):
        if 0 < draft.omitted <= len(enclosing):
            draft.frames += enclosing[-draft.omitted :]
        enclosing = draft.frames[-MAX_FRAMES:]
        errors.append(draft.finished())
    return errors
