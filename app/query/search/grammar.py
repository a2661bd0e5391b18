"""The grammar of the search language, for lark's LALR(1) parser: no backtracking, no recursion."""

from typing import Final

GRAMMAR: Final = r"""
start: any
?any: all (_OR all)*
?all: one (_AND? one)*
?one: (_NOT | _MINUS) one -> no
    | _OPEN any _CLOSE -> group
    | term
?term: WORD -> word
    | QUOTED -> quoted
    | FIELD COMPARISON? (VALUE | QUOTED) -> field
    | FIELD PATTERN -> pattern

_OR.3: /OR(?=[\s()"]|$)/
_AND.3: /AND(?=[\s()"]|$)/
_NOT.3: /NOT(?=[\s()"]|$)/
_MINUS.2: /-(?=[^\s])/
_OPEN: "("
_CLOSE: ")"
FIELD.2: /[A-Za-z_][A-Za-z0-9_]*(\.("(?:[^"\\]|\\.)*"|[A-Za-z0-9_.@\/-]*))?:/s
COMPARISON.3: />=|<=|>|<|=/
PATTERN.2: /\/(?:[^\/\\]|\\.)+\/i?(?=[\s()]|$)/s
QUOTED: /"(?:[^"\\]|\\.)*"\*?/s
VALUE: /[^\s()"]+/
WORD: /(?!(?:OR|AND|NOT)(?:[\s()"]|$))[^\s()"-][^\s()"]*/
%ignore /\s+/
"""

LEGIBLE: Final = {
    "_OR": "OR",
    "_AND": "AND",
    "_NOT": "NOT",
    "_MINUS": "-",
    "_OPEN": "(",
    "_CLOSE": ")",
}
