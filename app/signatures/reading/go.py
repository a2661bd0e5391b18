"""Panics of Go, the stacks of `debug.Stack`, zap and pkg/errors, and chains wrapped with `%w`."""

import re
from collections.abc import Sequence

import msgspec

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import MAX_ERRORS, Reading, both_ends, raised

_PANIC = re.compile(r"\s*+(panic|fatal error): (.*+)", re.DOTALL)
_SERVING = re.compile(r"\bpanic (?:serving [^ ]{1,100}|recovered):(?: |$)(.*+)", re.DOTALL)
_SIGNAL = re.compile(r"\[signal (SIG[A-Z]++)")
_FILE = re.compile(r"\s++(\S.*?\.(?:go|s)):(\d{1,9})(?: \+0x[0-9a-f]++)?$")
_GOROUTINE = re.compile(r"goroutine \d++ (?:gp=\S++ m=\S++ (?:mp=\S++ )?)?\[")
_RECOVERED = re.compile(r" \[recovered(?:, repanicked)?\]$")
_GIN = re.compile(r"(\S+\.go):(\d{1,9}) \(0x[0-9a-f]++\)$")
_MARKS = ("goroutine ", "panic: runtime error: ", " [recovered", "[signal SIG", "fatal error: all")
"""What tells a panic of Go from prose, when no frame is left of it."""
_MACHINERY = ("panic", "runtime.gopanic", "runtime/debug.Stack", "runtime/debug.PrintStack")
_MAX_WRAPS = 8
_MAX_WRAP = 200


class _Part(msgspec.Struct):
    """Lines of a message and the frames below it."""

    message: list[str]
    frames: list[Frame]


def read(text: str) -> Reading | None:
    lines = text.split("\n")
    panics, start = _panics(lines)
    parts = _parts(lines[start:])
    frames = next((part.frames for part in parts if part.frames), [])
    if panics:
        return _read_panic(text, panics, frames, before="\n".join(lines[: panics[0][0]]))
    if not frames:
        return None
    if any(_GOROUTINE.match(line) for line in lines):
        first = parts[0].message if parts[0].frames else []
        said = "\n".join(line for line in first if not _GOROUTINE.match(line)).strip()
        errors: tuple[RaisedError, ...] = (raised("", said, _origin_last(frames)),)
    else:
        errors = _wrapped_parts(parts)
    return Reading(errors=errors, language="go")


def wrapped(message: str) -> tuple[RaisedError, ...]:
    """`charge: dial tcp: connection refused` unwrapped as `errors.Unwrap` would, root first.

    Every error's message holds those of its causes; Go tells no types.
    """
    parts = message.split(": ") if "\n" not in message else [message]
    if len(parts) > _MAX_WRAPS or any(not part or len(part) > _MAX_WRAP for part in parts):
        return (raised("", message),)
    return tuple(raised("", ": ".join(parts[i:])) for i in range(len(parts) - 1, -1, -1))


def _panics(lines: Sequence[str]) -> tuple[list[tuple[int, str, str]], int]:
    """(line, kind, message) of every panic in a row, and where the stack begins."""
    panics: list[tuple[int, str, str]] = []
    for index, line in enumerate(lines):
        found = _PANIC.match(line)
        serving = None if found or panics else _SERVING.search(line)
        if found is not None:
            panics.append((index, found[1], _RECOVERED.sub("", found[2])))
        elif serving is not None:
            panics.append((index, "panic", serving[1]))
        elif _GOROUTINE.match(line):
            return panics, index + 1 if panics else 0
        elif panics and _GIN.match(line):
            return panics, index
        elif panics and line.strip() and not line.startswith(("[", "\t")):
            index_, kind, message = panics[-1]
            panics[-1] = (index_, kind, f"{message}\n{line}" if len(message) < _CAP else message)
    return panics, panics[-1][0] + 1 if panics else 0


_CAP = 8_192


def _read_panic(
    text: str, panics: Sequence[tuple[int, str, str]], frames: Sequence[Frame], *, before: str
) -> Reading | None:
    if not frames and not any(mark in text for mark in _MARKS):
        return None
    errors = [_panic(kind, message) for _, kind, message in both_ends(panics, MAX_ERRORS)]
    errors[0] = msgspec.structs.replace(errors[0], frames=_origin_last(frames))
    signal = _SIGNAL.search(text)
    return Reading(
        errors=tuple(errors),
        language="go",
        before=before.strip(),
        truncated=not frames,
        code=signal[1] if signal else "",
    )


def _panic(kind: str, message: str) -> RaisedError:
    if message.startswith("runtime error: "):
        return raised("runtime error", message[len("runtime error: ") :].strip())
    return raised(kind, message.strip())


def _parts(lines: Sequence[str]) -> list[_Part]:
    """The first goroutine only: the others wait, they did not fail."""
    parts = [_Part([], [])]
    index = 0
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        place = _FILE.match(following) if line[:1].strip() else None
        gin = _GIN.match(line) if place is None else None
        if place is not None:
            parts[-1].frames.append(_frame(line, place[1], place[2]))
        elif gin is not None and following[:1] == "\t":
            function, _, source = following.strip().partition(": ")
            parts[-1].frames.append(
                msgspec.structs.replace(_frame(function, gin[1], gin[2]), source=source)
            )
        else:
            if parts[-1].frames and (_GOROUTINE.match(line) or line.startswith("exit status")):
                break
            if line.strip() and not line.startswith("..."):
                if parts[-1].frames:
                    parts.append(_Part([], []))
                parts[-1].message.append(line)
            index += 1
            continue
        index += 2
    return parts


def _frame(call: str, path: str, number: str) -> Frame:
    name = call.removeprefix("created by ").partition(" in goroutine ")[0]
    if name.endswith(")"):
        name = name[: name.rfind("(")] or name
    folder, slash, last = name.rpartition("/")
    package, _, function = last.partition(".")
    return Frame(
        function=function or last or "?",
        module=(folder + slash + package if function else path) or "?",
        line=int(number),
    )


def _qualified(frame: Frame) -> str:
    return f"{frame.module}.{frame.function}"


def _origin_last(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Outermost first, without the calls that only carry the panic out."""
    last = 0
    for index, frame in enumerate(frames):
        if frame.function in _MACHINERY or _qualified(frame) in _MACHINERY:
            last = index + 1
    while last < len(frames) and frames[last].module == "runtime":
        last += 1
    return tuple(reversed(frames[last:] if last < len(frames) else frames))


def _wrapped_parts(parts: Sequence[_Part]) -> tuple[RaisedError, ...]:
    """pkg/errors with `%+v`: every message is followed by its own stack, the root first."""
    return tuple(
        raised("", "\n".join(part.message), part.frames[::-1])
        for part in parts
        if part.frames or part is not parts[-1]
    )
