"""Shapes that all rooms share in the OpenAPI document: of texts and of errors (RFC 9457)."""

from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar.openapi.datastructures import ResponseSpec

NO_NUL: Final = r"^[^\x00]*$"
"""Pattern of a text that PostgreSQL can store."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, and in `detail` what to change."""

    status: int
    title: str
    detail: str
    errors: list[dict[str, Any]] = []
    """Which fields of the request, when they are at fault."""


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """For a handler's `responses`."""
    return {
        status: ResponseSpec(
            Problem,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
            media_type="application/problem+json",
        )
        for status in statuses
    }
