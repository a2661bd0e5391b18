"""Errors of PHP: uncaught exceptions, its own warnings, and Laravel's log."""

import re
from collections.abc import Sequence

from app.normalise.record import Frame
from app.signatures.model import RaisedError
from app.signatures.reading.limits import Reading, raised

_CALL = re.compile(r"\s*+#\d++ (?:\[internal function\]|([^\n]*?)\((\d{1,9})\)): (.*+)$", re.DOTALL)
_MAIN = re.compile(r"\s*+#\d++ \{main\}")
_PLACE = re.compile(r" in (\S[^\n]*?)(?::| on line )(\d{1,9})$")
_LARAVEL = re.compile(r"\[object\] \(([\w\\]++)\(code: [^)]{0,40}\): ")
_LARAVEL_PLACE = re.compile(r" at ([^\s:]++):(\d{1,9})\)")
_ISSUE = re.compile(
    r"(?:.*? )?(?:PHP )?((?:Recoverable fatal|Catchable fatal|Fatal|Parse) error|Warning|Notice"
    r"|Deprecated|Strict Standards): (?!Uncaught)\s?(.*+)$"
)
_LEADS = re.compile(r"(?:.*?(?:Fatal error: \s?|: ))??(?:Uncaught |Next )")
_TYPE = re.compile(r"([A-Za-z_][\w\\]*+)(?:: (.*+))?$", re.DOTALL)
_TRACES = ("Stack trace:", "[stacktrace]")
_MAX_HEAD = 200


def read(text: str) -> Reading | None:
    if "[object] (" in text:
        return _read_laravel(text)
    lines = text.split("\n")
    starts = [i for i, line in enumerate(lines) if line.strip().endswith("Stack trace:")]
    if not starts:
        return _read_issue(lines) or _read_cut(lines)
    errors: list[RaisedError] = []
    head, before = 0, ""
    for start in starts:
        opening = _opening(lines, head, start)
        calls, head = _calls(lines, start + 1)
        error = _raised(lines[opening:start], calls)
        if error is None:
            continue
        before = before if errors else "\n".join(lines[:opening]).strip()
        errors.append(error)
    if not errors:
        return None
    complete = _MAIN.match(lines[head - 1]) is not None
    return Reading(errors=tuple(errors), language="php", before=before, truncated=not complete)


def _opening(lines: Sequence[str], floor: int, start: int) -> int:
    """The line on which the exception above this trace begins."""
    for index in range(start - 1, max(floor, start - _MAX_HEAD) - 1, -1):
        if "Uncaught " in lines[index] or lines[index].startswith("Next "):
            return index
    return max(floor, start - 1)


def _raised(head: Sequence[str], calls: Sequence[tuple[str, str, str]]) -> RaisedError | None:
    text = "\n".join(head).strip()
    lead = _LEADS.match(text[:300])
    text = text[lead.end() :] if lead else text
    place = _PLACE.search(text, max(0, text.rfind(" in ")))
    path, number = (place[1], place[2]) if place else ("", "")
    found = _TYPE.match(text[: place.start()] if place else text)
    if found is None:
        return None
    return raised(found[1], (found[2] or "").strip(), _frames(path, number, calls))


def _calls(lines: Sequence[str], start: int) -> tuple[list[tuple[str, str, str]], int]:
    """(path, line, callee) of each `#n`, origin first, and the line after the last one."""
    calls: list[tuple[str, str, str]] = []
    for index in range(start, len(lines)):
        if _MAIN.match(lines[index]):
            return calls, index + 1
        found = _CALL.match(lines[index])
        if found is None:
            return calls, index
        calls.append((found[1] or "", found[2] or "", found[3].partition("(")[0]))
    return calls, len(lines)


def _frames(path: str, number: str, calls: Sequence[tuple[str, str, str]]) -> list[Frame]:
    """PHP tells where each function was *called*; a frame tells where the function *stood*."""
    places = [(path, number), *((path, number) for path, number, _ in calls)]
    functions = [*(callee for _, _, callee in calls), "{main}"]
    frames = [
        Frame(
            function=function or "?",
            module=path or "[internal function]",
            line=int(number) if number else None,
        )
        for (path, number), function in zip(places, functions, strict=True)
    ]
    return frames[::-1]


def _read_issue(lines: Sequence[str]) -> Reading | None:
    """`PHP Warning:  Undefined variable $x in /srv/app/a.php on line 3`."""
    for index, line in enumerate(lines[:20]):
        found = _ISSUE.match(line[:4096]) if " on line " in line else None
        place = _PLACE.search(found[2], max(0, found[2].rfind(" in "))) if found else None
        if found is None or place is None:
            continue
        frame = Frame(function="?", module=place[1], line=int(place[2]))
        error = raised(found[1], found[2][: place.start()].strip(), (frame,))
        return Reading(errors=(error,), language="php", before="\n".join(lines[:index]).strip())
    return None


def _read_cut(lines: Sequence[str]) -> Reading | None:
    """Only `#n` lines are left: the head was cut off."""
    first = next((i for i, line in enumerate(lines) if _is_php_call(line)), None)
    if first is None:
        return None
    calls, _ = _calls(lines, first)
    frames = _frames("", "", calls)
    return Reading(errors=(raised("", "", frames),), language="php", truncated=True)


def _is_php_call(line: str) -> bool:
    found = _CALL.match(line)
    return found is not None and (found[1] or "").endswith(".php")


def _read_laravel(text: str) -> Reading | None:
    """Monolog's line format: the exception is an object, its previous ones follow it."""
    errors: list[RaisedError] = []
    text = text.replace("\\\\", "\\")
    before = text.partition("[object] (")[0].partition(' {"exception"')[0].strip()
    for part in text.split("[object] (")[1:]:
        found = _LARAVEL.match("[object] (" + part)
        if found is None:
            continue
        body = part[found.end() - len("[object] (") :]
        place = _LARAVEL_PLACE.search(body)
        message = body[: place.start()] if place else body.partition("\n")[0]
        lines = body.split("\n")
        start = next((i + 1 for i, line in enumerate(lines) if "[stacktrace]" in line), len(lines))
        calls, _ = _calls(lines, start)
        path, number = (place[1], place[2]) if place else ("", "")
        errors.append(raised(found[1], message, _frames(path, number, calls)))
    if not errors:
        return None
    return Reading(errors=tuple(reversed(errors)), language="php", before=before)
