"""Shapes that all rooms share in the OpenAPI document: of texts and of errors (RFC 9457)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Final
from uuid import UUID

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, OpenAPIResponse, Operation, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.openapi.spec.request_body import RequestBody
from litestar.params import PathParameter
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition

NO_NUL: Final = r"^[^\x00]*$"
"""Pattern of a text that PostgreSQL can store."""
SAYS_SOMETHING: Final = r"^[^\x00]*[^\x00\s][^\x00]*$"
"""Likewise, of one that is not blank."""


def shown(value: Any) -> list[Example]:
    """What a parameter looks like, for its `examples`. A test sends it."""
    return [Example(value=value)]


def example_body(value: dict[str, Any], *, also_answers: str = "") -> type[Operation]:
    """What a body looks like, for a handler's `operation_class`. A test sends it.

    `also_answers` is a second media type that the answer may have.
    """

    @dataclass
    class Shown(Operation):
        body: ClassVar[dict[str, Any]] = value

        def __post_init__(self) -> None:
            if isinstance(self.request_body, RequestBody):
                for content in self.request_body.content.values():
                    content.examples = {"example": Example(value=value)}
            answer = self.responses["200"] if also_answers and self.responses else None
            if isinstance(answer, OpenAPIResponse) and answer.content:
                answer.content[also_answers] = OpenAPIMediaType(schema=Schema())

    return Shown


IncidentId = Annotated[UUID, PathParameter(examples=shown("7d3c1a52-8a0f-4c0e-9c1b-2f6f0f0d9a11"))]
SignatureId = Annotated[str, PathParameter(examples=shown("v1:1d5205bbecad97dcf794a777793f8162"))]
KnownIssueId = Annotated[str, PathParameter(examples=shown("uuid-not-json-serializable"))]


MOMENT: Final = {
    "type": [OpenAPIType.STRING, OpenAPIType.NUMBER],
    # Without the format of a date: in a query a number is a text as well.
    "one_of": None,
    "description": "RFC 3339 with its zone, or seconds since 1970.",
}
"""Of a parameter that is a time, for its `schema_extra`."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, and in `detail` what to change."""

    status: int
    title: str
    detail: str
    errors: list[dict[str, Any]] = []
    """Which fields of the request, when they are at fault."""


class TuplesOfAnyLength(OpenAPISchemaPlugin):
    """Litestar takes the `...` of a tuple with bounds for a type that everything has."""

    def is_plugin_supported_field(self, field_definition: FieldDefinition) -> bool:
        return field_definition.origin is tuple and field_definition.args[1:] == (...,)

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        items = schema_creator.for_field_definition(field_definition.inner_types[0])
        bounds = field_definition.kwarg_definition
        return Schema(
            type=OpenAPIType.ARRAY,
            items=items,
            min_items=getattr(bounds, "min_items", None),
            max_items=getattr(bounds, "max_items", None),
        )


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


NOT_MODIFIED: Final = {
    304: ResponseSpec(None, generate_examples=False, description="Its reader has it already.")
}
"""For a handler's `responses`, where `If-None-Match` is read."""
