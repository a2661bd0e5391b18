"""Bytes of a file -> text of a document: sizes, encodings, and encodings that broke on the way."""

import re
from typing import Final

MAX_DOCUMENT_BYTES: Final = 4 * 1024 * 1024
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_HEADING: Final = re.compile(r"#{2,6} \S")


class NotADocument(ValueError):
    """The file is no text, or too large to be something that people wrote."""


def decode_document(content: bytes) -> str:
    """The text, with mojibake repaired. Raises `NotADocument`.

    UTF-8 first, then UTF-16 by its mark, then Windows-1252. Lines stay where they are.
    """
    if len(content) > MAX_DOCUMENT_BYTES:
        raise NotADocument(f"the file is larger than {MAX_DOCUMENT_BYTES:,} bytes")
    text = _decode(content)
    if "\x00" in text:
        raise NotADocument("the file is not text: it holds NUL")
    import ftfy  # noqa: PLC0415 - late: its tables take a twentieth of a start

    repaired = ftfy.fix_encoding(text)
    # Provenance counts lines: a repair that moves them is none.
    return repaired if repaired.count("\n") == text.count("\n") else text


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise NotADocument("the file is not text in UTF-8, UTF-16 or Windows-1252")


def without_front_matter(text: str) -> str:
    """Front matter between `---` lines becomes blank lines: Markdown would read a heading in it."""
    lines = text.split("\n")
    # A document may also begin with a line across the page.
    if lines[0].rstrip() != "---" or ":" not in "".join(lines[1:2]):
        return text
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() in ("---", "...")), 0)
    return "\n".join([""] * (end + 1) + lines[end + 1 :]) if end else text


def with_fences_closed(text: str) -> tuple[str, list[int]]:
    """The text with each fence that nobody closed ended before the next heading.

    CommonMark would let it swallow the rest of the document. Also the lines (from 1) where such
    fences open. A line never moves: the closing fence takes the place of a blank line.
    """
    lines = text.split("\n")
    unclosed: list[int] = []
    opened: tuple[int, str] | None = None
    blank = 0
    for n, line in enumerate(lines):
        found = _FENCE.match(line)
        if opened is None:
            opened = (n, found[1]) if found and "`" not in found[2] else None
            blank = 0
        elif found and found[1].startswith(opened[1]) and not found[2].strip():
            opened = None
        elif not line.strip():
            blank = n
        elif _HEADING.match(line) and blank == n - 1 and not _closes_later(lines, n, opened[1]):
            lines[blank] = opened[1]
            unclosed.append(opened[0] + 1)
            opened = None
    if opened:
        unclosed.append(opened[0] + 1)
    return "\n".join(lines), unclosed


def _closes_later(lines: list[str], start: int, fence: str) -> bool:
    """Whether the next fence line below closes this one, rather than opening another."""
    for line in lines[start:]:
        found = _FENCE.match(line)
        if found and found[1].startswith(fence):
            return not found[2].strip()
    return False
