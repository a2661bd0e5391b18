"""Answers with an entity tag of their content (RFC 9110, 8.8.3 and 13.1.2)."""

import hashlib
import re
from typing import Annotated, Any, Final, TypeVar

import msgspec
from litestar import Response
from litestar.params import HeaderParameter

_T = TypeVar("_T")
_TAG: Final = re.compile(r'"[^"]*"')
IfNoneMatch = Annotated[str | None, HeaderParameter(name="If-None-Match", max_length=2000)]


def tagged(view: _T, if_none_match: str | None) -> Response[_T]:
    """The view; or 304 without a body, when its reader has it already."""
    tag = f'"{hashlib.sha256(msgspec.json.encode(view)).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if if_none_match and (if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match)):
        nothing: Any = Response(None, status_code=304, headers=headers)
        return nothing  # type: ignore[no-any-return]
    return Response(view, headers=headers)
