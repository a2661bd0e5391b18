"""Is this word the name of an exception? And where is one in a line?"""

import builtins
import re

from app.signatures.reading.limits import MAX_LINE

SUFFIXES = (
    "Error",
    "Exception",
    "Warning",
    "Fault",
    "Panic",
    "Violation",
    "Throwable",
    "Interrupt",
    "ExceptionGroup",
)
BUILTINS = frozenset(
    {
        "Error",
        "Exception",
        "BaseException",
        "Throwable",
        "StopIteration",
        "StopAsyncIteration",
        "KeyboardInterrupt",
        "SystemExit",
        "GeneratorExit",
        "ThreadDeath",
        "DOMException",
        "ExceptionGroup",
        "BaseExceptionGroup",
        "RemoteTraceback",
    }
)
_WRAPPERS = frozenset({"UnhandledPromiseRejectionWarning"})
"""Announces the error that follows it in the same line."""
PACKAGES = frozenset({"exceptions", "exception", "errors", "error", "exc"})
"""Where libraries keep their exceptions: `requests.exceptions.ConnectTimeout`."""

_HINTS = (*SUFFIXES, "xit", "Stop", "Errno", "Death", "Remote", *(f"{name}." for name in PACKAGES))
"""What a line with any such name in it holds: a cheap look before the dear one."""

NEXT_RECORD = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\[?\d\d:\d\d:\d\d"
    r"|\[?(?:DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)(?:\]|[ |]|:(?: |[\w.]))"
)
"""Where a line begins with a time or a level, a message has ended."""

_QUALIFIER = r"(?: \[[A-Z][A-Z0-9_]*+\]| \((?:0x)?[0-9A-Fa-f-]++\))?+"
"""Node writes `Error [ERR_X]: …`, .NET `SocketException (111): …`."""
_START = re.compile(r"([\w.$+]++(?:::\w++)*+)(" + _QUALIFIER + r")(?::(?:\s|$)|$)")
_ANYWHERE = re.compile(
    r"(?<![\w.$+:/\\@-])([\w.$+]++(?:::\w++)*+)(" + _QUALIFIER + r")(?=:\s|:$|$| ---> )"
)


def is_exception_name(name: str) -> bool:
    """Whether a person would take this word for an exception's type, without a stack beside it."""
    if name.startswith("Errno::"):
        return True
    if name in _WRAPPERS:
        return False
    path, _, last = name.replace("::", ".").replace("$", ".").replace("+", ".").rpartition(".")
    if last in BUILTINS:
        return True
    if not last[:1].isupper() or last.isupper():
        return False
    if last.endswith(SUFFIXES):
        return last not in SUFFIXES
    return path.rpartition(".")[2] in PACKAGES


def headline(line: str) -> tuple[str, str] | None:
    """`Type: message` at the very start of a line: (type, message)."""
    found = _START.match(line)
    if found is None or not is_exception_name(found[1]):
        return None
    return found[1], line[found.end() :].strip()


def headline_within(line: str) -> tuple[int, str, str] | None:
    """The first `Type: message` in a line, whatever stands before it: (start, type, message)."""
    if not any(hint in line for hint in _HINTS):
        return None
    for found in _ANYWHERE.finditer(line[:MAX_LINE]):
        if is_exception_name(found[1]):
            return found.start(), found[1], line[found.end() :].removeprefix(":").strip()
    return None


def language_of(name: str) -> str:
    """The language that a bare exception name gives away; empty when several could have it."""
    if "::" in name:
        return "ruby"
    if name.startswith(_JVM):
        return "jvm"
    if name.startswith(("System.", "Microsoft.")):
        return "dotnet"
    if name in _PYTHON or (name[:1].islower() and "." in name):
        return "python"
    return "javascript" if name in _JAVASCRIPT else ""


_JVM = (
    *("java.", "javax.", "jakarta.", "kotlin.", "kotlinx.", "scala.", "groovy.", "sun."),
    *("org.", "com.", "io.", "net.", "android.", "androidx.", "dalvik.", "akka.", "reactor."),
)
_JAVASCRIPT = frozenset({"ReferenceError", "RangeError", "URIError", "EvalError", "AggregateError"})
_PYTHON = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
) - {"SyntaxError", "TypeError"}
