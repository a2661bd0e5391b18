"""Masks inside one token, that is: one run of text without whitespace.

A token's masks depend on the token alone, so they can be remembered. Every alternative of
the patterns starts only where a run starts (lookbehind) and ends in a possessive or bounded
run: time stays linear in the length of the token, whatever stands in it.
"""

import re
from collections.abc import Callable

from app.signatures.v1.runs import Placed, is_random, place_quantity, place_run, place_word

KINDS = "uuid|hex|id|num|time|duration|size|ip|mac|email|jwt|base64|str|port|user|query"
PLACEHOLDER = re.compile(rf"<(?:{KINDS})>")

_H = "[0-9A-Fa-f]"
_START = "(?<![A-Za-z0-9])"
_END = "(?![A-Za-z0-9])"
_NOT_IN_SOURCE_POSITION = "".join(rf"(?<!\.[a-z]{{{n}}}:)" for n in (1, 2, 3, 4))

_CODE_KEYS = (
    "status|errno|signal|exit|rc|sqlstate|httpstatus|(?<![A-Za-z0-9_-])code"
    "|(?:exit|error|err|status|return|ret|response|result|http)[_.-]?code"
)
"""`postal_code` is none of them."""
_CODED = "(?:ORA|PLS|TNS|CVE|CWE|RFC|ISO|UTF|SHA|AES|HTTP)-"
"""Prefixes of codes that name something, as `ORA-00942` and `CVE-2024-3094` do."""

_LONG_RUN = re.compile(
    r"""
    (?P<jwt> (?<![\w-]) eyJ[\w-]{17,}+ \. [\w-]{11,}+ (?:\.[\w-]*+)? )
  | (?P<base64> (?<![A-Za-z0-9+/=_-]) [A-Za-z0-9+/_-]{32,}+ ={0,2} )
    """,
    re.VERBOSE | re.ASCII,
)
_KEPT = rf"""
    (?P<kept> <(?:{KINDS})>
      | {_START} (?i:{_CODE_KEYS}) ["']? [=:\[]["']? -?[0-9A-Z]{{1,5}} (?![A-Za-z0-9.:<])
      | {_START} (?i:error|warning) \[[A-Z]{{1,8}}\d{{3,6}}\]
      | {_START} {_CODED}\d++ (?:-\d{{4,7}})? {_END} )"""
_MARKED = rf"""
    (?P<email> (?<![\w.+%>-]) [\w.+%-]++ @ [A-Za-z0-9-]++ (?:\.[A-Za-z0-9-]++)++ )
  | (?P<query> (?<=[\w/]) \? [\w.%\[\]-]++ = [^\s"'<>()]*+ (?:<(?:{KINDS})>[^\s"'<>()]*+)*+ )
  | (?P<user> (?: (?<=/home/) | (?<=/Users/) ) [^/\s"'<>:,;()?]++
      | (?<=\\Users\\) [^\\\s"'<>:,;()?]++ )"""
_LINKED = rf"""
    (?P<uuid> {_H}{{8}}-{_H}{{4}}-{_H}{{4}}-{_H}{{4}}-{_H}{{12}} {_END} )
  | (?P<mac> (?<![:-]) {_H}{{2}} (?: (?::{_H}{{2}}){{5,}}+ | (?:-{_H}{{2}}){{5,}}+ ) {_END} )
  | (?P<time> {_NOT_IN_SOURCE_POSITION} (?:
        \d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}} (?: [T:_-] \d{{1,2}}[:.]\d{{2}} (?:[:.]\d{{2}})?
          (?:[.,:]\d{{1,9}})? (?:Z|[+-]\d{{2}}:?\d{{2}})? )?
      | \d{{1,2}}/(?:\d{{1,2}}|[A-Z][a-z]{{2}})/\d{{2,4}} (?: :\d{{2}}:\d{{2}}:\d{{2}} )?
      | \d{{1,3}}:\d{{2}} (?: :\d{{2}})? (?:[.,]\d{{1,9}})? (?:Z|[+-]\d{{2}}:?\d{{2}})?
      ) (?![A-Za-z0-9]|[:/]\d) )
  | (?P<ip> (?<!\.) \d{{1,3}}\.\d{{1,3}}\.\d{{1,3}}\.\d{{1,3}} (?:/\d{{1,2}}(?!\d))?
      (?::\d{{1,5}})? (?![A-Za-z0-9]|\.\d) )"""
_SIMPLE = rf"""
    (?P<hex> 0[xX]{_H}++ {_END} )
  | (?P<duration> (?<!\d\.) (?:\d++(?:\.\d++)?+(?:ms|us|µs|ns|[hms]))++ {_END} )
  | (?P<number> (?<!\d[.,]) \d++ (?:[.,]\d++)*+ (?: [eE][-+]?\d++{_END} | %(?!\w) )?
      [A-Za-zµμ]{{0,12}} {_END} )
  | (?P<word> [A-Za-z0-9]++ )"""
_SIGNED = rf"""
    (?P<signed> (?: (?<![A-Za-z0-9.)\]>-])[-+] | (?<!\S)[<>~]=?[-+]? ) (?<!\d[.,])
      \d++ (?:[.,]\d++)*+ (?: [eE][-+]?\d++{_END} | %(?!\w) )? [A-Za-zµμ]{{0,12}} {_END} )"""
_ADDRESS6 = rf"""(?: (?:{_H}{{1,4}}:){{7}}{_H}{{1,4}}
      | (?:{_H}{{1,4}} (?: :{_H}{{1,4}}){{0,6}} )? ::
        (?: (?:{_H}{{1,4}}:){{0,4}} \d{{1,3}}(?:\.\d{{1,3}}){{3}} (?![\w.])
          | {_H}{{1,4}} (?: :{_H}{{1,4}}){{0,6}} )? )"""
"""RFC 4291 section 2.2, with a zone (RFC 4007 section 11) where one follows."""
_ZONE = "(?: %[A-Za-z0-9]{1,15} )?"
_IP6 = rf"""
    (?P<host6> \[{_ADDRESS6}{_ZONE}\] (?: :\d{{1,5}}(?!\w) )? )
  | (?P<ip6> (?<![\w:.]) {_ADDRESS6} {_ZONE} (?![\w:%]) )"""
_ENTITY = re.compile(
    f"{_KEPT} | {_MARKED} | {_IP6} | {_START} (?: {_LINKED} | {_SIMPLE} ) | {_SIGNED}",
    re.VERBOSE | re.ASCII,
)
_WITHOUT_MARKS = re.compile(
    f"{_KEPT} | {_START} (?: {_LINKED} | {_SIMPLE} ) | {_SIGNED}", re.VERBOSE | re.ASCII
)
_WITHOUT_LINKS = re.compile(
    f"{_KEPT} | {_START} (?: {_SIMPLE} ) | {_SIGNED}", re.VERBOSE | re.ASCII
)
"""The same with what cannot match left out: no `@`, `?`, `::`; no `.`, `:`, `-`, `/` either."""
_HOMES = re.compile(r"[/\\](?:home|Users)[/\\]")
_SPECIAL = re.compile(
    r"[0-9@?]|eyJ[\w-]{17}|[/\\](?:home|Users)[/\\]|[a-f]{16}|[A-F]{16}"
    r"|[-_#][A-Za-z]{8}|[A-Za-z0-9+/]{40}|::"
)
_DOTTED_NAME = re.compile(
    r"[^A-Za-z0-9_<]*+(?:[A-Za-z_$][\w$]*+(?:\.|::|/(?=[A-Z])))++[A-Za-z_$][\w$]*+\W*+"
)
_CLASS_LABEL = re.compile(r"[A-Z]\w*[a-z]|::|\$")
_CASE_CHANGE = re.compile(r"(?<=[a-z])[A-Z0-9]|(?<=[A-Z])[0-9]|(?<=[0-9])[A-Za-z]")
_DIGITS = re.compile(r"[0-9]+")
_RUNS = re.compile(r"[A-Za-z0-9]+")

_PLAIN = re.compile(
    rf"""(?P<before> [(\["'=]{{0,2}}+
        (?: (?!{_CODED}) [A-Za-z]++[-_] (?P<negative> -(?=[0-9]++(?![A-Za-z0-9.])) )?
          | (?!(?i:{_CODE_KEYS})[=:]) [A-Za-z]++(?: [=:] | \.(?=[0-9]) ) | / )?+ )
    (?: (?P<hex>0[xX][0-9a-fA-F]++)
      | (?P<ip>[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{3}}(?![0-9.])) (?P<port>:[0-9]{{1,5}})?+
      | (?P<uuid>{_H}{{8}}-{_H}{{4}}-{_H}{{4}}-{_H}{{4}}-{_H}{{12}})
      | (?P<decimal>[0-9]++\.[0-9]++) | (?P<run>[0-9A-Za-z]{{1,31}}+) )
    (?P<after>[)\]"',;]{{0,2}}+[:.]?)""",
    re.VERBOSE | re.ASCII,
)
"""The commonest masked tokens, decided in one match; what it says is what `_ENTITY` says."""

_SHORTEST_LONG_RUN = 32


def mask_token(token: str) -> tuple[str, tuple[str, ...]]:
    """The token with its variable parts as placeholders, and the kinds that were masked."""
    if not _SPECIAL.search(token):
        return token, ()
    plain = _PLAIN.fullmatch(token)
    if plain:
        return _plain(plain)
    kinds: list[str] = []

    def place(match: re.Match[str]) -> str:
        placed, kind = _PLACES[match.lastgroup or "kept"](match)
        if kind:
            kinds.append(kind)
        return placed

    if len(token) >= _SHORTEST_LONG_RUN:
        # Before names are told: a JWT has the dots of one, and is a secret.
        token = _LONG_RUN.sub(place, token)
    if _is_dotted_name(token):
        return token, tuple(kinds)
    return _pattern(token).sub(place, token), tuple(kinds)


def _plain(match: re.Match[str]) -> tuple[str, tuple[str, ...]]:
    before, negative, _, ip, port, uuid, decimal, run, after = match.groups()
    if negative:
        before = before[:-1]
    if run or decimal:
        place = place_run if run else place_quantity
        placed, kind = place(run or decimal, before[-2:])
        return before + placed + after, (kind,) if kind else ()
    kind = "ip" if ip else "uuid" if uuid else "hex"
    return f"{before}<{kind}>{':<port>' if port else ''}{after}", (kind,)


def _pattern(token: str) -> re.Pattern[str]:
    if "@" in token or "?" in token or token.count(":") > 1 or _HOMES.search(token):
        return _ENTITY
    if "." in token or ":" in token or "-" in token or "/" in token:
        return _WITHOUT_MARKS
    return _WITHOUT_LINKS


def _is_dotted_name(token: str) -> bool:
    """`org.acme.log4j.Foo2` and `Foo2::bar` are names: their digits stay."""
    return bool(
        _DOTTED_NAME.fullmatch(token)
        and _CLASS_LABEL.search(token)
        and not any(map(is_random, _RUNS.findall(token)))
    )


def _always(placeholder: str, kind: str) -> Callable[[re.Match[str]], Placed]:
    return lambda _match: (placeholder, kind)


def _base64(match: re.Match[str]) -> Placed:
    """Random base64 changes its character class at every second letter; paths and names do not."""
    sample = match[0][:256]
    mixed = not sample.islower() and not sample.isupper() and _DIGITS.search(sample)
    if mixed and len(_CASE_CHANGE.findall(sample)) * 10 >= len(sample) * 3:
        return "<base64>", "base64"
    return match[0], ""


def _ip(match: re.Match[str]) -> Placed:
    return ("<ip>:<port>" if ":" in match[0] else "<ip>"), "ip"


def _host6(match: re.Match[str]) -> Placed:
    if not _DIGITS.search(match[0]):
        return match[0], ""
    return ("[<ip>]" if match[0].endswith("]") else "<ip>:<port>"), "ip"


def _ip6(match: re.Match[str]) -> Placed:
    return ("<ip>", "ip") if _DIGITS.search(match[0]) else (match[0], "")


def _number(match: re.Match[str]) -> Placed:
    return place_quantity(match[0], _before(match))


def _word(match: re.Match[str]) -> Placed:
    return place_word(match[0], _before(match))


def _before(match: re.Match[str]) -> str:
    return match.string[max(0, match.start() - 2) : match.start()]


_PLACES: dict[str, Callable[[re.Match[str]], Placed]] = {
    "kept": lambda match: (match[0], ""),
    "jwt": _always("<jwt>", "jwt"),
    "base64": _base64,
    "email": _always("<email>", "email"),
    "uuid": _always("<uuid>", "uuid"),
    "time": _always("<time>", "time"),
    "mac": _always("<mac>", "mac"),
    "host6": _host6,
    "ip6": _ip6,
    "ip": _ip,
    "hex": _always("<hex>", "hex"),
    "query": _always("?<query>", "query"),
    "user": _always("<user>", "user"),
    "duration": _always("<duration>", "duration"),
    "number": _number,
    "signed": _number,
    "word": _word,
}
