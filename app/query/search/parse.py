"""Text -> tree."""

import re
from functools import cache
from typing import Any, Final, NoReturn

import msgspec
from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from app.query.search.errors import InvalidSearch
from app.query.search.fields import Given, term_of, words_of
from app.query.search.grammar import GRAMMAR, LEGIBLE
from app.query.search.model import And, Comparison, Everything, Not, Or, Pattern, Search, Term

LONGEST: Final = 16_000
MOST_TERMS: Final = 200
DEEPEST: Final = 50
MOST_PATTERNS: Final = 5


class _Node(msgspec.Struct, frozen=True):
    """A tree while it grows: what bounds it is counted on the way, never by recursion."""

    search: Search
    column: int
    depth: int = 1
    terms: int = 1
    patterns: int = 0


def parse_search(text: str) -> Search:
    """Raises `InvalidSearch`, which says where and what to change."""
    if len(text) > LONGEST:
        raise InvalidSearch(
            f"a search has at most {LONGEST:,} characters; shorten it", column=LONGEST + 1
        )
    if not text.isascii():
        _require_utf8(text)
    if not text.strip():
        return Everything()
    try:
        grown: Any = _parser().parse(text)
    except UnexpectedCharacters as error:
        _explain_characters(text, int(error.pos_in_stream or 0))
    except UnexpectedToken as error:
        _explain_token(text, error)
    node: _Node = grown
    return node.search


def _require_utf8(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidSearch(
            "half of a surrogate pair stands here; leave it out", column=error.start + 1
        ) from error


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_Grow())


def _column(token: Token) -> int:
    return int(token.start_pos or 0) + 1


class _Grow(Transformer[Token, _Node]):
    """Called by the parser for each rule as it is read, innermost first."""

    @v_args(inline=True)
    def start(self, node: _Node) -> _Node:
        return node

    @v_args(inline=True)
    def word(self, token: Token) -> _Node:
        return _grown(token, lambda: words_of(_bare(str(token))))

    @v_args(inline=True)
    def quoted(self, token: Token) -> _Node:
        return _grown(token, lambda: words_of(_quoted(str(token))))

    def field(self, tokens: list[Token]) -> _Node:
        name, value = tokens[0], tokens[-1]
        if value.startswith("/") and name.lower() == "message:":
            raise InvalidSearch(
                "a pattern ends in / and has its own / written as \\/; a path goes in quotes",
                column=_column(value),
            )
        compared = Comparison(str(tokens[1])) if len(tokens) > 2 else Comparison.EQUAL  # noqa: PLR2004 - with the one between
        return _grown(name, lambda: term_of(_name(str(name)), _given(value, compared)))

    @v_args(inline=True)
    def pattern(self, name: Token, token: Token) -> _Node:
        text, _, flag = str(token)[1:].rpartition("/")
        # As in sed and JavaScript: within the slashes a slash is escaped.
        text = re.sub(r"\\(.)", lambda m: "/" if m[1] == "/" else m[0], text, flags=re.DOTALL)
        given = Given(text=with_flag(text) if flag else text, is_pattern=True)
        return _grown(name, lambda: term_of(_name(str(name)), given))

    @v_args(inline=True)
    def no(self, part: _Node) -> _Node:
        return _deeper(part, Not(part=part.search))

    @v_args(inline=True)
    def group(self, part: _Node) -> _Node:
        # Parentheses leave no node, but deep ones are refused all the same.
        return _deeper(part, part.search)

    def all(self, parts: list[_Node]) -> _Node:
        return _joined(parts, And)

    def any(self, parts: list[_Node]) -> _Node:
        return _joined(parts, Or)


def with_flag(pattern: str) -> str:
    """The pattern of `/pattern/i`."""
    return "(?is)" + pattern[4:] if pattern.startswith("(?s)") else "(?i)" + pattern


def _grown(token: Token, make: Any) -> _Node:
    try:
        term: Term = make()
    except ValueError as error:
        raise InvalidSearch(str(error), column=_column(token)) from error
    return _Node(search=term, column=_column(token), patterns=isinstance(term, Pattern))


def _deeper(part: _Node, search: Search) -> _Node:
    if part.depth >= DEEPEST:
        raise InvalidSearch(
            f"at most {DEEPEST} parentheses and NOTs go into each other; take some out",
            column=part.column,
        )
    return msgspec.structs.replace(part, search=search, depth=part.depth + 1)


def _joined(parts: list[_Node], kind: type[And | Or]) -> _Node:
    terms = sum(part.terms for part in parts)
    patterns = sum(part.patterns for part in parts)
    if terms > MOST_TERMS:
        # Their own count is below the bound: so it is here that there are too many.
        raise InvalidSearch(
            f"a search has at most {MOST_TERMS} terms; leave some out", column=_overflow(parts)
        )
    if patterns > MOST_PATTERNS:
        raise InvalidSearch(
            f"a search has at most {MOST_PATTERNS} patterns; leave some out",
            column=parts[-1].column,
        )
    return _Node(
        search=kind(parts=_flat([part.search for part in parts], kind)),
        column=parts[0].column,
        depth=max(part.depth for part in parts) + 1,
        terms=terms,
        patterns=patterns,
    )


def _overflow(parts: list[_Node]) -> int:
    terms = 0
    for part in parts:
        terms += part.terms
        if terms > MOST_TERMS:
            return part.column
    return parts[-1].column


def _flat(parts: list[Search], kind: type[And | Or]) -> tuple[Search, ...]:
    """`(a b) c` is `a b c`."""
    flat: list[Search] = []
    for part in parts:
        flat += part.parts if isinstance(part, And | Or) and isinstance(part, kind) else (part,)
    return tuple(flat)


def _name(token: str) -> str:
    name = token.removesuffix(":")
    first, dot, rest = name.partition(".")
    return f"{first}.{_unescaped(rest[1:-1])}" if dot and rest.startswith('"') else name


def _given(token: Token, compared: Comparison) -> Given:
    made = _quoted(str(token)) if token.type == "QUOTED" else _bare(str(token))
    return msgspec.structs.replace(made, comparison=compared)


def _bare(text: str) -> Given:
    wanted = text.removesuffix("*")
    if "*" in wanted or not wanted:
        raise ValueError("* stands only at the end of a word; put the text in quotes to mean it")
    return Given(text=wanted, is_prefix=wanted != text)


def _quoted(text: str) -> Given:
    is_prefix = text.endswith("*")
    return Given(text=_unescaped(text.removesuffix("*")[1:-1]), is_prefix=is_prefix)


def _unescaped(text: str) -> str:
    return re.sub(r'\\(["\\])', r"\1", text)


def _explain_characters(text: str, place: int) -> NoReturn:
    reason = f"nothing can begin with {text[place]!r} here; put the text in quotes"
    if text[place] == '"':
        reason = 'this quote is never closed; add the second " or leave this one out'
    if text[place] == "-":
        reason = "- stands right before what it excludes; close the gap or put it in quotes"
    raise InvalidSearch(reason, column=place + 1) from None


def _explain_token(text: str, error: UnexpectedToken) -> NoReturn:
    token: Token = error.token
    if token.type == "$END":
        if "_CLOSE" in error.accepts:
            _refuse("a parenthesis is still open; add )", len(text) + 1)
        if "VALUE" in error.accepts:
            _refuse("write a value behind the colon, or put the colon in quotes", len(text) + 1)
        _refuse("something to search for must follow", len(text) + 1)
    said = LEGIBLE.get(token.type, str(token))
    if said == "-":
        _explain_characters(text, _column(token) - 1)
    if "VALUE" in error.accepts:
        _refuse(f'write a value before "{said}", in quotes if it holds that', _column(token))
    if token.type == "_CLOSE":
        _refuse(") closes nothing here, or an empty pair; leave it out", _column(token))
    _refuse(f'"{said}" joins nothing here; write a search before it, or quotes', _column(token))


def _refuse(reason: str, column: int) -> NoReturn:
    raise InvalidSearch(reason, column=column) from None
