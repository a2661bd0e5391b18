"""Text as its program wrote it: without colours, escapes and what shippers put before each line."""

import re
from collections.abc import Callable, Sequence

import msgspec

from app.signatures.reading.limits import MAX_TEXT

_ANSI = re.compile(
    r"(?:\x1b|#033)\[[0-9:;<=>?]*+[ -/]*+[@-~]"
    r"|\x1b\][^\x07\x1b\n]*+(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]"
)
_EMPTY_LINES = re.compile(r"\n{3,}+")
_ESCAPE = re.compile(r'\\(?:([nrtbf"\'/\\])|u([0-9a-fA-F]{4})|x1[bB]|033|e(?=\[))')
_PLAIN_ESCAPE = re.compile(r"(?:\\r)?\\n((?:\\t)*+)")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

_LEVEL = (
    r"TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|ERR|CRITICAL|FATAL|SEVERE|ALERT|EMERG|PANIC"
    r"|trace|debug|info|notice|warn|warning|error|err|critical|fatal|severe|alert|emerg"
    r"|Trace|Debug|Info|Warning|Error|Critical|Fatal"
)
_ZONE = r"(?: ?(?:Z|UTC|GMT|CET|CEST|[+-]\d\d:?\d\d))?+"
# Each takes at most one space after it: what follows may be the indent of a stack frame.
_PREFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        # Kubernetes CRI, Docker with --timestamps
        r"\d{4}-\d\d-\d\dT[\d:.]++(?:Z|[+-]\d\d:\d\d) std(?:out|err) [FP](?: |$)",
        # RFC 5424, RFC 3164
        r"<\d{1,3}>\d \S++ \S++ \S++ \S++ \S++ (?:-|\[[^\]]*+\])(?: |$)",
        r"(?:<\d{1,3}>)?[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S++ [^\s:\[]++(?:\[\d++\])?:(?: |$)",
        # rsyslog's and journalctl's ISO form, Heroku
        (
            r"\d{4}-\d\d-\d\dT[\d:.]++(?:Z|[+-]\d\d:?\d\d) (?:[\w.:-]++ )?"
            r"[\w./@-]++\[[\w.-]++\]:(?: |$)"
        ),
        # date and time, then time alone
        r"[\[(]?\d{4}[-/.]\d\d[-/.]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d++)?"
        + _ZONE
        + r"[\])]?:?(?: [-|](?= |$))?(?: |$)",
        r"[\[(]?\d\d:\d\d:\d\d(?:[.,]\d++)?[\])]?:?(?: [-|](?= |$))?(?: |$)",
        # kernel clock; epoch
        r"\[ *+\d{1,10}\.\d++\](?: |$)",
        r"\d{10}(?:\.?\d{3,9})?(?: |$)",
        # Docker Compose, Foreman
        rf"(?!(?:{_LEVEL})\b)[\w.@/-]++ *+\|(?: |$)",
        # glog
        r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d++ ++\d++ [\w.-]++:\d++\](?: |$)",
        # level, with or without a logger's name behind it
        rf"(?:{_LEVEL}):[\w.$-]++:",
        rf"\[(?:{_LEVEL})\](?! \d++#)(?:: ?| |$)",
        rf"(?:{_LEVEL})(?::(?!  )| [-|](?= ))?(?: |$)",
        # pod, thread, process
        r"\[[\w./@#-]++(?: [\w./@#-]++)?\](?!:| \d++#)(?: |$)",
        r"(?:pid=)?\d{1,7}(?: [-|](?= |$))?(?: |$)",
        r"[\w.$/-]++ [-|](?: |$)",
    )
)
_MARK = re.compile(
    r"(?:  \+ Exception Group )?Traceback \(most recent"
    r"|(?:   |\t)at (?=[\w<$])"
    r"|goroutine \d++ \["
    r"|Stack trace:|stack backtrace:"
)
_DIGITS = str.maketrans("123456789", "000000000")
_ROUNDS = 8
_SAMPLE = 12


def plain(text: str) -> str:
    """Without colours, with `\\n` line ends, and not longer than is read."""
    if len(text) > MAX_TEXT:
        text = _ends(text)
    if "\x1b" in text or "#033" in text:
        text = _ANSI.sub("", text)
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text


def _ends(text: str) -> str:
    """Both ends of a text, cut where a line ends, so that no half line is read as a whole one."""
    half = MAX_TEXT // 2
    head, tail = text[:half], text[-half:]
    return (head[: head.rfind("\n") + 1] or head) + tail[tail.find("\n") + 1 :]


def unescaped(text: str) -> str:
    r"""With one level of escapes undone: `\n` of two characters becomes a line end.

    A text with quotes that carry no backslash was never in a JSON string: there only the line
    ends were escaped, and a backslash before anything else is a Windows path.
    """
    if text[:1] == '"' == text[-1:]:
        try:
            return plain(msgspec.json.decode(text, type=str))
        except (msgspec.DecodeError, ValueError):
            text = text[1:-1]
    if '"' in text and '\\"' not in text:
        return plain(_PLAIN_ESCAPE.sub(lambda found: "\n" + "\t" * (len(found[1]) // 2), text))
    return plain(_ESCAPE.sub(_unescape, text))


def _unescape(found: re.Match[str]) -> str:
    if found[1]:
        return _CONTROLS.get(found[1], found[1])
    return chr(int(found[2], 16)) if found[2] else "\x1b"


def unpacked(text: str) -> str:
    """With the line ends and tabs that rsyslog writes as octal numbers."""
    return text.replace("#012", "\n").replace("#011", "\t")


def without_prefixes(text: str) -> str:
    """Lines without what stands before every one of them; the same text when nothing does."""
    if '\n  File "' in text or "\n    at " in text or "\n\tat " in text:
        return text
    if "\n" in text and (text.count("\n ") + text.count("\n\t")) * 5 > text.count("\n"):
        return text
    lines = text.split("\n")
    stripped = lines
    for _ in range(_ROUNDS):
        peeled = _peeled(stripped)
        if peeled is None:
            break
        stripped = peeled
    if len(lines) > 1:
        stripped = _without_shape(stripped) or stripped
    return text if stripped is lines else "\n".join(stripped)


def _without_shape(lines: list[str]) -> list[str] | None:
    """Whatever stands before a line that must begin a trace, if the others carry it too."""
    for line in lines:
        mark = _MARK.search(line)
        if mark is None:
            continue
        head = line[: mark.start()]
        if not head.strip() or '{"' in head:
            return None
        if ": " in head[-2:]:
            return _cut(lines, _literal(head))
        return _cut(lines, _literal(head)) or _cut(lines, _shape(head))
    return None


def _literal(head: str) -> Callable[[str], int]:
    bare = head.rstrip()

    def width(line: str) -> int:
        if line.startswith(head):
            return len(head)
        return len(line) if line == bare else 0

    return width


def _shape(head: str) -> Callable[[str], int]:
    shape = head.translate(_DIGITS)
    bare = shape.rstrip()
    size = len(head)

    def width(line: str) -> int:
        if line[:size].translate(_DIGITS) == shape:
            return size
        return len(line) if line.translate(_DIGITS) == bare else 0

    return width


def _cut(lines: Sequence[str], width: Callable[[str], int]) -> list[str] | None:
    widths = [width(line) for line in lines]
    if widths.count(0) * 4 > len(lines):
        return None
    return [line[w:] for line, w in zip(lines, widths, strict=True)]


def _peeled(lines: Sequence[str]) -> list[str] | None:
    sample = [line for line in lines[: 4 * _SAMPLE] if line][:_SAMPLE]
    for prefix in _PREFIXES:
        if sample and _is_common(prefix, sample):
            return [_peel(prefix, line) for line in lines]
    return None


def _is_common(prefix: re.Pattern[str], sample: Sequence[str]) -> bool:
    """Whether four of five lines begin with it; most prefixes are refused after three lines."""
    spare = len(sample) // 5
    for line in sample:
        if prefix.match(line) is None:
            spare -= 1
            if spare < 0:
                return False
    return True


def _peel(prefix: re.Pattern[str], line: str) -> str:
    found = prefix.match(line)
    return line[found.end() :] if found else line
