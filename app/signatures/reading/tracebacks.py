"""One traceback of Python, or several joined by causes and contexts.

The format is that of `traceback.TracebackException.format` and of `faulthandler`.
"""

import re
from collections.abc import Sequence

import msgspec

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import raised
from app.signatures.reading.names import NEXT_RECORD, headline

HEADER = "Traceback (most recent call last)"
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"

_FRAME = re.compile(r'\s*+(?:> )?File "([^"]*+)", line (\d++)(?:,? in (.*+))?')
_FRAMES = re.compile(r'  File "([^"]*+)", line ([0-9]{1,9}+)(?:, in (.*+))?\n(?:     *+(.*+)\n)?')
_MARGIN = re.compile(r"\n(?=[^ \n])")
"""The first line that is not indented: where a traceback tells its exception."""
_LINK = re.compile(rf"^ *+({re.escape(CAUSE)}|{re.escape(CONTEXT)})$", re.MULTILINE)
_TYPE = re.compile(r"([^\W\d][\w.<>]*+)(?::(?:\s(.*+))?)?$", re.DOTALL)
_END = re.compile(r"""["')\]}]*+$|"[,}]""")
"""What a string that held the traceback ends with."""
_FATAL = re.compile(r"Fatal Python error: (.*+)")


Causes = tuple[RaisedError, ...]
"""Errors of which each is the direct cause of the next."""


class Chain(msgspec.Struct, frozen=True):
    handled: tuple[Causes, ...]
    """As Python tells them: each was being handled when the next was raised. May be empty."""
    before: str = ""
    truncated: bool = False

    @property
    def errors(self) -> Causes:
        """The root first of what was raised last; what was merely being handled behind it."""
        return tuple(error for causes in reversed(self.handled) for error in causes)

    @property
    def contexts(self) -> int:
        """How many errors at the end of `errors` were merely being handled."""
        last = next((causes for causes in reversed(self.handled) if causes), ())
        return sum(map(len, self.handled)) - len(last)


class _Block(msgspec.Struct, frozen=True):
    """One exception and where its text ended."""

    error: RaisedError | None
    before: str = ""
    truncated: bool = False


def read_chain(text: str, *, grouped: bool = False) -> Chain:
    """Blocks joined by the two connecting sentences, which Python prints root cause first."""
    if "above exception" not in text:
        block = _read_block(text, linked=False)
        return Chain(((block.error,) if block.error else (),), block.before, block.truncated)
    parts = _LINK.split(text)
    blocks = [_read_block(part, linked=True) for part in parts[::2]]
    handled: list[list[RaisedError]] = [[]]
    for link, block in zip(("", *parts[1::2]), blocks, strict=True):
        if link == CONTEXT:
            handled.append([])
        if block.error:
            handled[-1].append(block.error)
    return Chain(
        tuple(map(tuple, handled)),
        blocks[0].before,
        any(block.truncated for block in blocks)
        or not (grouped or (blocks[0].error and blocks[-1].error)),
    )


def _read_block(text: str, *, linked: bool) -> _Block:
    header = text.find(HEADER)
    if header >= 0 and text.startswith(':\n  File "', header + len(HEADER)):
        return _read_canonical(text, header)
    lines = text.split("\n")
    if header >= 0 or '", line ' in text:
        for index, line in enumerate(lines):
            column = line.find(HEADER)
            if column >= 0:
                return _after_header(lines, index, column)
            if '", line ' in line and _FRAME.match(line):
                return _without_header(lines, index)
            if "(most recent call first)" in line:
                return _read_fatal(lines, index)
    return bare_exception(lines) if linked else _Block(None)


def _read_canonical(text: str, header: int) -> _Block:
    """The fast way, for a traceback as the interpreter wrote it, with every indent in place."""
    start = header + len(HEADER) + 2
    margin = _MARGIN.search(text, start)
    end = margin.start() + 1 if margin else len(text)
    frames = [
        Frame(
            function=function or "<module>",
            module=path or "?",
            line=int(number),
            source=source.rstrip() or None,
        )
        for path, number, function, source in _FRAMES.findall(text, start, end)
    ]
    before = text[:header].strip() if header else ""
    lines = text[end:].split("\n") if margin else []
    error, complete = _named(lines, 0, frames)
    return _Block(error, before, not complete)


def _after_header(lines: Sequence[str], index: int, column: int) -> _Block:
    head = lines[index][:column].removesuffix("Exception Group ").removesuffix("+ ")
    if head and not head.strip():
        lines, index = _dedented(lines[index:], len(head)), 0
        head = ""
    error, complete = _frames_and_type(lines, index + 1)
    before = "\n".join((*lines[:index], head)).strip()
    return _Block(error, before, not complete)


def _dedented(lines: Sequence[str], width: int) -> list[str]:
    return [line[width:] if not line[:width].strip() else line for line in lines]


def _without_header(lines: Sequence[str], index: int) -> _Block:
    """The head was cut off; or a `SyntaxError`, which some loggers print from its `File` line."""
    margin = len(lines[index]) - len(lines[index].lstrip())
    shifted = _dedented(lines[index:], margin - 2) if margin > 2 else lines[index:]  # noqa: PLR2004 -- a frame's own indent
    error, _ = _frames_and_type(shifted, 0)
    return _Block(error, truncated=error.type != "SyntaxError" or len(error.frames) > 1)


def _frames_and_type(lines: Sequence[str], start: int) -> tuple[RaisedError, bool]:
    frames, index = _read_frames(lines, start)
    return _named(lines, index, frames)


def _named(lines: Sequence[str], index: int, frames: Sequence[Frame]) -> tuple[RaisedError, bool]:
    """The error whose name should stand on this line, and whether it stands there."""
    found = _TYPE.match(lines[index]) if index < len(lines) else None
    if found is None:
        return raised("", "", frames), False
    message = _message(found[2] or "", lines, index + 1)
    return raised(found[1], message, frames), True


def _read_frames(lines: Sequence[str], start: int) -> tuple[list[Frame], int]:
    """The frames from `start` on, and the line on which the exception's name should stand."""
    frames: list[Frame] = []
    index, end = start, len(lines)
    while index < end:
        line = lines[index]
        found = _FRAME.match(line)
        if found is None:
            if (
                line[:1] not in {" ", "\t"}
                and not _blank_inside(lines, index)
                and not (frames and line and not line.strip("~^ "))
            ):
                break
            index += 1
            continue
        path, number, function = found.groups()
        index += 1
        source = None
        if index < end and (lines[index][:4] == "    " or _is_flat_source(lines, index, line)):
            source = lines[index].strip()
            index += 1
        frames.append(
            Frame(
                function=function or "<module>",
                module=path or "?",
                line=line_number(number),
                source=source,
            )
        )
    return frames, index


def _blank_inside(lines: Sequence[str], index: int) -> bool:
    following = lines[index + 1] if index + 1 < len(lines) else ""
    return not lines[index] and following[:1] in {" ", "\t"}


def _is_flat_source(lines: Sequence[str], index: int, frame: str) -> bool:
    """Whether a line is source although a shipper ate every indent."""
    if frame[:1] in {" ", "\t"} or _FRAME.match(lines[index]):
        return False
    if index + 1 < len(lines) and _FRAME.match(lines[index + 1]):
        return True
    found = headline(lines[index])
    return found is None


def line_number(digits: str) -> int | None:
    # More digits than a line number ever has: int() would refuse above 4,300 of them.
    return int(digits) if len(digits) < 10 else None  # noqa: PLR2004


def _message(first: str, lines: Sequence[str], start: int) -> str:
    """The message's lines: up to the first empty one, the next log line or the next traceback."""
    said = [first] if first.strip() else []
    for line in lines[start:]:
        if not line.strip():
            if said:
                break
            continue
        if HEADER in line or _END.match(line) or NEXT_RECORD.match(line):
            break
        said.append(line)
    return "\n".join(said).strip()


def bare_exception(lines: Sequence[str]) -> _Block:
    """An exception that was never raised has no traceback: only its last paragraph."""
    paragraph: list[str] = []
    before = 0
    for index, line in enumerate(lines):
        if not line.strip():
            before = index
            continue
        if before == index - 1 or not paragraph:
            found = headline(line)
            if found is not None:
                return _Block(
                    raised(found[0], _message(found[1], lines, index + 1)),
                    "\n".join(lines[:index]).strip(),
                )
        paragraph.append(line)
    return _Block(None)


def _read_fatal(lines: Sequence[str], index: int) -> _Block:
    """`faulthandler`: the one format of Python that tells the origin first."""
    frames, _ = _read_frames(lines, index + 1)
    cause = ""
    for line in lines[:index]:
        found = _FATAL.search(line)
        cause = found[1] if found else cause
    if not frames:
        return _Block(None)
    return _Block(raised("Fatal Python error" if cause else "", cause, frames[::-1]))
