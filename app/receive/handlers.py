"""`POST /ingest/logs`, where services leave their telemetry, and `GET /ingest/health`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from litestar import Request, Response, Router, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from app.receive.body import raw_records, read_body
from app.receive.contract import Accept, CheckHealth, Health, Receipt
from app.receive.correlation import correlation_of_request
from app.settings import Settings

_EXAMPLE: Final = {
    "service": "payment",
    "level": "error",
    "message": "Object of type UUID is not JSON serializable",
    "correlation_id": "order-1001",
    "exception": {"type": "TypeError", "stacktrace": "Traceback (most recent call last): …"},
    "attributes": {"order_id": "o-17"},
}
_RECORD: Final = Schema(
    type=OpenAPIType.OBJECT,
    required=["service", "message"],
    properties={
        "service": Schema(type=OpenAPIType.STRING, max_length=200),
        "message": Schema(type=OpenAPIType.STRING),
        "level": Schema(type=OpenAPIType.STRING),
        "timestamp": Schema(type=[OpenAPIType.STRING, OpenAPIType.NUMBER]),
        "correlation_id": Schema(type=OpenAPIType.STRING, max_length=128),
        "record_id": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.UUID),
        "exception": Schema(type=OpenAPIType.OBJECT),
        "attributes": Schema(type=OpenAPIType.OBJECT),
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
        "application/x-ndjson": OpenAPIMediaType(schema=Schema(type=OpenAPIType.STRING)),
    },
)


@dataclass
class IngestOperation(Operation):
    """The body is read raw, so that one bad record costs no other; here stands its shape."""

    def __post_init__(self) -> None:
        self.request_body = _BODY


@post("/logs", status_code=202, operation_id="ingestLogs", operation_class=IngestOperation)
async def ingest_logs(
    request: Request[Any, Any, Any],
    accept: NamedDependency[Accept],
    settings: NamedDependency[Settings],
) -> Receipt:
    """Store log records. 202 means committed; refused records are named by their index."""
    received_at = datetime.now(UTC)
    body = await read_body(
        request.stream(),
        encoding=request.headers.get("content-encoding", ""),
        limit=settings.max_body_bytes,
    )
    raw = raw_records(body, request.headers.get("content-type", ""))
    return await accept(
        raw, received_at=received_at, correlation_id=correlation_of_request(request.headers)
    )


@get("/health", operation_id="ingestHealth")
async def ingest_health(check_health: NamedDependency[CheckHealth]) -> Response[Health]:
    """Whether records can be taken now: 200, or 503 with what is wrong."""
    health = await check_health()
    if health.status == "ok":
        return Response(health)
    return Response(health, status_code=503, headers={"Retry-After": "2"})


router = Router(path="/ingest", route_handlers=[ingest_logs, ingest_health])
