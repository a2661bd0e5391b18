"""Forms of other sites change nothing here (OWASP: Fetch Metadata, and verifying the origin)."""

from typing import Any, Final
from urllib.parse import urlsplit

from litestar import Request

from app.errors import AppError

_SAFE: Final = {"GET", "HEAD", "OPTIONS"}
_OWN: Final = {"same-origin", "none"}


class ForeignForm(AppError):
    """This change was asked for from another site; open the page here and ask again."""


async def refuse_foreign_forms(request: Request[Any, Any, Any]) -> None:
    """For `before_request`. Raises `ForeignForm`."""
    headers = request.headers
    if request.method not in _SAFE and is_foreign(
        site=headers.get("sec-fetch-site"),
        origin=headers.get("origin"),
        host=headers.get("host", ""),
    ):
        raise ForeignForm


def is_foreign(*, site: str | None, origin: str | None, host: str) -> bool:
    """Whether a browser says that another site asks; what is no browser says neither.

    The scheme is not compared: behind a proxy that speaks TLS this service does not know it.
    """
    if site is not None:
        return site not in _OWN
    return origin is not None and urlsplit(origin).netloc != host
