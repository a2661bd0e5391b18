"""What went wrong, as a page: for people the same as problem details for programs."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException

from app.errors import AppError
from app.pages.drawing import Pages, asks_for_part
from app.pages.guard import ForeignForm

OF_PROGRAMS: Final = ("/api/", "/ingest/", "/metrics/", "/schema/", "/assets/")

_TITLES: Final = {
    400: "This address cannot be read",
    403: "Refused",
    404: "There is nothing here",
    500: "The service failed",
    503: "Not at this moment",
}
Handler = Callable[[Request[Any, Any, Any], Any], Response[Any]]
ProblemOf = Callable[[Exception], HTTPException]
"""Which status and which words an error has; the same as for programs."""


def problem_pages(pages: Pages, problem_of: ProblemOf) -> dict[Any, Handler]:
    """The exception handlers of the pages' router."""

    def draw(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        problem = problem_of(error)
        status = 403 if isinstance(error, ForeignForm) else problem.status_code
        return pages.draw_at_once(
            request,
            "problem.html",
            status=status,
            block="content" if asks_for_part(request) else None,
            headers=problem.headers,
            code=status,
            title=_TITLES.get(status, HTTPStatus(status).phrase),
            detail=problem.detail,
            errors=_errors_of(problem),
        )

    return dict.fromkeys((AppError, HTTPException, NotFoundException, Exception), draw)


def unrouted(pages: Handler, programs: Handler) -> dict[Any, Handler]:
    """For the whole application: addresses and methods that nothing answers."""

    def draw(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
        return (pages if _is_for_people(request) else programs)(request, error)

    return dict.fromkeys((NotFoundException, MethodNotAllowedException), draw)


def _is_for_people(request: Request[Any, Any, Any]) -> bool:
    asked = f"{request.url.path}/"
    return not asked.startswith(OF_PROGRAMS) and "text/html" in request.headers.get("accept", "")


def _errors_of(problem: HTTPException) -> list[dict[str, Any]]:
    errors = problem.extra.get("errors") if isinstance(problem.extra, dict) else None
    return errors if isinstance(errors, list) else []
