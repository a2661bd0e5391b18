"""The shape of an error answer, for the OpenAPI document: RFC 9457 problem details."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar.openapi.datastructures import ResponseSpec


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
