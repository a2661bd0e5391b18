"""Which parameters and fields a request may hold, and what a wrong one is told.

Litestar ignores a query parameter that no handler has, and names the others as the code does.
"""

import difflib
import re
from functools import cache
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException, SerializationException, ValidationException
from litestar.handlers import BaseRouteHandler
from litestar.params import ParameterKwarg
from litestar.plugins.problem_details import ProblemDetailsException
from msgspec import inspect

from app.problems import problem_answer
from app.shapes import NO_NUL, SAYS_SOMETHING

_LONGEST_NAME: Final = 100
_MOST_TOLD: Final = 10
_LONGEST_EXAMPLE: Final = 400
_STEP: Final = re.compile(r"[^.\[\]]+")
_UNKNOWN_FIELD: Final = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_NO_BODY: Final = "'data'"
"""What Litestar says of it: the name of its own parameter."""
_PLAIN: Final = (
    (f"Expected `str` matching regex {NO_NUL!r}", "the character NUL cannot be kept; leave it out"),
    (f"Expected `str` matching regex {SAYS_SOMETHING!r}", "write more than blanks, and no NUL"),
    ("Invalid UUID", "this is no UUID; write it as 0b5e1c1e-9c43-4d3a-8f0e-5a1c5a1d2e3f"),
    ("Invalid RFC3339 encoded datetime", "write a time as 2026-11-20T12:00:00Z"),
    ("Expected `datetime` with a timezone component", "add the zone, as in 2026-11-20T12:00:00Z"),
)


class _WrongParameters(ValidationException):
    """Their names stand as they were sent, and not as the code has them."""


async def known_parameters_only(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """A guard: a parameter that is misspelt or repeated must not make a request into another one.

    Raises `ValidationException`.
    """
    if not connection.scope.get("query_string"):
        return
    known = tuple(name for name, kind in _names(handler).values() if kind == "query")
    given = connection.query_params
    unknown = [name[:_LONGEST_NAME] for name in given if name not in known][:_MOST_TOLD]
    wrong = {name: _instead("parameter", name, known) for name in unknown}
    for name in known:
        if name not in _lists(handler) and (times := len(given.getall(name, []))) > 1:
            wrong[name] = f"it takes one value and is given {times} times; leave out the others"
    if wrong:
        raise _WrongParameters(
            extra=[{"key": key, "source": "query", "message": wrong[key]} for key in wrong]
        )


def tell_invalid(
    request: Request[Any, Any, Any], error: ValidationException
) -> Response[dict[str, Any]]:
    """Each parameter and field by the name that the caller gave it, and what to change."""
    found = error.extra if isinstance(error.extra, list) else []
    is_as_sent = isinstance(error, _WrongParameters)
    errors = found if is_as_sent else [_told(request.route_handler, one) for one in found]
    errors = errors[:_MOST_TOLD]
    # What is missing has no entry of its own.
    lines = [_line(one) for one in errors] or [error.detail.partition(" for path ")[0] + "; add it"]
    return ProblemDetailsException(
        status_code=error.status_code,
        title="Bad Request",
        detail="; ".join(lines),
        extra={"errors": errors} if errors else None,
    ).to_response(request)


def tell_unreadable(
    request: Request[Any, Any, Any], error: ClientException
) -> Response[dict[str, Any]]:
    """Of a body that is no JSON: which is expected."""
    if not isinstance(error.__cause__, SerializationException):
        return problem_answer(request, error)
    kind = request.content_type[0]
    what = f"it is sent as {kind[:_LONGEST_NAME]}" if "form" in kind else error.detail
    message = f"the body is no JSON: {what}; {_expected(request.route_handler)}"
    return ProblemDetailsException(
        status_code=error.status_code,
        title="Bad Request",
        detail=message,
        extra={"errors": [{"source": "body", "message": message}]},
    ).to_response(request)


def _expected(handler: BaseRouteHandler) -> str:
    example = getattr(getattr(handler, "operation_class", None), "body", None)
    text = msgspec.json.encode(example).decode() if example else ""
    such = f"such as {text}" if 0 < len(text) <= _LONGEST_EXAMPLE else "as GET /schema shows it"
    return f"send `Content-Type: application/json` and a body {such}"


def _line(error: dict[str, Any]) -> str:
    return f"`{error['key']}`: {error['message']}" if "key" in error else str(error["message"])


def _told(handler: BaseRouteHandler, error: dict[str, Any]) -> dict[str, Any]:
    given, told = str(error.get("key", "")), {**error}
    if error.get("source") == "body":
        # The whole of it is called `data`, and then has no name.
        field, path = "data", "" if given == "data" else given
        told["key"] = path
    else:
        field, _, path = given.partition(".")
        name, told["source"] = _names(handler).get(field, (field, error.get("source", "query")))
        told["key"] = name + given[len(field) :]
    at = _type_at(handler, field, path)
    if unknown := _UNKNOWN_FIELD.fullmatch(error["message"]):
        told["key"] = f"{told['key']}.{unknown[1]}".lstrip(".")
        told["message"] = _instead("field", unknown[1], _fields(at))
    elif (told["source"], error["message"]) == ("body", _NO_BODY):
        told["message"] = f"the body is missing; {_expected(handler)}"
    else:
        told["message"] = _in_plain_words(error["message"], at)
    return told if told["key"] else {"source": told["source"], "message": told["message"]}


def _in_plain_words(message: str, at: inspect.Type | None) -> str:
    if message.startswith("Invalid enum value"):
        return f"{message}; it is one of {_listed(_values(at))}"
    return next((ours for theirs, ours in _PLAIN if message.startswith(theirs)), message)


def _instead(kind: str, name: str, known: tuple[str, ...]) -> str:
    if not known:
        return f"there is no such {kind}, and no other here; leave it out"
    near = difflib.get_close_matches(name[:_LONGEST_NAME].lower(), known, n=1, cutoff=0)[0]
    return f"there is no such {kind}; the nearest is `{near}`, of {_listed(known)}"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


@cache
def _names(handler: BaseRouteHandler) -> dict[str, tuple[str, str]]:
    """Parameter of the code -> its name in a request, and where it stands."""
    injected = handler.resolve_dependencies()
    signatures = [handler.parsed_fn_signature]
    signatures += [one.parsed_fn_signature for one in injected.values()]
    return {
        name: (_name_of(kind) or name, kind.param_type.value)
        for signature in signatures
        for name, field in signature.parameters.items()
        if isinstance(kind := field.kwarg_definition, ParameterKwarg) and name not in injected
    }


@cache
def _lists(handler: BaseRouteHandler) -> frozenset[str]:
    """Parameters that take more than one value."""
    names = _names(handler)
    fields = handler.parsed_fn_signature.parameters.items()
    return frozenset(
        names[name][0] for name, field in fields if name in names and field.is_non_string_sequence
    )


def _name_of(kind: ParameterKwarg) -> str | None:
    return kind.header or kind.cookie or kind.name


def _type_at(handler: BaseRouteHandler, field: str, path: str) -> inspect.Type | None:
    """The type of what stands at `a.b[0]` below a parameter or the body."""
    parameter = handler.parsed_fn_signature.parameters.get(field)
    at = inspect.type_info(parameter.annotation) if parameter else None
    for step in _STEP.findall(path):
        at = _below(at, step)
    return at


def _below(at: inspect.Type | None, step: str) -> inspect.Type | None:
    for one in _alternatives(at):
        if isinstance(one, inspect.StructType):
            return next((f.type for f in one.fields if f.encode_name == step), None)
        if isinstance(one, inspect.ListType | inspect.VarTupleType):
            return one.item_type
    return None


def _alternatives(at: inspect.Type | None) -> tuple[inspect.Type, ...]:
    if isinstance(at, inspect.Metadata):
        return _alternatives(at.type)
    if isinstance(at, inspect.UnionType):
        return tuple(inner for one in at.types for inner in _alternatives(one))
    return (at,) if at else ()


def _fields(at: inspect.Type | None) -> tuple[str, ...]:
    return tuple(
        field.encode_name
        for one in _alternatives(at)
        if isinstance(one, inspect.StructType)
        for field in one.fields
    )


def _values(at: inspect.Type | None) -> tuple[str, ...]:
    found: list[str] = []
    for one in _alternatives(at):
        if isinstance(one, inspect.EnumType):
            found += [str(member.value) for member in one.cls]
        if isinstance(one, inspect.LiteralType):
            found += map(str, one.values)
    return tuple(found)
