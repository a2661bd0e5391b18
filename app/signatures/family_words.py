"""A masked text as words that can be compared, place by place, with those of another text."""

import re

VALUE = "\0"
"""Stands for anything that a mask took out, or that can only be a value: a path, a host."""

Words = tuple[str, ...]

_PLACEHOLDER = re.compile(r"<[a-z0-9]+>")
_WORD = re.compile(
    r"""[^\s=,;()\[\]{}"'|<>]+ (?:\(\0\)|\[\0\]|\{\0\})?   # worker, LOCAL(<num>), /var/log
      | [=,;()\[\]{}"'|<>]""",
    re.VERBOSE,
)
_SENTENCE_END = ":.,!?"
_LETTERS = re.compile(r"[^\W\d_]+")
_SEPARATORS = re.compile(r"[-_.:~@\#+/\\]+")
_TYPE_NAME = re.compile(r"(?:Exception|Error|Failure|Fault|Panic)$")
_FAILURE = re.compile(
    r"(?i)\b(?:fail|error|refus|den(?:ied|y)|cannot|can't|could ?n[o']t|unable|time(?:d )?-?out"
    r"|exception|invalid|missing|unreachable|lost\b|crash|abort|fatal|panic|exceed|illegal|no such"
    r"|not found|died|killed|exited|violat|unavailable|broken|reject|is down|does not|unknown)"
)
_VERSION = re.compile(r"v\0")
_DIGIT = re.compile(r"[0-9]")
_ERRNO = re.compile(r"E[A-Z]{3,}\d*\Z")
_HOST = re.compile(
    r"(?=[^A-Z]*\Z) [\w-]+ \. (?:[\w-]+\.)+"
    r"(?: com|net|org|edu|gov|mil|int|info|biz|io|dev|app|cloud|local|internal|lan|localdomain"
    r"| a[rtu]|b[egr]|c[ahlnz]|d[ek]|e[su]|f[ir]|gr|h[ku]|i[elnt]|jp|kr|mx|n[lz]|pt|r[ou]|s[egk]"
    r"| t[hrw]|u[aks]|vn|za )",
    re.VERBOSE,
)
"""A name of three labels or more that ends as hosts do; `orders.tasks.charge` names code."""
_LONGEST_CYCLE = 4
_BETWEEN = frozenset(",;|")


def read_words(masked: str, *, typed: bool = False) -> Words:
    """`user=<num> at /var/log: x` gives `user`, `=`, VALUE, `at`, VALUE, `:`, `x`.

    In a text that reports a failure, or is the message of an exception (`typed`), paths and
    dotted names stay: there they tell what failed.
    """
    failing = typed or _FAILURE.search(masked) is not None
    words: list[str] = []
    for word in _WORD.findall(_PLACEHOLDER.sub(VALUE, masked)):
        core = word.rstrip(_SENTENCE_END) or word[0]
        _append(words, VALUE if _is_value(core, failing=failing) else core)
        for mark in word[len(core) :]:
            _append(words, mark)
    return tuple(words)


def _append(words: list[str], word: str) -> None:
    """A list of values is as long as it happens to be: repeated values count once."""
    words.append(word)
    if VALUE in word and words[-3:-2] == [word] and words[-2] in _BETWEEN:
        del words[-2:]
    for size in range(1, _LONGEST_CYCLE + 1):
        last = words[-size:]
        if len(words) < 2 * size:
            return
        if last == words[-2 * size : -size] and any(VALUE in part for part in last):
            del words[-size:]
            return


def _is_value(core: str, *, failing: bool) -> bool:
    """Whether the word by its looks alone can be nothing but a value."""
    if VALUE in core:
        return _is_masked_value(core, failing=failing)
    if failing:
        return _HOST.fullmatch(core) is not None
    if "/" in core or "\\" in core:
        return is_path(core)
    labels = core.split(".")
    return len(labels) >= 3 and all(labels) and not _TYPE_NAME.search(core)  # noqa: PLR2004


def _is_masked_value(core: str, *, failing: bool) -> bool:
    names = _LETTERS.findall(core)
    if sum(map(len, names)) <= 1:
        return True
    if failing and "/" in core and not any(map(_is_bare, core.split("/"))):
        return False
    separators = _SEPARATORS.findall(core)
    host_and_port = "." in core and core.endswith(":" + VALUE)
    return host_and_port or (len(separators) >= 2 and len(separators) >= len(names))  # noqa: PLR2004


def _is_bare(segment: str) -> bool:
    """`<id>` or `blk_<id>` in a path, but not `v<num>`: the version of an interface."""
    return VALUE in segment and _VERSION.fullmatch(segment) is None


def is_path(word: str) -> bool:
    """`/var/log/x`, `C:\\x\\y`, `spool/job.d`; not `n/a`."""
    if len(word) < 2:  # noqa: PLR2004
        return False
    several = word.count("/") > 1 or word.count("\\") > 1
    sloped = "/" in word or "\\" in word
    return several or word.startswith(("/", "~/", "\\")) or (sloped and "." in word)


def is_code(word: str) -> bool:
    """Whether a mask kept the word because it tells errors apart: `404`, `40P01`, `ENOENT`."""
    return word[-1:].isdigit() or _DIGIT.search(word) is not None or _ERRNO.match(word) is not None


def is_name(word: str) -> bool:
    """Whether the word says something: it has letters and is no bare value."""
    return word != VALUE and _LETTERS.search(word) is not None


def is_type_name(word: str) -> bool:
    return _TYPE_NAME.search(word) is not None


def is_failing(words: Words) -> bool:
    return _FAILURE.search(" ".join(words)) is not None
