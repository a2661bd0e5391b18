"""`POST /ingest/logs`, where services leave their telemetry, and `GET /ingest/health`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import QueryParameter
from litestar.types import Receive, Scope

from app.receive.contract import (
    Accept,
    CheckHealth,
    Delivery,
    Health,
    Receipt,
)
from app.receive.correlation import correlation_of_request
from app.shapes import problems, shown

_EXAMPLE: Final = {
    "service": "payment",
    "level": "error",
    "message": "Object of type UUID is not JSON serializable",
    "correlation_id": "order-1001",
    "exception": {"type": "TypeError", "stacktrace": "Traceback (most recent call last): …"},
    "attributes": {"order_id": "o-17"},
}
_LINES: Final = (
    '{"service": "payment", "message": "charging", "correlation_id": "order-1002"}\n'
    '{"service": "payment", "message": "charged", "correlation_id": "order-1002"}\n'
)


def _text(description: str, *, max_length: int | None = None) -> Schema:
    return Schema(type=OpenAPIType.STRING, description=description, max_length=max_length)


_RECORD: Final = Schema(
    type=OpenAPIType.OBJECT,
    required=["service", "message"],
    properties={
        "service": _text("Who sends it; also `service_name`.", max_length=200),
        "message": _text("What happened; more than 64 KiB is cut."),
        "level": _text("Default INFO, or ERROR with an exception; any case; numbers too."),
        "timestamp": Schema(
            type=[OpenAPIType.STRING, OpenAPIType.NUMBER],
            description="RFC 3339 or epoch s, ms, µs, ns; default: when it was received.",
        ),
        "correlation_id": _text("What a chain shares; also `trace_id`.", max_length=128),
        "record_id": Schema(
            type=OpenAPIType.STRING,
            format=OpenAPIFormat.UUID,
            description="The same one sent again is stored once; also `signal_id`, `event_id`.",
        ),
        "span_id": _text("The call this record belongs to.", max_length=200),
        "parent_span_id": _text("The call that made this call.", max_length=200),
        "environment": _text("Such as prod.", max_length=200),
        "release": _text("What was deployed.", max_length=200),
        "instance": _text("Which process sent it.", max_length=200),
        "sequence": Schema(type=OpenAPIType.INTEGER, description="Counts up in an instance."),
        "fingerprint": Schema(
            type=[OpenAPIType.STRING, OpenAPIType.ARRAY],
            description="A grouping of the sender's own.",
        ),
        "exception": Schema(
            type=OpenAPIType.OBJECT,
            properties={
                "type": _text("Such as ValueError."),
                "message": _text("What it says."),
                "stacktrace": Schema(
                    type=[OpenAPIType.STRING, OpenAPIType.ARRAY],
                    description="Raw text, or frames with `module`, `function`, `line`, `source`, "
                    "the outermost call first.",
                ),
            },
        ),
        "attributes": Schema(type=OpenAPIType.OBJECT, description="Whatever else there is."),
    },
    description="Fields that are not named here are kept in `attributes`.",
)
_BODY: Final = RequestBody(
    required=True,
    description="One record, an array of records, or NDJSON; plain, gzip or zstd.",
    content={
        "application/json": OpenAPIMediaType(
            schema=Schema(one_of=[_RECORD, Schema(type=OpenAPIType.ARRAY, items=_RECORD)]),
            examples={"one error": Example(value=_EXAMPLE)},
        ),
        "application/x-ndjson": OpenAPIMediaType(
            schema=Schema(type=OpenAPIType.STRING),
            examples={"two lines": Example(value=_LINES)},
        ),
    },
)


@dataclass
class IngestOperation(Operation):
    """The body is read raw, so that one bad record costs no other; here stands its shape."""

    def __post_init__(self) -> None:
        self.request_body = _BODY


@post(
    "/logs",
    status_code=202,
    operation_id="ingestLogs",
    operation_class=IngestOperation,
    request_max_body_size=None,  # the room holds its own limits, before and after decompression
    response_description="On disk. Records that were refused are named by their index.",
    responses=problems(400, 408, 413, 415, 429, 503),
)
async def ingest_logs(
    request: Request[Any, Any, Any],
    accept: NamedDependency[Accept],
    commit: Annotated[
        str, QueryParameter(pattern="^(durable|relaxed)$", examples=shown("durable"))
    ] = "durable",
    shed: Annotated[
        str, QueryParameter(pattern="^(debug|info|warning)?$", examples=shown("debug"))
    ] = "",
) -> Receipt:
    """Store log records. 202 means on disk; refused records are named by their index.

    `commit=relaxed` answers before the disk has them. `shed=debug` (`info`, `warning`) lets
    records up to that level be dropped while too much is in flight.
    """
    return await accept(delivery_of(request.scope, request.receive, commit=commit, shed=shed))


def delivery_of(
    scope: Scope,
    receive: Receive,
    *,
    commit: str = "durable",
    shed: str = "",
) -> Delivery:
    """What the head of a request says, and its body still to come."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    length = headers.get(b"content-length", "")
    return Delivery(
        receive=receive,
        received_at=datetime.now(UTC),
        length=int(length) if length.isdecimal() else None,
        content_type=headers.get(b"content-type", ""),
        encoding=headers.get(b"content-encoding", ""),
        correlation_id=correlation_of_request(headers),
        relaxed=commit == "relaxed",
        shed=shed,
    )


@get("/health", operation_id="ingestHealth", responses={503: ResponseSpec(Health)})
async def ingest_health(check_health: NamedDependency[CheckHealth]) -> Response[Health]:
    """Whether records can be taken now: 200, or 503 with what is wrong."""
    health = await check_health()
    if health.status != "unavailable":
        return Response(health)
    return Response(health, status_code=503, headers={"Retry-After": "2"})


health_router = Router(path="/ingest", route_handlers=[ingest_health])
