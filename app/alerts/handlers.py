"""Targets, messages and thresholds over HTTP."""

from typing import Annotated, TypeVar
from uuid import UUID

from litestar import Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from app.alerts import changing, kept_queries
from app.alerts.changing import UnknownThreshold
from app.alerts.deliver import Sender
from app.alerts.inputs import (
    TARGET_EXAMPLE,
    TargetRequest,
    TargetView,
    TestAnswer,
    ThresholdRequest,
    ThresholdView,
    view_of,
)
from app.alerts.model import DeliveryState, DeliveryView
from app.alerts.queries import all_targets
from app.database import Database
from app.preconditions import IF_MATCH, etag
from app.settings import Settings
from app.shapes import NO_NUL, KnownIssueId, example_body, problems, shown

_TargetName = Annotated[str, PathParameter(examples=shown("on-call"))]
_DeliveryId = Annotated[UUID, PathParameter(examples=shown("c0a80101-7e57-4a11-9b0e-3f1d2c4b5a69"))]
_View = TypeVar("_View", TargetView, ThresholdView)


def _tagged(view: _View) -> Response[_View]:
    return Response(view, headers={"ETag": etag(view.version)})


@get("/alert-targets", operation_id="listAlertTargets", responses=problems(400, 503))
async def list_targets(database: NamedDependency[Database]) -> list[TargetView]:
    """All of them, by name; without their secrets."""
    async with database.session() as session:
        return [view_of(target) for target in await all_targets(session)]


@get("/alert-targets/{name:str}", operation_id="getAlertTarget", responses=problems(400, 404, 503))
async def get_target(
    name: _TargetName, database: NamedDependency[Database]
) -> Response[TargetView]:
    """One, with its version as ETag."""
    async with database.session() as session:
        return _tagged(view_of(await changing.find_target(session, name)))


@put(
    "/alert-targets/{name:str}",
    operation_id="putAlertTarget",
    operation_class=example_body(TARGET_EXAMPLE),
    responses=problems(400, 412, 428, 503),
)
async def put_target(
    name: _TargetName,
    data: JSONBody[TargetRequest],
    database: NamedDependency[Database],
    sender: NamedDependency[Sender],
    if_match: NamedDependency[str | None],
) -> Response[TargetView]:
    """Make it or replace it; URL and secret stay when they are left out."""
    async with database.session() as session:
        saved = await changing.save_target(
            session, name, data, reach=sender.reach, if_match=if_match
        )
    return _tagged(view_of(saved))


@delete(
    "/alert-targets/{name:str}",
    operation_id="deleteAlertTarget",
    responses=problems(400, 404, 412, 428, 503),
)
async def delete_target(
    name: _TargetName, database: NamedDependency[Database], if_match: NamedDependency[str | None]
) -> None:
    """What waits for it is given up."""
    async with database.session() as session:
        await changing.remove_target(session, name, if_match=if_match)


@post(
    "/alert-targets/{name:str}/test",
    operation_id="testAlertTarget",
    status_code=200,
    responses=problems(400, 404, 503),
)
async def send_test(
    name: _TargetName,
    database: NamedDependency[Database],
    sender: NamedDependency[Sender],
    settings: NamedDependency[Settings],
) -> TestAnswer:
    """Send a message now, whatever the routing says, and tell what came back."""
    async with database.session() as session:
        target = await changing.find_target(session, name)
    return await changing.send_test(target, sender, public_url=settings.public_url)


@get("/alert-deliveries", operation_id="listAlertDeliveries", responses=problems(400, 503))
async def list_deliveries(
    database: NamedDependency[Database],
    # Not `state`: Litestar keeps that name for its own.
    in_state: Annotated[
        DeliveryState | None, QueryParameter(name="state", examples=shown("dead"))
    ] = None,
    target: Annotated[
        str | None, QueryParameter(max_length=100, pattern=NO_NUL, examples=shown("on-call"))
    ] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500, examples=shown(50))] = 50,
) -> list[DeliveryView]:
    """Messages, newest first."""
    async with database.session() as session:
        return await kept_queries.list_deliveries(
            session, state=in_state, target=target, limit=limit
        )


@post(
    "/alert-deliveries/{delivery_id:uuid}/retry",
    operation_id="retryAlertDelivery",
    status_code=200,
    responses=problems(400, 404, 409, 503),
)
async def retry_delivery(
    delivery_id: _DeliveryId, database: NamedDependency[Database]
) -> DeliveryView:
    """Try a message again that was given up, from its first attempt on, under its old key."""
    async with database.session() as session:
        return await changing.retry_delivery(session, delivery_id)


@get("/alert-thresholds", operation_id="listAlertThresholds", responses=problems(400, 503))
async def list_thresholds(database: NamedDependency[Database]) -> list[ThresholdView]:
    """All of them, by known issue."""
    async with database.session() as session:
        return await kept_queries.list_thresholds(session)


@get(
    "/alert-thresholds/{known_issue_id:str}",
    operation_id="getAlertThreshold",
    responses=problems(400, 404, 503),
)
async def get_threshold(
    known_issue_id: KnownIssueId, database: NamedDependency[Database]
) -> Response[ThresholdView]:
    """One, with its version as ETag."""
    async with database.session() as session:
        found = await kept_queries.find_threshold(session, known_issue_id)
    if found is None:
        raise UnknownThreshold
    return _tagged(found)


@put(
    "/alert-thresholds/{known_issue_id:str}",
    operation_id="putAlertThreshold",
    operation_class=example_body({"chains_per_hour": 20}),
    responses=problems(400, 404, 412, 428, 503),
)
async def put_threshold(
    known_issue_id: KnownIssueId,
    data: JSONBody[ThresholdRequest],
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> Response[ThresholdView]:
    """From how many chains an hour on a known issue is told."""
    async with database.session() as session:
        saved = await changing.save_threshold(session, known_issue_id, data, if_match=if_match)
    return _tagged(saved)


@delete(
    "/alert-thresholds/{known_issue_id:str}",
    operation_id="deleteAlertThreshold",
    responses=problems(400, 404, 412, 428, 503),
)
async def delete_threshold(
    known_issue_id: KnownIssueId,
    database: NamedDependency[Database],
    if_match: NamedDependency[str | None],
) -> None:
    """It is told no more."""
    async with database.session() as session:
        await changing.remove_threshold(session, known_issue_id, if_match=if_match)


router = Router(
    path="/api",
    dependencies=IF_MATCH,
    route_handlers=[
        list_targets,
        get_target,
        put_target,
        delete_target,
        send_test,
        list_deliveries,
        retry_delivery,
        list_thresholds,
        get_threshold,
        put_threshold,
        delete_threshold,
    ],
)
