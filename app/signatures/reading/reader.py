"""One error report out of whatever was sent."""

import re
from collections.abc import Callable

import msgspec

from app.normalise.record import Frame, ReportedException
from app.signatures.model import ErrorReport, RaisedError
from app.signatures.reading import (
    cleaning,
    codes,
    dotnet,
    go,
    javascript,
    jvm,
    nginx,
    php,
    postgresql,
    pytest,
    python,
    ruby,
    rust,
    structured,
    tracebacks,
)
from app.signatures.reading.limits import (
    MAX_ERRORS,
    MAX_TEXT,
    Reading,
    both_ends,
    clip,
    raised,
)
from app.signatures.reading.names import NEXT_RECORD, headline, headline_within, language_of

_DRIVE = re.compile(r"(?<![A-Za-z])[A-Za-z]:\\")
_MAX_DEPTH = 3
"""JSON in JSON in JSON; an escape of an escape of an escape."""


def read_error(message: str, exception: ReportedException | None = None) -> ErrorReport:
    """Read the chain of errors out of a log message and what the sender said beside it.

    Any text at all is taken, in time linear in its length; `errors` is empty when none of it is
    an error.
    """
    reported = _read_reported(exception) if exception is not None else None
    if reported is not None:
        return _report(reported, _said(message), whole=len(message))
    if not _may_hold_error(message):
        return ErrorReport(message=clip(message))
    reading = _read_text(message)
    if reading is None:
        return ErrorReport(message=clip(cleaning.plain(message)))
    return _report(reading, reading.before, whole=len(message))


def _said(message: str) -> str:
    """The log message beside a reported exception, without a copy of its traceback."""
    inner = _read_text(message) if "\n" in message else None
    if inner is not None and any(error.frames for error in inner.errors):
        return inner.before
    return cleaning.plain(message)


def _may_hold_error(text: str) -> bool:
    """Cheap and never wrong about a real error: nearly every log line ends here."""
    if "rror" in text or "xception" in text or "\n" in text or "\\n" in text or "ERR" in text:
        return True
    if "\x1b" in text or "FATAL" in text or _may_be_data(text):
        return True
    if ": " not in text:
        return False
    return (
        "arning" in text
        or "anic" in text
        or "Fault" in text
        or "Errno" in text
        or "nterrupt" in text
        or "iolation" in text
        or "hrowable" in text
        or "xit:" in text
        or "exc." in text
        or "teration" in text
        or " on line " in text
    )


def _report(reading: Reading, said: str, *, whole: int) -> ErrorReport:
    errors = both_ends(reading.errors, MAX_ERRORS)
    if not said and errors:
        last = reading.errors[reading.outermost]
        said = ": ".join(part for part in (last.type, last.message) if part)
    return ErrorReport(
        message=clip(said),
        errors=errors,
        language=reading.language,
        code=reading.code or codes.code_of(errors),
        truncated=reading.truncated or whole > MAX_TEXT,
    )


def _read_text(text: str, depth: int = 0, *, is_stack: bool = False) -> Reading | None:
    text = cleaning.plain(text).rstrip("\n")
    if "#012" in text and "\n" not in text and depth < _MAX_DEPTH:
        reading = _read_text(cleaning.unpacked(cleaning.without_prefixes(text)), depth + 1)
        if reading is not None and any(error.frames for error in reading.errors):
            return reading
    escaped = depth < _MAX_DEPTH and ("\\n" in text or text[:1] == '"' == text[-1:])
    if "\n" not in text and not escaped and not is_stack and not _may_be_data(text):
        return _read_line(text)
    if escaped and "\n" not in text.strip():
        opened = _read_data(cleaning.without_prefixes(text.strip()), depth)
        if opened is not None:
            return opened
        reading = _read_text(cleaning.unescaped(text), depth + 1)
        if reading is not None and _is_likelier(reading, text):
            return reading
        escaped = False
    reading = _read_clean(cleaning.without_prefixes(text), depth)
    if reading is None and escaped:
        reading = _read_text(cleaning.unescaped(text), depth + 1)
    return reading


def _is_likelier(unescaped: Reading, text: str) -> bool:
    """Whether a text means the line ends that it escapes; `C:\\new` does not."""
    return any(error.frames for error in unescaped.errors) or not _DRIVE.search(text)


def _may_be_data(text: str) -> bool:
    if text[:1] == "{" or text[-1:] == '"' or '{"' in text or '] "' in text:
        return True
    return "=" in text and any(key in text for key in _DATA_KEYS)


_DATA_KEYS = ("err=", "error=", "msg=", "message=", "event=", "level=")


def _read_line(text: str) -> Reading | None:
    """One line of text: prefixes are only taken off where it is worth it."""
    for hint, read in _LINE_READERS:
        if hint in text:
            reading = read(text)
            if reading is not None:
                return reading
    found = headline_within(text)
    if found is None:
        return None
    return _read_headline(cleaning.without_prefixes(text) if found[0] else text)


def _read_data(text: str, depth: int) -> Reading | None:
    envelope = structured.open_envelope(text) if depth < _MAX_DEPTH else None
    return None if envelope is None else _read_envelope(envelope, depth)


def _read_clean(text: str, depth: int) -> Reading | None:
    if text.startswith("{") or "\n" not in text:
        opened = _read_data(text, depth)
        if opened is not None:
            return opened
    for hint, read in _READERS:
        if hint(text):
            reading = read(text)
            if reading is not None:
                return reading
    return _read_headline(text)


def _has_at_frames(text: str) -> bool:
    return "at " in text


_READERS: tuple[tuple[Callable[[str], bool], Callable[[str], Reading | None]], ...] = (
    (lambda text: '", line ' in text or tracebacks.HEADER in text, python.read),
    (lambda text: ".py:" in text and "E   " in text, pytest.read),
    (lambda text: "panicked at" in text or "Caused by:" in text, rust.read),
    (lambda text: ".go:" in text or "goroutine " in text or "panic: " in text, go.read),
    (_has_at_frames, jvm.read),
    (_has_at_frames, dotnet.read),
    (lambda text: "at " in text or "@" in text, javascript.read),
    (lambda text: ":in " in text or "app/" in text, ruby.read),
    (lambda text: "PHP " in text or "#0 " in text or " on line " in text, php.read),
    (lambda text: "] " in text and "#" in text, nginx.read),
    (lambda text: ":  " in text or "SQLSTATE" in text or "SQL state" in text, postgresql.read),
    (lambda text: ".py:" in text, python.read_warning),
)


_LINE_READERS: tuple[tuple[str, Callable[[str], Reading | None]], ...] = (
    ("panicked at ", rust.read),
    ("panic", go.read),
    (" on line ", php.read),
    ("#", nginx.read),
    (":  ", postgresql.read),
    ("SQL", postgresql.read),
    (" exist", postgresql.read),
    (" violates ", postgresql.read),
    ('", line ', python.read),
    (".py:", python.read_warning),
)


def _read_headline(text: str) -> Reading | None:
    """An exception told by its name and message alone."""
    text = text.strip()
    first, _, rest = text.partition("\n")
    found = headline(first)
    if found is None:
        return None
    type_, message = found
    paragraph = _own_lines(rest.partition("\n\n")[0])
    whole = f"{message}\n{paragraph}" if paragraph.strip() else message
    return Reading(errors=(raised(type_, whole.strip()),), language=language_of(type_))


def _own_lines(text: str) -> str:
    """The lines of a message, up to where the next record begins."""
    lines = text.split("\n")
    end = next((i for i, line in enumerate(lines) if NEXT_RECORD.match(line)), len(lines))
    return "\n".join(lines[:end])


def _read_envelope(envelope: structured.Envelope, depth: int) -> Reading | None:
    """A JSON or logfmt line: its error is what its own fields say, else what its message holds."""
    errors: list[RaisedError] = []
    language, truncated, code = "", False, envelope.code
    for reported in envelope.chain:
        reading = _read_reported(reported, depth + 1)
        if reading is not None:
            errors += reading.errors
            language = language or reading.language
            truncated = truncated or reading.truncated
            code = code or reading.code
    if not errors:
        inner = _read_text(envelope.message, depth + 1) if envelope.message else None
        if inner is not None:
            return inner if inner.code else msgspec.structs.replace(inner, code=code)
    return Reading(
        errors=tuple(errors),
        language=language or envelope.format,
        before=envelope.message,
        truncated=truncated,
        code=code,
    )


def _read_reported(exception: ReportedException, depth: int = 0) -> Reading | None:
    """What the sender said in fields, completed by what its stack trace says in text."""
    stack = exception.stacktrace
    if not isinstance(stack, str):
        return _told(exception, tuple(stack))
    reading = _read_text(stack, depth, is_stack=True) if stack.strip() else None
    if reading is None and exception.message:
        inner = _read_text(exception.message, depth) if "\n" in exception.message else None
        if inner is not None and any(error.frames for error in inner.errors):
            reading = inner
    if reading is None or not reading.errors:
        return _told(exception, ())
    return _completed(exception, reading)


def _told(exception: ReportedException, frames: tuple[Frame, ...]) -> Reading | None:
    type_, message = exception.type.strip(), cleaning.plain(exception.message)
    if not type_ and message:
        found = headline(message)
        type_, message = found or ("", message)
    if not (type_ or message or frames):
        return None
    if type_ or frames:
        errors: tuple[RaisedError, ...] = (raised(type_, message, frames),)
    else:
        errors = go.wrapped(message)
    return Reading(errors=errors, language=language_of(type_))


def _completed(exception: ReportedException, reading: Reading) -> Reading:
    """The last raised error, with the type and message that only the fields had."""
    errors = list(reading.errors)
    last = errors[reading.outermost]
    errors[reading.outermost] = RaisedError(
        type=last.type or exception.type,
        message=last.message or clip(cleaning.plain(exception.message)),
        frames=last.frames,
    )
    return msgspec.structs.replace(reading, errors=tuple(errors))
