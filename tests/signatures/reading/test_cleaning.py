"""Colours, escapes, and what shippers put before each line."""

import pytest

from app.signatures.reading.cleaning import plain, unescaped, without_prefixes
from app.signatures.reading.limits import MAX_TEXT


def test_colours_and_links_are_taken_off() -> None:
    assert plain("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\") == "red link"


def test_of_a_very_long_text_both_ends_are_kept() -> None:
    text = plain("first\n" + "x\n" * MAX_TEXT + "last")

    assert text.startswith("first\n")
    assert text.endswith("\nlast")
    assert len(text) <= MAX_TEXT


def test_a_json_string_is_decoded() -> None:
    assert unescaped(r'"a \"b\"\n\tc"') == 'a "b"\n\tc'


def test_quotes_without_backslash_mean_that_only_line_ends_were_escaped() -> None:
    assert unescaped(r'File "C:\temp"\n\tx') == 'File "C:\\temp"\n\tx'


def test_an_escaped_escape_loses_one_level() -> None:
    assert unescaped(r"a\\nb") == r"a\nb"


@pytest.mark.parametrize(
    "prefix",
    [
        "web-1  | ",
        "12:00:01 web.1  | ",
        "2024-05-01T10:00:00.1Z stdout F ",
        "2024-05-01 10:00:00,123 - ",
        "[2024-05-01 10:00:00 +0000] [8] [ERROR] ",
        "Oct  3 10:00:00 host app[12]: ",
        "E0501 10:00:00.123456       1 main.go:12] ",
        "ERROR:root:",
        "[ 123.456] ",
    ],
)
def test_a_prefix_is_taken_off_and_the_indent_kept(prefix: str) -> None:
    text = "Top\n  indented\n\nEnd"
    prefixed = "\n".join(prefix + line for line in text.split("\n"))

    assert without_prefixes(prefixed) == text


def test_one_line_of_many_with_a_prefix_keeps_it() -> None:
    text = "2024-05-01 10:00:00 failed\nbecause\nof\nthis"

    assert without_prefixes(text) == text
