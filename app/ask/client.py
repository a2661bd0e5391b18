"""A reader's side of the wire: pages of records over real HTTP."""

from collections.abc import Iterator
from typing import Any, Final, Self

import httpx
import msgspec

from app.address import without_password
from app.ask.wire import Page
from app.errors import AppError

REQUEST_SECONDS: Final = 60.0
MOST_OF_A_PAGE: Final = 1000


class NoAnswer(AppError):
    """The service cannot be asked."""


class Refused(AppError):
    """The service did not take the request; the text says why."""

    def __init__(self, reason: str, *, column: int | None = None) -> None:
        super().__init__(reason)
        self.column = column


class _Error(msgspec.Struct, frozen=True, kw_only=True):
    column: int | None = None


class _Problem(msgspec.Struct, frozen=True, kw_only=True):
    detail: str
    errors: tuple[_Error, ...] = ()


class Reader:
    """A running ProdSentinel, known by its address alone."""

    def __init__(self, url: str) -> None:
        """Raises `NoAnswer` when the address is none."""
        self._name = without_password(url)
        try:
            self._http = httpx.Client(base_url=url, timeout=REQUEST_SECONDS, trust_env=False)
        except httpx.InvalidURL as error:
            raise NoAnswer(f"{self._name} is no URL: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def pages(self, asked: dict[str, str], *, limit: int) -> Iterator[Page]:
        """Pages until there are so many records or no more. Raises `NoAnswer`, `Refused`."""
        left = limit
        while left > 0:
            page = self._page({**asked, "limit": str(min(left, MOST_OF_A_PAGE))})
            yield page
            if page.next is None:
                return
            asked = {"q": asked["q"], "after": page.next}
            left -= len(page.records)

    def _page(self, parameters: dict[str, Any]) -> Page:
        try:
            answer = self._http.get("/api/logs", params=parameters)
            if answer.status_code == httpx.codes.OK:
                return msgspec.json.decode(answer.content, type=Page)
            problem = msgspec.json.decode(answer.content, type=_Problem)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            reason = str(error) or type(error).__name__
            raise NoAnswer(f"{self._name} cannot be asked: {reason}") from error
        except msgspec.MsgspecError as error:
            raise NoAnswer(f"{self._name} answers as no ProdSentinel does") from error
        columns = [one.column for one in problem.errors if one.column]
        raise Refused(problem.detail, column=columns[0] if columns else None)
