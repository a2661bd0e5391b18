"""What JavaScript, the JVM and .NET share: a headline, then `at` lines, the origin first."""

import re
from collections.abc import Sequence

import msgspec

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import MAX_LINE, raised
from app.signatures.reading.names import headline_within

_ANY_NAME = re.compile(r"(?:Uncaught )?([A-Z_a-z][\w.$+]*+)(?:: (.*+))?$", re.DOTALL)
_ANNOUNCEMENT = re.compile(
    r"(?i:\buncaught\b[^:]*|\bunhandled ?\w*\.?|exception in thread .*|caused by)$"
)
_LOOK_BACK = 200
"""Lines of a message that stand between the name of an exception and its first frame."""


class Draft(msgspec.Struct):
    """An error that is still being read."""

    type: str
    message: list[str]
    frames: list[Frame]
    """Origin first, as they are written."""
    omitted: int = 0
    """Frames that this error shares with the one that it caused."""

    def finished(self) -> RaisedError:
        return raised(self.type, "\n".join(self.message).strip(), self.frames[::-1])


class Head(msgspec.Struct, frozen=True):
    """What stands above the first frame."""

    draft: Draft
    before: str
    found: bool


def read_head(lines: Sequence[str]) -> Head:
    """The headline nearest above the first frame; the lines between belong to its message."""
    index = _headline_index(lines)
    found = headline_within(lines[index]) if index >= 0 else None
    if found is None:
        return _unusual_head(lines)
    start, type_, message = found
    before = _before(lines[:index], lines[index][:start])
    message_lines = [message, *_without_excerpt(lines[index + 1 :])]
    return Head(Draft(type_, message_lines, []), before, found=True)


def _without_excerpt(lines: Sequence[str]) -> list[str]:
    """Deno shows the line of source that threw, and a mark below it."""
    last = next((i for i in range(len(lines) - 1, -1, -1) if lines[i].strip()), -1)
    if last > 0 and not lines[last].strip(" ~^") and lines[last - 1][:1].isspace():
        return list(lines[: last - 1])
    return list(lines)


def _headline_index(lines: Sequence[str]) -> int:
    """An indented line that names an exception is rather part of another one's message."""
    indented = -1
    for index in range(len(lines) - 1, max(0, len(lines) - _LOOK_BACK) - 1, -1):
        if headline_within(lines[index]) is None:
            continue
        if not lines[index][:1].isspace():
            return index
        indented = index if indented < 0 else indented
    return indented


def _unusual_head(lines: Sequence[str]) -> Head:
    """An exception whose name does not say that it is one."""
    last = lines[-1].strip() if lines else ""
    found = _ANY_NAME.match(last[:MAX_LINE])
    if found is None or (found[2] is None and " " in last):
        return Head(Draft("", [], []), "\n".join(lines).strip(), found=False)
    message = last[found.start(2) :] if found[2] is not None else ""
    return Head(Draft(found[1], [message], []), _before(lines[:-1], ""), found=True)


def _before(lines: Sequence[str], head: str) -> str:
    """The log message above; neither an interpreter's excerpt nor its `Unhandled exception`."""
    text = "\n".join(line for line in lines).strip()
    if text.endswith("^"):
        text = ""
    head = head.strip(" -:[(\t")
    if _ANNOUNCEMENT.search(head[-80:]):
        head = ""
    return f"{text}\n{head}".strip() if head else text


def indent(line: str) -> int:
    return len(line) - len(line.lstrip())
