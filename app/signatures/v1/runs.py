"""What one alphanumeric run is: a name, a number, a quantity, a hash, an id."""

import re

from app.signatures.v1.vocabulary import (
    ATTACHED_DURATIONS,
    ATTACHED_SIZES,
    NAMES_WITH_DIGITS,
    ORDINALS,
)

Placed = tuple[str, str]
"""What stands in the place of a run, and the kind that was masked; no kind when it stays."""

_DIGITS = re.compile(r"[0-9]+")
_HEX = re.compile(r"[0-9a-fA-F]+")
_LETTERS_THEN_NUMBER = re.compile(r"([A-Za-z]+)[0-9]+")
_NAME_WITH_DIGIT = re.compile(r"[A-Za-z]{2,}[0-9]{1,2}[A-Za-z]{2,}")
_QUANTITY = re.compile(r"[<>~]?=?[-+]?[0-9.,]+(?:[eE][-+]?[0-9]+)?%?([A-Za-zµμ]{0,12})")
_COMPOUND_DURATION = re.compile(r"(?:[0-9]+(?:ms|us|ns|[hms]))+")
_PIECE = re.compile(r"[A-Z]+[a-z]*|[a-z]+")
_SHORTEST_HEX = 7
_LONG_HEX = 16
"""Hex digits from here on are no word, even where they happen to be letters only."""
_SHORTEST_RANDOM = 8
_FEW_LETTERS = 2
_SHORTEST_PREFIXED_HEX = 4
_SHORTEST_ID = 4


def place_run(run: str, before: str) -> Placed:
    """A whole run of ASCII letters and digits, `before` the two characters in front of it."""
    if run.isdigit():
        return _id_or_number(before)
    if run[0] in "0123456789":
        if run[-1] in "hms" and _COMPOUND_DURATION.fullmatch(run):
            return "<duration>", "duration"
        quantity = _QUANTITY.fullmatch(run)
        if quantity:
            return _place_unit(run, quantity[1], before)
    return place_word(run, before)


def place_quantity(text: str, before: str) -> Placed:
    """`15ms`, `-3.5`, `<1`, `2nd`, `4KiB`; or a word that begins with a digit."""
    quantity = _QUANTITY.fullmatch(text)
    return _place_unit(text, quantity[1] if quantity else "", before)


def _place_unit(text: str, unit: str, before: str) -> Placed:
    if not unit or unit in ORDINALS:
        return _id_or_number(before)
    if unit in ATTACHED_DURATIONS:
        return "<duration>", "duration"
    if unit in ATTACHED_SIZES:
        return "<size>", "size"
    return place_word(text, before) if text.isalnum() else ("<num>" + unit, "num")


def place_word(word: str, before: str) -> Placed:
    """A name stays; a number, hash or id goes."""
    prefixed = before[-1:] in {"-", "_", "#"}
    if len(word) >= _LONG_HEX and _HEX.fullmatch(word) and not word.isdigit():
        return ("<id>", "id") if prefixed else ("<hex>", "hex")
    if not _DIGITS.search(word) or word.lower() in NAMES_WITH_DIGITS:
        return ("<id>", "id") if prefixed and _is_scrambled(word) else (word, "")
    if word.isdigit():
        return _id_or_number(before)
    if len(word) >= (_SHORTEST_PREFIXED_HEX if prefixed else _SHORTEST_HEX) and _HEX.fullmatch(
        word
    ):
        return ("<id>", "id") if prefixed else ("<hex>", "hex")
    return _place_mixed(word, prefixed=prefixed)


def _id_or_number(before: str) -> Placed:
    """A number behind `name-` or `name_` numbers a thing: an id."""
    prefixed = before[1:] in {"-", "_"} and before[:1].isalpha()
    return ("<id>", "id") if prefixed else ("<num>", "num")


def _place_mixed(word: str, *, prefixed: bool) -> Placed:
    """Letters and digits, no hash: `Http2Server` stays, `node12` keeps `node`, `9fK2x` is an id."""
    if _NAME_WITH_DIGIT.fullmatch(word) and not (prefixed and _is_scrambled(word)):
        return word, ""
    numbered = _LETTERS_THEN_NUMBER.fullmatch(word)
    if numbered and (not prefixed or numbered[1].islower() or len(numbered[1]) == 1):
        return numbered[1] + "<num>", "num"
    if len(word) < _SHORTEST_ID:
        return _DIGITS.sub("<num>", word), "num"
    return "<id>", "id"


def is_random(run: str) -> bool:
    """Whether a part of what looks like a dotted name is an id: `a1b2c3d4`, `aB3dE5`."""
    digits = len(_DIGITS.findall(run))
    letters = sum(map(str.isalpha, run))
    if len(run) >= _SHORTEST_HEX and digits and _HEX.fullmatch(run):
        return True
    return digits > 1 and letters <= _FEW_LETTERS * (digits + 1) and len(run) >= _SHORTEST_HEX


def _is_scrambled(word: str) -> bool:
    """Case that changes as no camel-case name does: `NffrFeUfNV2Hib`, `abCdEfGh`."""
    short = sum(len(piece) <= _FEW_LETTERS for piece in _PIECE.findall(word))
    return len(word) >= _SHORTEST_RANDOM and short > 1
