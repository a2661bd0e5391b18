"""`/api/forget`: deleting what a person asked to have forgotten, and its audit."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from app.database import Database
from app.query import forget_queries
from app.query.forget import ForgetCounts, ForgetReport, ForgetRequest, Forgetter
from app.query.rows import view
from app.shapes import example_body, problems, shown


class Forgetting(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit."""

    forgetting_id: UUID
    requested_at: datetime
    done_by: str
    query: str | None
    """Null when it was itself personal."""
    query_sha256: str
    counts: ForgetCounts
    unreached: tuple[str, ...]
    finished_at: datetime | None
    """Null: under way, or broken off; ask again for the same."""


@post(
    "/forget",
    operation_id="forget",
    operation_class=example_body(
        {"q": "correlation:order-1002", "done_by": "ana", "confirm": True, "keep_query": False}
    ),
    status_code=200,
    responses=problems(400, 503),
)
async def forget(
    data: JSONBody[ForgetRequest], forgetter: NamedDependency[Forgetter]
) -> ForgetReport:
    """Delete all log records that match, and what is kept of them elsewhere; it is audited.

    A client that leaves before the answer breaks it off: the audit says how far it came.
    """
    return await forgetter.forget(data)


@get("/forget", operation_id="listForgettings", responses=problems(400, 503))
async def list_forgettings(
    database: NamedDependency[Database],
    limit: Annotated[int, QueryParameter(ge=1, le=500, examples=shown(50))] = 50,
) -> list[Forgetting]:
    """The audit, newest first."""
    async with database.session() as session:
        rows = await forget_queries.list_audit(session, limit=limit)
    return [view(row, Forgetting) for row in rows]


router = Router(path="/api", route_handlers=[forget, list_forgettings])
