"""Masks of v1: what varies from one occurrence to the next becomes a placeholder.

Three passes, each linear: quoted values over the whole text, then token by token
(`tokens.mask_token`, remembered), with the word before a number deciding whether the number
names the error (`returned 404`, `exit code 1`), then dates that spread over several words.
"""

import re
from typing import NamedTuple

import msgspec

from app.signatures.v1.quotes import mask_quotes
from app.signatures.v1.tokens import mask_token
from app.signatures.v1.vocabulary import (
    CODE_WORDS,
    COUNTED,
    DAYS,
    DURATIONS,
    METHODS,
    MONTH_WORD,
    MONTHS,
    NO_PLURALS,
    OTHER_CODES,
    PASSING,
    REASONS,
    SIZES,
    STATUS_WORDS,
)


class Masked(msgspec.Struct, frozen=True):
    """A text with placeholders, whitespace runs made one space, and how many of each kind."""

    text: str
    counts: dict[str, int]


class _Telling(NamedTuple):
    """A token that was masked, or that means something to its neighbours."""

    masked: str
    kinds: tuple[str, ...]
    role: str
    """`code`, `status`, `bare` (a short number), `unit`, `month`, or empty."""


_REMEMBERED = 8_192
_LONGEST_REMEMBERED = 80
_known: dict[str, str | _Telling] = {}
"""Tokens seen, a plain string when nothing is to be said of them. A cache: emptied when full."""

_MOST_PASSING = 2
_LONGEST_CODE = 5
_LONGEST_BARE = 16
_NUMBER = _Telling("<num>", ("num",), "")
_SHORT_NUMBER = _Telling("<num>", ("num",), "bare")
_BARE = re.compile(r"[\[({\"']*-?(?:[0-9A-Z]{1,5}|0x[0-9A-Fa-f]{8})[\])}\"',.:;]*")
_NAMED = re.compile(r"\[?[A-Z]{1,8}[0-9]{3,6}(?::|\]:?)")
"""How compilers and clouds number their errors: `TS2304:`, `CS0103:`, `AADSTS50011:`."""
_FIRST = re.compile(r"\[[45][0-9]{2}\]:?|[45][0-9]{2}")
_DRIVER_CODE = re.compile(r"\([0-9]{4,5},")
_PLURAL = re.compile(r"[a-z]{2,}[a-rt-z]s[.,;:)]*")
_STATUS = re.compile(r"\D*[1-5][0-9]{2}\D*")
_DATE = re.compile(
    rf"""(?<![A-Za-z0-9]) (?:(?:{DAYS})[a-z]{{0,6}},?[ ])? (?:<num>,?[ ])?
    (?:{MONTHS})[a-z]{{0,6}},?[ ]<num>,?
    (?:[ ]<num>)? (?:[ ]<time>)? (?:[ ][A-Z]{{2,4}})? (?:[ ]<num>)? (?![^\s.,;)\]])""",
    re.VERBOSE,
)
_TIMES = re.compile(r"<time>(?:,? <time>(?![\w<])| [AP]M(?!\w))++")
_MARKS = "\"'=:([,){}.;"


def mask(text: str) -> Masked:
    """`text` with its variable parts as placeholders. `mask(mask(x).text).text == mask(x).text`."""
    counts: dict[str, int] = {}
    if '"' in text or "'" in text or "`" in text or not text.isascii():
        text = mask_quotes(text, counts)
    tokens = text.split()
    words: list[str] = []
    append = words.append
    for place, found in enumerate(map(_known.get, tokens)):
        known = found or _look_at(tokens[place])
        if isinstance(known, str):
            append(known)
            continue
        masked, kinds, role = known
        if role == "bare" and _names_error(tokens, place):
            append(tokens[place])
        elif role == "unit" and words and words[-1].endswith("<num>"):
            _join_unit(words, masked, counts)
        else:
            append(masked)
            for kind in kinds:
                counts[kind] = counts.get(kind, 0) + 1
    text = " ".join(words)
    if counts.pop("month", 0):
        text = _DATE.sub("<time>", text)
    if "<time>" in text:
        text = _TIMES.sub("<time>", text)
    return Masked(text, counts)


def _look_at(token: str) -> str | _Telling:
    if token.isdigit() and token.isascii():
        return _SHORT_NUMBER if len(token) <= _LONGEST_CODE else _NUMBER
    masked, kinds = mask_token(token)
    role = _role(token, masked)
    if role == "month":
        kinds = ("month",)
    known = _Telling(masked, kinds, role) if kinds or role else masked
    if len(token) <= _LONGEST_REMEMBERED:
        if len(_known) >= _REMEMBERED:
            _known.clear()
        _known[token] = known
    return known


def _role(token: str, masked: str) -> str:
    """What a token means to its neighbours; but for `bare`, told from its masked form alone."""
    if masked != token:
        if len(token) <= _LONGEST_BARE and (_BARE.fullmatch(token) or _NAMED.fullmatch(token)):
            return "bare"
        if masked[-1] == ">" and "HTTP/" not in masked:
            return ""
    core = masked.strip(_MARKS)
    if core.endswith(">") and not core.startswith("HTTP/"):
        return ""
    if core in DURATIONS or core in SIZES:
        return "unit"
    return "month" if MONTH_WORD.fullmatch(masked) else _announced(masked, core)


def _announced(masked: str, core: str) -> str:
    """What number the token announces: `http_status:`, `exit code`, `returned`."""
    if core.startswith("HTTP/"):
        return "status"
    kind, _, word = core.lower().rpartition(".")[2].rpartition("_")
    if word == "code" and kind.rpartition("_")[2] in OTHER_CODES:
        return ""
    if word in CODE_WORDS and not (word in {"error", "err"} and masked.endswith(":")):
        return "code"
    return "status" if word in STATUS_WORDS else ""


def _names_error(tokens: list[str], place: int) -> bool:
    """`returned 404`, `exit code 137`, `404 Not Found` name an error; `returned 404 rows` not."""
    token = tokens[place]
    after = tokens[place + 1] if place + 1 < len(tokens) else ""
    if after.strip(",.;:").lower() in COUNTED:
        return False
    before = _role_before(tokens, place)
    if before == "code":
        return True
    if not place and (_NAMED.fullmatch(token) or _opens_with_code(token, after)):
        return True
    if _STATUS.fullmatch(token) is None or "x" in token:
        return False
    if before == "status":
        return not _is_plural(after)
    return after in REASONS


def _opens_with_code(token: str, after: str) -> bool:
    """`[404] payments`, `(1062, "Duplicate entry` of MySQL drivers, `404` and nothing else."""
    if _FIRST.fullmatch(token):
        return token[0] == "[" or not after
    return _DRIVER_CODE.fullmatch(token) is not None and after[:1] in {'"', "'"}


def _is_plural(word: str) -> bool:
    """`returned 404 users` counts users."""
    return _PLURAL.fullmatch(word) is not None and word not in NO_PLURALS


def _role_before(tokens: list[str], place: int) -> str:
    """What the tokens before announce; `=`, `is`, `of a` hand on what stands before them."""
    before = place - 1
    while before > 0 and place - before <= _MOST_PASSING and tokens[before] in PASSING:
        before -= 1
    if before < 0:
        return ""
    token = tokens[before]
    if before and tokens[before - 1].strip(_MARKS) in METHODS:
        return "status"
    known = _known.get(token) or _look_at(token)
    role = "" if isinstance(known, str) else known.role
    if role == "code" and before and token.strip(_MARKS).lower() == "code":
        return "" if tokens[before - 1].strip(_MARKS).lower() in OTHER_CODES else role
    return role


def _join_unit(words: list[str], unit: str, counts: dict[str, int]) -> None:
    """`15 ms` is one duration; `1046 bytes (1.02 KB)`, a size told twice, is one size."""
    core = unit.strip(_MARKS)
    kind = "duration" if core in DURATIONS else "size"
    head = words.pop().removesuffix("<num>")
    tail = unit.partition(core)[2]
    counts[kind] = counts.get(kind, 0) + 1
    counts["num"] = counts.get("num", 1) - 1
    if not counts["num"]:
        del counts["num"]
    if head == "(" and tail.startswith(")") and words and words[-1] == f"<{kind}>":
        head, tail = "", tail[1:]
        words.pop()
    words.append(f"{head}<{kind}>{tail}")
