"""Who changes something: the name a person gave last, kept by their browser."""

from typing import Any, Final
from urllib.parse import quote

from litestar import Request
from litestar.datastructures import Cookie

COOKIE: Final = "prodsentinel-name"
LONGEST: Final = 200
_SECONDS: Final = 365 * 24 * 60 * 60


def name_of(request: Request[Any, Any, Any]) -> str:
    """Empty when none was given yet. A name is no proof of who somebody is."""
    name = request.cookies.get(COOKIE, "")
    return "" if "\0" in name else name[:LONGEST].strip()


def remember(name: str) -> Cookie:
    """For the answer to a change. Only this service is told, and no script reads it."""
    return Cookie(
        key=COOKIE,
        value=quote(name, safe=""),
        max_age=_SECONDS,
        path="/",
        httponly=True,
        samesite="strict",
    )
