"""A Litestar handler that decodes a record and answers: what the real one is held against."""

import msgspec
from litestar import Litestar, Request, post

_decode = msgspec.json.Decoder().decode


@post("/ingest/logs", status_code=202)
async def bare(request: Request) -> dict[str, int]:  # type: ignore[type-arg]
    """Decode and answer."""
    _decode(await request.body())
    return {"accepted": 1}


def make() -> Litestar:
    """The application, anew."""
    return Litestar([bare], logging_config=None, openapi_config=None)
