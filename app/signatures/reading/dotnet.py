"""Stack traces of .NET, as `Exception.ToString` writes them."""

import re
from collections.abc import Sequence

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import MAX_ERRORS, Reading, both_ends
from app.signatures.reading.names import headline_within
from app.signatures.reading.stacked import Draft, read_head

_FRAME = re.compile(r"\s*+at ([^\s(][^(]*+)\(([^()]*+(?:\([^()]*+\)[^()]*+)*+)\)(.*+)$", re.DOTALL)
_FILE = re.compile(r".*:(?:line )?(\d{1,9})$", re.DOTALL)
_STATE_MACHINE = re.compile(r"(.*?)\.?<([^<>]++)>d(?:__\d++)?(?:`\d++)?(?:\[[^\]]*+\])?\.MoveNext$")
_END = "--- End of inner exception stack trace ---"
_NUMBERED = re.compile(r"\s*+---> \(Inner Exception #(\d++)\) ")
_ARROW = re.compile(r"\s*+---> ")


def read(text: str) -> Reading | None:
    lines = text.split("\n")
    first = next(
        (i for i, line in enumerate(lines) if "at " in line and _frame(line) is not None), None
    )
    if first is None:
        return None
    start = next((i for i in range(first) if _ARROW.match(lines[i])), first)
    head = read_head(_unarrowed(lines[:start]))
    nested = [line for line in lines[:start] if " ---> " in line]
    rest = [part for line in nested for part in _arrows(line)[1:]]
    errors = _errors([*rest, *lines[start:]], head.draft)
    return Reading(
        errors=tuple(errors),
        language="dotnet",
        before=head.before,
        truncated=not head.found or text.count(_END) < text.count("\n ---> ") // 2,
    )


def _arrows(line: str) -> list[str]:
    """.NET Framework tells the whole chain in one line: `A: a ---> B: b ---> C: c`."""
    first, *rest = line.split(" ---> ")
    return [first, *(f" ---> {part}" for part in rest)]


def _unarrowed(lines: Sequence[str]) -> list[str]:
    return [line.partition(" ---> ")[0] for line in lines]


def _frame(line: str) -> Frame | None:
    found = _FRAME.match(line)
    if found is None:
        return None
    name, arguments, tail = found[1].rstrip(), found[2], found[3].strip()
    if any(mark in arguments for mark in ":/<") and "`" not in arguments:
        return None
    if not tail.startswith("[0x" if found[1].endswith(" ") else ("in ", "[")) and (
        tail or found[1].endswith(" ")
    ):
        return None
    if "." not in name and not name.startswith("lambda_method"):
        return None
    module, function = _method(name)
    if " " in module:
        return None
    number = _FILE.match(tail)
    return Frame(function=function, module=module, line=int(number[1]) if number else None)


def _method(name: str) -> tuple[str, str]:
    """(class, method): the method that was written, not the state machine made of it."""
    machine = _STATE_MACHINE.match(name)
    if machine is not None:
        return machine[1] or "?", machine[2]
    if name.endswith(("..ctor", "..cctor")):
        module, _, function = name.rpartition("..")
        return module, "." + function
    module, _, function = name.partition("[")[0].rpartition(".")
    return module or "?", function


def _errors(lines: Sequence[str], outermost: Draft) -> list[RaisedError]:
    """Inner exceptions are opened from outside in and closed from inside out: a stack."""
    told: list[RaisedError] = []
    opened = [outermost]
    repeated = False
    for line in lines:
        numbered = _NUMBERED.match(line)
        if numbered is not None:
            # The first of an AggregateException was already told as its inner exception.
            repeated = int(numbered[1][:9]) == 0 and bool(told)
            opened.append(_inner(line[numbered.end() :]))
        elif _ARROW.match(line):
            opened.append(_inner(line.strip()[5:]))
        elif _END in line:
            if len(opened) > 1:
                told.append(opened.pop().finished())
        else:
            _take(line, opened[-1])
        if line.endswith("<---") and len(opened) > 1:
            closed = opened.pop().finished()
            if not repeated:
                told.append(closed)
            repeated = False
    told += [draft.finished() for draft in reversed(both_ends(opened, MAX_ERRORS))]
    return told


def _take(line: str, draft: Draft) -> None:
    frame = _frame(line.removesuffix("<---"))
    if frame is not None:
        draft.frames.append(frame)
    elif not draft.frames and not line.lstrip().startswith("---"):
        draft.message.append(line)


def _inner(text: str) -> Draft:
    found = headline_within(text)
    if found is not None and found[0] == 0:
        return Draft(found[1], [found[2]], [])
    type_, colon, message = text.partition(": ")
    return Draft(type_, [message], []) if colon and " " not in type_ else Draft("", [text], [])
