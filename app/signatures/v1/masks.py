"""Masks of v1: what varies from one occurrence to the next becomes a placeholder.

Three passes, each linear: quoted values over the whole text, then token by token
(`tokens.mask_token`, remembered), with the word before a number deciding whether the number
names the error (`returned 404`, `exit code 1`), then dates that spread over several words.
"""

import re
from typing import NamedTuple

import msgspec

from app.signatures.v1.tokens import mask_token
from app.signatures.v1.vocabulary import (
    CODE_WORDS,
    COUNTED,
    DAYS,
    DURATIONS,
    MONTH_WORD,
    MONTHS,
    NAMED_AFTER,
    NAMING_NOUNS,
    REASONS,
    SIZES,
    STATUS_WORDS,
)


class Masked(msgspec.Struct, frozen=True):
    """A text with placeholders, whitespace runs made one space, and how many of each kind."""

    text: str
    counts: dict[str, int]


class _Token(NamedTuple):
    """What is remembered of one token."""

    masked: str
    kinds: tuple[str, ...]
    role: str
    """`code`, `status`, `bare` (a short number), `unit`, `month`, `equals`, or empty."""


_REMEMBERED = 65_536
_LONGEST_REMEMBERED = 80
_tokens: dict[str, _Token] = {}

_QUOTE = re.compile(
    r"""(?<![^\s=:(\[{,]) (?: "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' ) (?![^\s.,;:)\]}!?])""",
    re.VERBOSE | re.DOTALL,
)
_WORTH_A_LOOK = re.compile(r"[0-9\"'@?]|[/\\](?:home|Users)[/\\]|[A-Za-z0-9+/]{40}")
_BARE = re.compile(r"[\[(\"']*-?[0-9A-Z]{1,5}[\])\"',.:;]*")
_STATUS = re.compile(r"\D*[1-5][0-9]{2}\D*")
_DATE = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?:{DAYS})[a-z]{{0,6}},? )?(?:<num>,? )?(?:{MONTHS})[a-z]{{0,6}},? <num>,?"
    r"(?: <num>)?(?: <time>)?(?: [A-Z]{2,4})?(?: <num>)?(?![^\s.,;)\]])"
)
_NAME = re.compile(
    r"""["'](?:
        [A-Z][a-z0-9]+[A-Z]\w*+                      # NoneType
      | [A-Z][A-Z0-9]*_[A-Z0-9_]++ | [A-Z]{4,}+      # DATABASE_URL, ECONNREFUSED
      | [\w$]++(?:(?:\.|::|/|\\)[\w$]++)*+(?:\.|::)[\w$]++   # pkg.Class, Class::method
      | (?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s.*
    )["']""",
    re.VERBOSE | re.DOTALL,
)
_IDENTIFIER = re.compile(r"""["'][A-Za-z_$][\w$.<>-]*["']""")
_LAST_WORD = re.compile(r"([A-Za-z]+)[\s=:(\[{,]*\Z")
_NEXT_WORD = re.compile(r"\s+([A-Za-z]+)")


def mask(text: str) -> Masked:
    """`text` with its variable parts as placeholders. `mask(mask(x).text).text == mask(x).text`."""
    if not _WORTH_A_LOOK.search(text):
        return Masked(" ".join(text.split()), {})
    counts: dict[str, int] = {}
    if '"' in text or "'" in text:
        text = _mask_quotes(text, counts)
    words, dated = _mask_words(text.split(), counts)
    masked = " ".join(words)
    if not counts.get("num", 1):
        del counts["num"]
    if dated:
        masked = _DATE.sub("<time>", masked)
    return Masked(masked, counts)


def _mask_quotes(text: str, counts: dict[str, int]) -> str:
    """Quotes stay where they stood, so that a second pass pairs them the same way."""

    def place(match: re.Match[str]) -> str:
        quoted = match[0]
        if _is_name(match):
            return quoted
        if quoted[1:-1] != "<str>":
            counts["str"] = counts.get("str", 0) + 1
        return f"{quoted[0]}<str>{quoted[0]}"

    return _QUOTE.sub(place, text)


def _is_name(match: re.Match[str]) -> bool:
    """Relations, columns, attributes, types, JSON keys: quoted, yet the same every time."""
    text, start, end = match.string, match.start(), match.end()
    if end - start <= 2 or _NAME.fullmatch(match[0]):  # noqa: PLR2004  # two quotes, nothing in them
        return True
    if not _IDENTIFIER.fullmatch(match[0]):
        return False
    if text.startswith(":", end) and text[start - 1 : start] in {"{", ",", " "}:
        return True
    before = _LAST_WORD.search(text[max(0, start - 40) : start])
    if before and before[1].lower() in NAMING_NOUNS:
        return True
    after = _NEXT_WORD.match(text, end)
    return after is not None and after[1].lower() in NAMED_AFTER


def _mask_words(tokens: list[str], counts: dict[str, int]) -> tuple[list[str], bool]:
    """Every token masked, and whether a month stands among them."""
    words: list[str] = []
    dated = False
    before = ""
    for index, token in enumerate(tokens):
        masked, kinds, role = _tokens.get(token) or _look_at(token)
        if role == "bare" and _names_error(token, before, tokens, index):
            words.append(token)
        elif role == "unit" and words and words[-1].endswith("<num>"):
            _join_unit(words, token, counts)
        else:
            words.append(masked)
            for kind in kinds:
                counts[kind] = counts.get(kind, 0) + 1
            dated = dated or role == "month"
        before = before if role == "equals" else role
    return words, dated


def _look_at(token: str) -> _Token:
    masked, kinds = mask_token(token)
    known = _Token(masked, kinds, _role(token, masked))
    if len(token) <= _LONGEST_REMEMBERED:
        if len(_tokens) >= _REMEMBERED:
            _tokens.clear()
        _tokens[token] = known
    return known


def _role(token: str, masked: str) -> str:
    """What a token means to its neighbours; but for `bare`, told from its masked form alone."""
    if masked != token and _BARE.fullmatch(token):
        return "bare"
    if masked == "=":
        return "equals"
    core = masked.strip("\"'=:([,){}.;")
    if core.startswith("HTTP/"):
        return "status"
    word = core.rpartition("_")[2].rpartition(".")[2].lower()
    if word in CODE_WORDS and not (word in {"error", "err"} and masked.endswith(":")):
        return "code"
    if word in STATUS_WORDS:
        return "status"
    if core in DURATIONS or core in SIZES:
        return "unit"
    return "month" if MONTH_WORD.fullmatch(masked) else ""


def _names_error(token: str, before: str, tokens: list[str], index: int) -> bool:
    """`returned 404`, `exit code 137` and `404 Not Found` name an error; `returned 404 rows` not."""
    after = tokens[index + 1] if index + 1 < len(tokens) else ""
    if after.strip(",.;:").lower() in COUNTED:
        return False
    if before == "code":
        return True
    return _STATUS.fullmatch(token) is not None and (before == "status" or after in REASONS)


def _join_unit(words: list[str], token: str, counts: dict[str, int]) -> None:
    """`15 ms` is one duration; a size told again in brackets, `1046 bytes (1.02 KB)`, is one size."""
    core = token.strip("\"'=:([,){}.;")
    kind = "duration" if core in DURATIONS else "size"
    head = words.pop().removesuffix("<num>")
    tail = token.partition(core)[2]
    counts["num"] = counts.get("num", 1) - 1
    counts[kind] = counts.get(kind, 0) + 1
    if head == "(" and tail.startswith(")") and words and words[-1] == f"<{kind}>":
        head, tail = words.pop(), tail[1:]
        words.append(head + tail)
    else:
        words.append(f"{head}<{kind}>{tail}")
