"""Patterns mean in PostgreSQL what they mean in RE2."""

import asyncpg
import pytest
import re2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.query.search.patterns import to_postgresql

pytestmark = pytest.mark.anyio
TEXTS = [
    "", "a", "ab", "aab", "b", "a b", "a\nb", "foo_bar 12", "é", "aéb", "x-y", "A", "[a]", "a.b",
    "a*b", "{2}", "a{2}", "^a$", "\\d", "tab\there", "path/to", "00ff", "-", "]", "日本 a", "aaaa",
    "\x01\x0b", "connection refused: 10.0.0.1:80", "/0a", "a^b", "b-c",
]  # fmt: skip
PATTERNS = [
    "a", "a+b", "a.b", "(?s)a.b", "^a", "a$", r"\ba\b", r"\d+", r"\D", r"\w+ \w", r"\W",
    r"\s", r"\S\s\S", "[a-c]+", "[^a]", "[]a]", "[^]a]", r"[\]\-]", "[a-]", "[-a]", r"[\d]x?",
    r"[\w-]", r"a{2}", "a{2,}", "a{1,2}?b", "a{,2}", "(?i)FOO", "(?is)A.B", "(a|b)+$", "(?:a|)b",
    "()", "|a", "a||b", "(?P<x>a)b", r"\x41", r"\x{e9}", r"\[a\]", r"a\.b", r"\\d", r"\/", "/0a",
    r"\Aa", r"b\z", r"\t", "a*?b", "a??b", "a+?", "[.]b", "[*]", "[a^]", r"[\^a]", "日本", "é",
    "(?i)É", r"(a+)+$", "(a*)*b", "(?:a?){20}a{20}", r"\bx", "^$", "[\\n]", "{", "a{", "}",
]  # fmt: skip


def found_by_re2(pattern: str) -> list[str]:
    search = re2.compile(pattern).search
    return [text for text in TEXTS if search(text)]


async def found_by_postgresql(connection: asyncpg.Connection, pattern: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT text FROM unnest($1::text[]) WITH ORDINALITY AS given (text, n) "
        "WHERE text ~ $2 ORDER BY n",
        TEXTS,
        to_postgresql(pattern),
    )
    return [row["text"] for row in rows]


async def test_both_engines_find_the_same(connection: asyncpg.Connection) -> None:
    for pattern in PATTERNS:
        assert await found_by_postgresql(connection, pattern) == found_by_re2(pattern), pattern


_pieces = st.sampled_from(
    ["a", "b", "0", "é", "/", " ", ".", "(", ")", "(?:", "|", "*", "+", "?", "{2}", "{1,3}", "^", "$",
     r"\d", r"\w", r"\s", r"\S", r"\b", r"\B", r"\n", r"\.", r"\\", "[", "]", "[^", "-", "[a-b]", "[^b\\d]",
     r"[\s-]", "\\", "{", "}", ",", "(?i)", "(?i:", "(?P<n>", "#", '"', "'", "\n", "_", "&", "~", "@"]
)  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pattern=st.lists(_pieces, max_size=8).map("".join))
async def test_any_pattern_is_refused_or_means_the_same(
    connection: asyncpg.Connection, pattern: str
) -> None:
    try:
        to_postgresql(pattern)
    except ValueError:
        return

    assert await found_by_postgresql(connection, pattern) == found_by_re2(pattern)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "empty"),
        ("a(", "RE2 does not compile"),
        ("a**b(", "RE2 does not compile"),
        (r"(a)\1", "RE2 does not compile"),
        ("(?=a)", "RE2 does not compile"),
        (r"\pL", "not known here"),
        # RE2 finds it inside a character of several bytes.
        (r"\B", "not known here"),
        ("[[:alpha:]]", "write ranges"),
        ("(?m)^a", "(?i) and (?s)"),
        ("a(?i:b)", "kind of group"),
        ("a{300}", "more than 255"),
        ("((a{100}){100}){100}", "RE2 does not compile"),
        ("x" * 501, "at most 500"),
        (r"a\x00", "NUL"),
        (r"\x{d800}", "surrogate"),
        ("^*", "put a group"),
    ],
)
def test_what_the_two_read_differently_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=".") as raised:
        to_postgresql(pattern)

    assert said in str(raised.value)


# Each of these makes an engine that backtracks run for longer than the world has been.
SLOW = ["(a+)+$", "(a|a)*$", "(a*)*b", "(.*)*x", "(?:a?){100}a{100}$", "(x+x+)+y", r"(\w+\s?)*!$"]


@pytest.mark.parametrize("pattern", SLOW)
async def test_no_pattern_hangs_the_server(connection: asyncpg.Connection, pattern: str) -> None:
    await connection.execute("SET statement_timeout = '10s'")
    text = "a" * 20_000 + " x" * 10_000

    found = await connection.fetchval("SELECT $1 ~ $2", text, to_postgresql(pattern))

    assert found == bool(re2.compile(pattern).search(text))
