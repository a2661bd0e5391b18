"""Errors of Python, from 2.7 to the carets and groups of 3.11 and later."""

import re
from collections.abc import Sequence

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import Reading, by_origin, inside_out, raised
from app.signatures.reading.names import headline_within, is_exception_name
from app.signatures.reading.tracebacks import (
    CAUSE,
    CONTEXT,
    HEADER,
    Causes,
    Chain,
    bare_exception,
    line_number,
    read_chain,
)

_BAR = re.compile(r"( *+)([|+])(.*+)$", re.DOTALL)
_CHILD = re.compile(r"(?:-\+)?-{4,}+ (?:\d++|\.\.\.) -{4,}+$")
_WARNING = re.compile(r"(?:.*?[\s(])??([^\s:]+\.py):(\d++): (\w++): (.*+)")


def read(text: str) -> Reading | None:
    if "Exception Group " + HEADER in text or "+-----" in text:
        chain = _read_groups(text.split("\n"))
    else:
        chain = read_chain(text)
    if not any(error.type or error.frames for error in chain.errors):
        return None
    if len(chain.errors) == 1 and not chain.errors[0].type:
        chain = _headed(chain)
    return Reading(
        errors=chain.errors,
        language="python",
        before=_without_remote(chain.before),
        truncated=chain.truncated,
        contexts=chain.contexts,
    )


def _headed(chain: Chain) -> Chain:
    """AWS Lambda tells type and message above the traceback, and not again below it."""
    above, _, last = chain.before.rpartition("\n")
    found = headline_within(last)
    if found is None:
        return chain
    error = raised(found[1], found[2], chain.errors[0].frames)
    return Chain(((error,),), above)


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
    frame = Frame(function="?", module=found[1], line=line_number(found[2]))
    return Reading(errors=(raised(found[3], found[4].strip(), (frame,)),), language="python")


def _is_group_edge(line: str) -> bool:
    found = _BAR.match(line)
    if found is None or found[2] != "+":
        return False
    return "Exception Group " + HEADER in line or _CHILD.match(found[3]) is not None


def _read_groups(lines: Sequence[str]) -> Chain:
    """Exception groups: a tree drawn with bars, its leaves the causes of its root."""
    handled: list[list[RaisedError]] = [[]]
    before, truncated = "", False
    tree: list[tuple[int, Causes]] = []
    for depth, segment in _segments(lines):
        chain = _read_segment(segment, grouped=depth >= 0)
        if depth < 0:
            handled[-1] += _flattened(tree)
            before = before or (chain.before if not any(handled) or chain.errors else "")
            first, *rest = chain.handled
            handled[-1] += first
            handled += map(list, rest)
            tree = []
        else:
            tree.append((depth, chain.errors))
        truncated = truncated or chain.truncated
    handled[-1] += _flattened(tree)
    return Chain(tuple(map(tuple, handled)), before, truncated)


def _flattened(tree: list[tuple[int, Causes]]) -> list[RaisedError]:
    return [error for errors in inside_out(tree, _order) for error in errors]


def _order(errors: Causes) -> tuple[str, ...]:
    return by_origin(errors[0]) if errors else ()


def _read_segment(lines: list[str], *, grouped: bool) -> Chain:
    chain = read_chain("\n".join(lines), grouped=True)
    if chain.errors or (not grouped and len(chain.handled) > 1):
        return chain
    if not grouped:
        return Chain(((),), "\n".join(lines).strip())
    error = bare_exception(lines).error
    return Chain(((error,),)) if error else chain


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
