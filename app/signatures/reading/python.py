"""Tracebacks of Python, from 2.7 to the carets and groups of 3.11 and later.

The format is that of `traceback.TracebackException.format` and of `faulthandler`.
"""

import re
from collections.abc import Sequence

import msgspec

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import Reading, inside_out, raised
from app.signatures.reading.names import headline, headline_within, is_exception_name

HEADER = "Traceback (most recent call last)"
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"

_FRAME = re.compile(r'\s*+(?:> )?File "([^"]*+)", line (\d++)(?:,? in (.*+))?')
_FRAMES = re.compile(r'  File "([^"]*+)", line ([0-9]{1,9}+)(?:, in (.*+))?\n(?:     *+(.*+)\n)?')
_MARGIN = re.compile(r"\n(?=[^ \n])")
"""The first line that is not indented: where a traceback tells its exception."""
_LINK = re.compile(rf"^ *+(?:{re.escape(CAUSE)}|{re.escape(CONTEXT)})$", re.MULTILINE)
_TYPE = re.compile(r"([^\W\d][\w.<>]*+)(?::(?:\s(.*+))?)?$", re.DOTALL)
_BAR = re.compile(r"( *+)([|+])(.*+)$", re.DOTALL)
_CHILD = re.compile(r"(?:-\+)?-{4,}+ (?:\d++|\.\.\.) -{4,}+$")
_CLOCK = re.compile(r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d")
_END = re.compile(r"""["')\]}]*+$|"[,}]""")
"""What a string that held the traceback ends with."""
_FATAL = re.compile(r"Fatal Python error: (.*+)")
_WARNING = re.compile(r"(?:.*?[\s(])??([^\s:]+\.py):(\d++): (\w++): (.*+)")


class _Chain(msgspec.Struct, frozen=True):
    errors: tuple[RaisedError, ...]
    before: str = ""
    truncated: bool = False


class _Block(msgspec.Struct, frozen=True):
    """One exception and where its text ended."""

    error: RaisedError | None
    before: str = ""
    truncated: bool = False


def read(text: str) -> Reading | None:
    if "Exception Group " + HEADER in text or "+-----" in text:
        chain = _read_groups(text.split("\n"))
    else:
        chain = _read_chain(text)
    if not any(error.type or error.frames for error in chain.errors):
        return None
    if len(chain.errors) == 1 and not chain.errors[0].type:
        chain = _headed(chain)
    return Reading(
        errors=chain.errors,
        language="python",
        before=_without_remote(chain.before),
        truncated=chain.truncated,
    )


def _headed(chain: _Chain) -> _Chain:
    """AWS Lambda tells type and message above the traceback, and not again below it."""
    above, _, last = chain.before.rpartition("\n")
    found = headline_within(last)
    if found is None:
        return chain
    error = raised(found[1], found[2], chain.errors[0].frames)
    return _Chain((error,), above)


def _without_remote(before: str) -> str:
    """A process pool tells its worker's traceback as the message of a cause of its own."""
    quoted = before.removesuffix('"""')
    if quoted is before:
        return before
    above, _, last = quoted.rstrip().rpartition("\n")
    return above if last.endswith("RemoteTraceback:") else before


def read_warning(line: str) -> Reading | None:
    """`warnings.showwarning`: `path.py:12: DeprecationWarning: …`."""
    found = _WARNING.match(line)
    if found is None or not is_exception_name(found[3]):
        return None
    frame = Frame(function="?", module=found[1], line=_number(found[2]))
    return Reading(errors=(raised(found[3], found[4].strip(), (frame,)),), language="python")


def _read_chain(text: str, *, grouped: bool = False) -> _Chain:
    """Blocks joined by the two connecting sentences, which Python prints root cause first."""
    if "above exception" not in text:
        block = _read_block(text, linked=False)
        return _Chain((block.error,) if block.error else (), block.before, block.truncated)
    blocks = [_read_block(part, linked=True) for part in _LINK.split(text)]
    return _Chain(
        tuple(block.error for block in blocks if block.error),
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
    return _bare_exception(lines) if linked else _Block(None)


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
            if line[:1] not in {" ", "\t"} and not _blank_inside(lines, index):
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
                line=_number(number),
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


def _number(digits: str) -> int | None:
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
        if HEADER in line or _END.match(line) or _CLOCK.match(line):
            break
        said.append(line)
    return "\n".join(said).strip()


def _bare_exception(lines: Sequence[str]) -> _Block:
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


def _is_group_edge(line: str) -> bool:
    found = _BAR.match(line)
    if found is None or found[2] != "+":
        return False
    return "Exception Group " + HEADER in line or _CHILD.match(found[3]) is not None


def _read_groups(lines: Sequence[str]) -> _Chain:
    """Exception groups: a tree drawn with bars, its leaves the causes of its root."""
    errors: list[RaisedError] = []
    before, truncated = "", False
    tree: list[tuple[int, tuple[RaisedError, ...]]] = []
    for depth, segment in _segments(lines):
        chain = _read_segment(segment, grouped=depth >= 0)
        if depth < 0:
            errors += _flattened(tree)
            errors += chain.errors
            tree = []
            before = before or (chain.before if not errors or chain.errors else "")
        else:
            tree.append((depth, chain.errors))
        truncated = truncated or chain.truncated
    errors += _flattened(tree)
    return _Chain(tuple(errors), before, truncated)


def _flattened(tree: list[tuple[int, tuple[RaisedError, ...]]]) -> list[RaisedError]:
    return [error for errors in inside_out(tree) for error in errors]


def _read_segment(lines: list[str], *, grouped: bool) -> _Chain:
    chain = _read_chain("\n".join(lines), grouped=True)
    if chain.errors or not grouped:
        return chain if chain.errors else _Chain((), "\n".join(lines).strip())
    error = _bare_exception(lines).error
    return _Chain((error,)) if error else chain


def _segments(lines: Sequence[str]) -> list[tuple[int, list[str]]]:
    """(column of the bar, the lines behind it); column -1 for the lines outside of any group."""
    segments: list[tuple[int, list[str]]] = [(-1, [])]
    inside = False
    for line in lines:
        found = _BAR.match(line)
        column = len(found[1]) if found else -1
        if found is None or (found[2] == "|" and not inside and column < 0):
            if inside and line and not line.startswith((" ", CAUSE, CONTEXT)):
                # Up to 3.12 the later lines of a message lose their bar.
                segments[-1][1].append(line)
            else:
                inside = False
                _segment_at(segments, -1).append(line)
        elif found[2] == "|":
            inside = True
            _segment_at(segments, column).append(found[3][1:])
        elif found[3].startswith((" Exception Group", " " + HEADER)):
            inside = True
            segments.append((column, [HEADER + ":"]))
        elif _CHILD.match(found[3]):
            inside = True
            child = column + 2 if found[3].startswith("-+") else column
            segments.append((child, []))
        else:
            inside = False
    return segments


def _segment_at(segments: list[tuple[int, list[str]]], column: int) -> list[str]:
    if segments[-1][0] != column:
        segments.append((column, []))
    return segments[-1][1]
