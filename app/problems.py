"""The one place that says what an error is over HTTP: RFC 9457 problem details."""

from http import HTTPStatus
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.exceptions import (
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
)
from litestar.plugins.problem_details import (
    ProblemDetailsConfig,
    ProblemDetailsException,
    ProblemDetailsPlugin,
)

from app.alerts.changing import InvalidTarget, NotDead
from app.alerts.inputs import VersionChanged
from app.catalogue.judging import NotAMatch
from app.database import DatabaseUnavailable, ReadersBusy, TookTooLong
from app.errors import AppError, NotFound
from app.incidents.changes import ChangedMeanwhile, InvalidMove
from app.incidents.lifecycle import ImpossibleChange, InvalidSilence
from app.preconditions import InvalidPrecondition, PreconditionMissing, etag
from app.query.columns import UnknownColumn
from app.query.cursors import InvalidCursor
from app.query.forget import ForgetsAll, Unconfirmed
from app.query.hours import InvalidSpan
from app.query.list_handlers import OnlyFailingChains
from app.query.live import TooManyListeners
from app.query.moments import UnreadableMoment
from app.query.saved_searches import InvalidSavedSearch
from app.query.search.errors import InvalidMoment, InvalidRange, InvalidSearch
from app.query.walking import ReaderLeft, SearchTooSlow
from app.receive.admission import Overloaded, SenderOverLimit
from app.receive.contract import PartlyAccepted
from app.receive.encoding import BodyTooLarge, UnreadableBody, UnsupportedBody
from app.receive.reading import BodyTimedOut, SenderLeft
from app.store.spool import SpoolBroken, SpoolFull

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS: Final = 2
_STATUS: Final[dict[type[AppError], HTTPStatus]] = {
    UnreadableBody: HTTPStatus.BAD_REQUEST,
    InvalidCursor: HTTPStatus.BAD_REQUEST,
    InvalidSpan: HTTPStatus.BAD_REQUEST,
    OnlyFailingChains: HTTPStatus.BAD_REQUEST,
    InvalidSavedSearch: HTTPStatus.BAD_REQUEST,
    ForgetsAll: HTTPStatus.BAD_REQUEST,
    Unconfirmed: HTTPStatus.BAD_REQUEST,
    TooManyListeners: HTTPStatus.SERVICE_UNAVAILABLE,
    InvalidSearch: HTTPStatus.BAD_REQUEST,
    UnknownColumn: HTTPStatus.BAD_REQUEST,
    InvalidMoment: HTTPStatus.BAD_REQUEST,
    InvalidRange: HTTPStatus.BAD_REQUEST,
    ReaderLeft: HTTPStatus.BAD_REQUEST,
    SearchTooSlow: HTTPStatus.SERVICE_UNAVAILABLE,
    TookTooLong: HTTPStatus.SERVICE_UNAVAILABLE,
    ReadersBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    NotFound: HTTPStatus.NOT_FOUND,
    NotAMatch: HTTPStatus.CONFLICT,
    ImpossibleChange: HTTPStatus.CONFLICT,
    InvalidMove: HTTPStatus.BAD_REQUEST,
    InvalidSilence: HTTPStatus.BAD_REQUEST,
    InvalidPrecondition: HTTPStatus.BAD_REQUEST,
    ChangedMeanwhile: HTTPStatus.PRECONDITION_FAILED,
    PreconditionMissing: HTTPStatus.PRECONDITION_REQUIRED,
    NotDead: HTTPStatus.CONFLICT,
    InvalidTarget: HTTPStatus.BAD_REQUEST,
    VersionChanged: HTTPStatus.PRECONDITION_FAILED,
    SenderLeft: HTTPStatus.BAD_REQUEST,
    BodyTimedOut: HTTPStatus.REQUEST_TIMEOUT,
    SenderOverLimit: HTTPStatus.TOO_MANY_REQUESTS,
    BodyTooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    UnsupportedBody: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    DatabaseUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    SpoolFull: HTTPStatus.SERVICE_UNAVAILABLE,
    SpoolBroken: HTTPStatus.SERVICE_UNAVAILABLE,
    Overloaded: HTTPStatus.SERVICE_UNAVAILABLE,
}

_LONGEST_ADDRESS: Final = 200
_LATER: Final = {"Retry-After": str(RETRY_AFTER_SECONDS)}
_HEADERS: Final = {
    HTTPStatus.TOO_MANY_REQUESTS: _LATER,
    HTTPStatus.SERVICE_UNAVAILABLE: _LATER,
    # What comes late would be read as the next request.
    HTTPStatus.REQUEST_TIMEOUT: {"Connection": "close"},
}


def _problem(
    status: int, detail: str, *, headers: dict[str, str] | None = None, extra: Any = None
) -> ProblemDetailsException:
    return ProblemDetailsException(
        status_code=status,
        title=HTTPStatus(status).phrase,
        detail=detail,
        headers=headers,
        extra=extra,
    )


def problem_of(error: AppError) -> ProblemDetailsException:
    """What one of our own errors says over HTTP."""
    cause = error.cause if isinstance(error, PartlyAccepted) else error
    status = next(
        (status for kind, status in _STATUS.items() if isinstance(cause, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    extra: dict[str, Any] | None = None
    headers = _HEADERS.get(status)
    if isinstance(error, PartlyAccepted):
        extra = {"accepted": error.accepted}
    if isinstance(error, InvalidSearch):
        extra = {"errors": [{"key": "q", "column": error.column, "message": error.reason}]}
    if isinstance(error, UnreadableMoment | UnknownColumn):
        extra = {"errors": [{"key": error.name, "message": error.reason}]}
    if isinstance(error, ChangedMeanwhile):
        extra, headers = {"newest": error.newest}, {"ETag": etag(error.version)}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.warning("refused_for_now", reason=repr(cause.__cause__ or cause))
    return _problem(status, str(error), headers=headers, extra=extra)


def _from_http(error: HTTPException) -> ProblemDetailsException:
    if error.detail == "client disconnected prematurely":
        return _problem(400, "The client left before its body was read.")
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request_failed", exc_info=error)
    extra = {"errors": error.extra} if isinstance(error.extra, list) else error.extra
    return _problem(error.status_code, error.detail, headers=error.headers, extra=extra)


def _from_encoding(error: UnicodeDecodeError) -> ProblemDetailsException:
    return _problem(400, f"The body is not UTF-8: {error.reason} at byte {error.start}.")


def problem_of_unexpected(error: Exception) -> ProblemDetailsException:
    """What an error that nobody raised on purpose says over HTTP; the log says more."""
    log.error("request_failed", exc_info=error)
    return _problem(500, "The service failed; its log says why.")


def problem_of_any(error: Exception) -> ProblemDetailsException:
    """The same of any error, for those who draw it in their own way."""
    if isinstance(error, AppError):
        return problem_of(error)
    if isinstance(error, HTTPException):
        return _from_http(error)
    return problem_of_unexpected(error)


def problem_answer(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Problem details, for the handlers of addresses that nothing answers."""
    problem = problem_of_any(error)
    if isinstance(error, NotFoundException | MethodNotAllowedException):
        problem.detail = _unanswered(request, problem.status_code)
    return problem.to_response(request)


def _unanswered(request: Request[Any, Any, Any], status: int) -> str:
    """What nothing answers, as it was sent, and what to change."""
    address = request.scope["raw_path"].decode("latin-1")
    told = f"`{address[:_LONGEST_ADDRESS]}`"
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return f"`{request.method}` is not answered at {told}; GET /schema lists what is"
    if "%2f" in address.lower():
        why = "`%2F` counts as the slash between two parts, and no name of this kind holds one"
        return f"Nothing is found at {told}: {why}; write the name without it"
    return f"Nothing is found at {told}; GET /schema lists the addresses and what stands in them"


problem_details = ProblemDetailsPlugin(
    ProblemDetailsConfig(
        exception_to_problem_detail_map={
            AppError: problem_of,
            HTTPException: _from_http,
            UnicodeDecodeError: _from_encoding,
            Exception: problem_of_unexpected,
        }
    )
)
