"""Entity tags of incidents and what `If-Match` demands (RFC 9110, 8.8.3 and 13.1.1). Pure."""

import re
from typing import Final

from app.errors import AppError

_TAGS: Final = re.compile(r'\s*(?:W/)?"[^"\x00-\x20]*"\s*(?:,\s*(?:W/)?"[^"\x00-\x20]*"\s*)*')
_STRONG: Final = re.compile(r'(W/)?"([^"]*)"')


class PreconditionMissing(AppError):
    """A change needs `If-Match`: the `ETag` of the incident as you last read it, or `*`."""


class InvalidPrecondition(AppError):
    """`If-Match` holds no entity tag; send the `ETag` as it came, in its double quotes."""


def etag(version: int) -> str:
    return f'"{version}"'


def holds(if_match: str | None, version: int) -> bool:
    """Whether a change of this version may go on. A weak tag never matches.

    Raises `PreconditionMissing`, `InvalidPrecondition`.
    """
    if if_match is None:
        raise PreconditionMissing
    if if_match.strip() == "*":
        return True
    if not _TAGS.fullmatch(if_match):
        raise InvalidPrecondition
    return any(not weak and tag == str(version) for weak, tag in _STRONG.findall(if_match))
