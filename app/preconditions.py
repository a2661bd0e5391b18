"""Entity tags and what `If-Match` demands of a change (RFC 9110, 8.8.3 and 13.1.1)."""

import re
from typing import Annotated, Any, Final

from litestar import Request
from litestar.di import Provide
from litestar.params import HeaderParameter

from app.errors import AppError
from app.shapes import shown

_TAGS: Final = re.compile(r'\s*(?:W/)?"[^"\x00-\x20]*"\s*(?:,\s*(?:W/)?"[^"\x00-\x20]*"\s*)*')
_STRONG: Final = re.compile(r'(W/)?"([^"]*)"')
_Header = Annotated[
    str | None, HeaderParameter(name="If-Match", max_length=1000, examples=shown("*"))
]


class PreconditionMissing(AppError):
    """A change needs `If-Match`: the `ETag` of what you change as you last read it, or `*`."""


class InvalidPrecondition(AppError):
    """`If-Match` holds no entity tag; send the `ETag` as it came, in its double quotes."""


def etag(version: int) -> str:
    return f'"{version}"'


def holds(if_match: str | None, version: int | None) -> bool:
    """Whether a change of this version may go on; `version` None: there is nothing yet.

    A weak tag never matches. Raises `PreconditionMissing` when something would be changed
    unseen, `InvalidPrecondition`.
    """
    if if_match is None:
        if version is None:
            return True
        raise PreconditionMissing
    if if_match.strip() == "*":
        return version is not None
    if not _TAGS.fullmatch(if_match):
        raise InvalidPrecondition
    return any(not weak and tag == str(version) for weak, tag in _STRONG.findall(if_match))


async def _read(request: Request[Any, Any, Any], if_match_header: _Header = None) -> str | None:
    # A header of several lines is one list (RFC 9110, 5.3); the framework gives one of them.
    if if_match_header is None:
        return None
    return ", ".join(request.headers.getall("If-Match"))


IF_MATCH: Final = {"if_match": Provide(_read)}
"""The dependency `if_match` of a router: the header as sent, or None."""
