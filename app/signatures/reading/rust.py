"""Panics of Rust, before and after 1.73, with or without a backtrace; chains of anyhow."""

import re
from collections.abc import Sequence

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import Reading, raised

_PANIC = re.compile(r"thread '?(?:[^'\n]*+)'?(?: \(\d++\))? panicked at ")
_NEW_PLACE = re.compile(r"([^\s:][^:\n]*+):(\d{1,9}):\d{1,9}:?$")
_OLD_PLACE = re.compile(r", ([^\s:,][^:,\n]*+):(\d{1,9}):\d{1,9}$")
_CALL = re.compile(r"\s*+\d{1,6}: (?:\s*+0x[0-9a-f]++ - )?(.*+)$")
_AT = re.compile(r"\s++at ([^\n]*?):(\d{1,9})(?::\d{1,9})?$")
_HASH = re.compile(r"::h[0-9a-f]{16}$")
_NUMBERED = re.compile(r"\s++\d{1,4}: (.*+)$")
_MACHINERY = (
    "rust_begin_unwind",
    "__rustc::",
    "__rust",
    "core::panicking::",
    "std::panicking::",
    "std::panic",
    "std::sys::backtrace",
    "std::sys_common::backtrace",
    "std::backtrace",
    "<std::",
    "anyhow::",
    "core::result::unwrap_failed",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "<alloc::boxed::Box",
)


def read(text: str) -> Reading | None:
    lines = text.split("\n")
    if "panicked at" in text:
        for index, line in enumerate(lines):
            found = _PANIC.search(line) if "panicked at " in line else None
            if found is not None:
                return _read_panic(lines, index, found)
    for index, line in enumerate(lines):
        if line == "Caused by:" and index:
            return _read_chain(lines, index)
    return None


def _read_panic(lines: Sequence[str], index: int, found: re.Match[str]) -> Reading:
    head = lines[index][found.end() :].strip()
    new = _NEW_PLACE.match(head)
    end = _end_of_message(lines, index + 1)
    following = lines[index + 1 : end]
    path, number, message = (
        (new[1], int(new[2]), following) if new is not None else _old_style([head, *following])
    )
    frames = _backtrace(lines, end)
    if not frames and path:
        frames = [Frame(function="?", module=path, line=number)]
    error = raised("panic", "\n".join(message).strip(), frames)
    before = "\n".join([*lines[:index], lines[index][: found.start()]]).strip()
    return Reading(errors=(error,), language="rust", before=before)


def _old_style(lines: Sequence[str]) -> tuple[str, int | None, list[str]]:
    """`'message', src/main.rs:3:5`, where the message may have many lines."""
    for index, line in enumerate(lines):
        comma = line.rfind(", ")
        place = _OLD_PLACE.match(line, comma) if comma >= 0 else None
        if place is not None:
            said = "\n".join([*lines[:index], line[: place.start()]])
            return place[1], int(place[2]), [said.removeprefix("'").removesuffix("'")]
    return "", None, list(lines)


def _end_of_message(lines: Sequence[str], start: int) -> int:
    for index in range(start, len(lines)):
        if lines[index].startswith(("note: ", "stack backtrace:", "thread '")):
            return index
    return len(lines)


def _backtrace(lines: Sequence[str], start: int) -> list[Frame]:
    """Outermost first, without the calls that only carry the panic out."""
    frames: list[Frame] = []
    for line in lines[start:]:
        call = _CALL.match(line)
        place = _AT.match(line) if call is None and frames else None
        if call is not None:
            name = _HASH.sub("", call[1].strip())
            frames.append(Frame(function=name or "?", module=_crate(name)))
        elif place is not None:
            told = frames[-1]
            frames[-1] = Frame(function=told.function, module=place[1], line=int(place[2]))
        elif frames:
            break
    first = 0
    while first < len(frames) and frames[first].function.startswith(_MACHINERY):
        first += 1
    return (frames[first:] or frames)[::-1]


def _crate(name: str) -> str:
    return name.lstrip("<&").partition("::")[0] or "?"


def _read_chain(lines: Sequence[str], index: int) -> Reading | None:
    """anyhow and eyre: the outermost error, `Caused by:`, then ever deeper ones."""
    head = [line for line in lines[:index] if line.strip()]
    causes, end = _causes(lines, index + 1)
    if not head or not causes:
        return None
    outermost = head[-1].strip()
    type_, colon, message = outermost.partition(": ")
    if not colon or type_ not in {"Error", "error"}:
        type_, message = "", outermost
    errors = [raised(type_, message), *(raised("", cause) for cause in causes)]
    start = next((i for i in range(end, len(lines)) if "ack backtrace:" in lines[i]), len(lines))
    root = errors[-1]
    errors[-1] = RaisedError(
        type=root.type, message=root.message, frames=tuple(_backtrace(lines, start + 1))
    )
    return Reading(
        errors=tuple(reversed(errors)), language="rust", before="\n".join(head[:-1]).strip()
    )


def _causes(lines: Sequence[str], start: int) -> tuple[list[str], int]:
    causes: list[str] = []
    for index in range(start, len(lines)):
        line = lines[index]
        if not line[:1].isspace():
            if causes:
                return causes, index
            continue
        found = _NUMBERED.match(line)
        if found is not None:
            causes.append(found[1])
        elif causes:
            causes[-1] += "\n" + line.strip()
        else:
            causes.append(line.strip())
    return causes, len(lines)
