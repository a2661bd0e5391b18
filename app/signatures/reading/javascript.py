"""Stacks of JavaScript and TypeScript: V8, SpiderMonkey and JavaScriptCore.

V8's nested causes are those of Node's `util.inspect`.
"""

import re
from collections.abc import Sequence

import msgspec

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import MAX_ERRORS, Reading, both_ends, by_origin, inside_out
from app.signatures.reading.names import headline, headline_within
from app.signatures.reading.stacked import Draft, indent, read_head

_POSITION = re.compile(r"(.*?):(\d{1,9})(?::\d{1,9})?$", re.DOTALL)
_CAUSE = re.compile(r"\s*+(?:\[cause\]: |Caused by: |caused by: |Cause: )(.*+)", re.DOTALL)
_CODE = re.compile(r"\s++code: '([A-Z][A-Z0-9_]++)'")
_ERRORS = re.compile(r"\s*+\[?errors\]?: \[")
_NATIVE = ("<anonymous>", "native", "[native code]")


class _Node(msgspec.Struct):
    depth: int
    draft: Draft


class _Stack(msgspec.Struct):
    """Errors found so far, with the depth at which each one hangs."""

    nodes: list[_Node]
    listing: bool = False
    code: str = ""


def read(text: str) -> Reading | None:
    lines = text.split("\n")
    first = next(
        (i for i, line in enumerate(lines) if "at " in line and _v8_frame(line) is not None), None
    )
    if first is None:
        return _read_gecko(lines) if "@" in text else None
    start = next((i for i in range(first) if _is_nested(lines[i])), first)
    head = read_head(lines[:start])
    draft = head.draft
    _unbracket(draft)
    stack = _Stack([_Node(-1, draft)])
    for line in lines[start:]:
        if not _take(line, stack):
            break
    nodes = stack.nodes if head.found or draft.frames else stack.nodes[1:]
    return Reading(
        errors=tuple(
            inside_out(
                ((node.depth, node.draft.finished()) for node in both_ends(nodes, MAX_ERRORS)),
                by_origin,
            )
        ),
        language="javascript",
        before=head.before,
        truncated=not head.found,
        code=stack.code,
    )


def _is_nested(line: str) -> bool:
    return _CAUSE.match(line) is not None or _ERRORS.match(line) is not None


def _unbracket(draft: Draft) -> None:
    """Node writes an error without frames in brackets: `[AggregateError: …] {`."""
    if draft.message and draft.message[0].endswith("] {"):
        draft.message[0] = draft.message[0][:-3]


def _take(line: str, stack: _Stack) -> bool:
    """Read one more line; False where another error begins that has nothing to do with this."""
    draft = stack.nodes[-1].draft
    frame = _v8_frame(line)
    if frame is not None:
        draft.frames.append(frame)
        return True
    cause = _CAUSE.match(line)
    if cause is not None:
        depth = max(indent(line), stack.nodes[-1].depth + 1) if _is_flat(line) else indent(line)
        stack.nodes.append(_Node(depth, _draft_of(cause[1])))
    elif _ERRORS.match(line):
        stack.listing = True
    elif stack.listing and (listed := headline(line.strip())) is not None:
        stack.nodes.append(_Node(indent(line), Draft(listed[0], [listed[1]], [])))
    elif not draft.frames:
        draft.message.append(line.strip())
    elif code := _CODE.match(line):
        stack.code = stack.code or code[1]
    elif line[:1].strip() and headline_within(line) is not None:
        return False
    return True


def _is_flat(line: str) -> bool:
    return not line.lstrip().startswith("[cause]")


def _draft_of(text: str) -> Draft:
    found = headline_within(text)
    if found is None or found[0] > 1:
        return Draft("", [text], [])
    draft = Draft(found[1], [found[2]], [])
    _unbracket(draft)
    return draft


def _v8_frame(line: str) -> Frame | None:
    """`at async Foo.bar [as baz] (file:///srv/app/x.js:12:3)`, and all shorter forms of it."""
    body = line.strip()
    if not body.startswith("at "):
        return None
    body = body[3:].removesuffix(" {").removesuffix(",").removeprefix("async ").removeprefix("new ")
    function, location = "<anonymous>", body
    if body.endswith(")"):
        function, bracket, location = body[:-1].partition(" (")
        if not bracket:
            return None
        function = function.partition(" [as ")[0]
    if location.startswith("eval at "):
        location = location.rpartition(", ")[2] or location
    return _located(function, location)


def _located(function: str, location: str) -> Frame | None:
    if location in _NATIVE or location.startswith("index "):
        return Frame(function=function or "<anonymous>", module="<native>")
    found = _POSITION.match(location)
    if found is None or not found[1] or found[1][0] == " ":
        return None
    if " " in found[1] and "/" not in found[1] and "\\" not in found[1]:
        return None
    return Frame(function=function or "<anonymous>", module=found[1], line=int(found[2]))


def _read_gecko(lines: Sequence[str]) -> Reading | None:
    """Firefox and Safari: `function@url:line:column`, the message nowhere or above."""
    frames: list[Frame] = []
    above = 0
    for index, line in enumerate(lines):
        frame = _gecko_frame(line.strip())
        if frame is not None:
            frames.append(frame)
        elif not frames:
            above = index + 1
        elif line.strip():
            break
    if not frames:
        return None
    head = read_head(lines[:above])
    draft = head.draft
    draft.frames = frames
    errors: tuple[RaisedError, ...] = (draft.finished(),)
    return Reading(errors=errors, language="javascript", before=head.before)


def _gecko_frame(line: str) -> Frame | None:
    function, at, location = ("", "@", line) if line in _NATIVE else line.partition("@")
    if not at or len(function) > 300 or ": " in function:  # noqa: PLR2004 -- longer than any name
        return None
    function = function.removeprefix("async*") or "<anonymous>"
    if location in _NATIVE:
        return Frame(function=function, module="<native>")
    found = _POSITION.match(location)
    if found is None or not ("/" in found[1] or ".js" in found[1]):
        return None
    if " " in function and not function.endswith(" code"):
        return None
    return Frame(function=function, module=found[1], line=int(found[2]))
