"""Quoted values: what a user said goes, what the system names stays.

Quotes themselves stay where they stood, so that a second pass pairs them the same way.
"""

# ruff: noqa: RUF001 - typographic quotes are what is looked for.

import re

from app.signatures.v1.vocabulary import CODE_NOUNS, NAMED_AFTER, NAMING_NOUNS

_QUOTED = re.compile(
    r"""(?<![^\s=:(\[{,]) (?: "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.|(?<=\w)'(?=\w))*+'
      | `[^`\s][^`]*+` | “[^“”]*+” | ‘[^‘’]*+’ ) (?![^\s.,;:)\]}!?])""",
    re.VERBOSE | re.DOTALL,
)
_NAME = re.compile(
    r"""["'`“‘](?:
        [A-Z][a-z]+[A-Z][A-Za-z_]*+ | [A-Z]{4,}+             # NoneType, ECONNREFUSED
      | [A-Z]++(?:_[A-Z]++)++                                # DATABASE_URL
      | (?!eyJ) [A-Za-z_$]++ (?:(?:\.|::)[A-Za-z_$]++)++     # pkg.Class, Class::method
      | (?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\s.*       # an access log's request line
    )["'`”’]""",
    re.VERBOSE | re.DOTALL,
)
"""Names without digits: no later mask touches them, so a second pass sees them again."""

_IDENTIFIER = re.compile(r"""["'`“‘][A-Za-z_$<][\w$.<>-]*+["'`”’]""")
_CODE = re.compile(r"""["'`“‘][\w<>-]++["'`”’]""")
_VALUE_FOR = re.compile(r"(?i:\b(?:values?|default|type|input))\s+(?:for|of)\s+\Z")
_LAST_WORD = re.compile(r"(?<!\S)[(\[{]*([A-Za-z]+)[\s=:(\[{,]*\Z")
_NEXT_WORD = re.compile(r"\s+([A-Za-z]+)(?![^\s.,;:)\]])")
_LOOK_BACK = 40
_EMPTY = 2


def mask_quotes(text: str, counts: dict[str, int]) -> str:
    """`user "bob"` becomes `user "<str>"`; `relation "orders"` stays."""

    def place(match: re.Match[str]) -> str:
        quoted = match[0]
        if _is_name(match):
            return quoted
        if quoted[1:-1] != "<str>":
            counts["str"] = counts.get("str", 0) + 1
        return f"{quoted[0]}<str>{quoted[-1]}"

    return _QUOTED.sub(place, text)


def _is_name(match: re.Match[str]) -> bool:
    """Relations, columns, attributes, types, JSON keys: quoted, yet the same every time.

    What stands in quotes alone is the message itself, as in `KeyError: 'email'`.
    """
    text, start, end = match.string, match.start(), match.end()
    if end - start <= _EMPTY or end - start == len(text) or _NAME.fullmatch(match[0]):
        return True
    before = _LAST_WORD.search(text, max(0, start - _LOOK_BACK), start)
    noun = before[1].lower() if before else ""
    if noun in CODE_NOUNS and _CODE.fullmatch(match[0]):
        return True
    if not _IDENTIFIER.fullmatch(match[0]):
        return False
    if text.startswith(":", end) and (
        not start or text[start - 1] in "{," or text[start - 1].isspace()
    ):
        return True
    if noun in NAMING_NOUNS or _VALUE_FOR.search(text, max(0, start - _LOOK_BACK), start):
        return True
    after = _NEXT_WORD.match(text, end)
    return after is not None and after[1].lower() in NAMED_AFTER
