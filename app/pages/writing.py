"""Texts as Markdown in which nothing is markup that is not meant to be. Pure (CommonMark 0.31)."""

import re
from typing import Final

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>#|~!&])")


def plain(text: str) -> str:
    """One line in which nothing is markup (2.4)."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """One line as code: its fence is longer than any run of backticks in it (6.1)."""
    line = " ".join(text.split())
    fence = "`" * (_longest_run(line) + 1)
    pad = " " if "`" in line else ""
    return f"{fence}{pad}{line}{pad}{fence}" if line else ""


def fenced(text: str) -> str:
    """A block of code that nothing in the text can end (4.5)."""
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max(map(len, re.findall(r"`+", text)), default=0)
