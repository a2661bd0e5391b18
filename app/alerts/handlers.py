"""Targets, messages and thresholds over HTTP."""

import re
import time
from datetime import UTC, datetime
from typing import Annotated, Final, TypeVar
from uuid import UUID, uuid4

from litestar import Response, Router, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter, QueryParameter

from app.alerts import kept_queries
from app.alerts.deliver import Sender
from app.alerts.inputs import (
    TARGET_EXAMPLE,
    TargetRequest,
    TargetView,
    TestAnswer,
    ThresholdRequest,
    ThresholdView,
    VersionChanged,
    view_of,
)
from app.alerts.messages import alert_for_test, with_id
from app.alerts.model import DeliveryState, DeliveryView, Target, TargetKind
from app.alerts.queries import all_targets
from app.alerts.sending import check_url
from app.database import Database
from app.errors import AppError, NotFound
from app.preconditions import IF_MATCH, etag, holds
from app.settings import Settings
from app.shapes import NO_NUL, KnownIssueId, example_body, problems, shown

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TargetName = Annotated[str, PathParameter(examples=shown("on-call"))]
_DeliveryId = Annotated[UUID, PathParameter(examples=shown("c0a80101-7e57-4a11-9b0e-3f1d2c4b5a69"))]
_View = TypeVar("_View", TargetView, ThresholdView)

__all__ = ["InvalidTarget", "NotDead", "VersionChanged", "router"]


class InvalidTarget(AppError):
    """The target cannot be made like this."""


class UnknownTarget(NotFound):
    """No target of alerts has this name."""


class UnknownDelivery(NotFound):
    """No message has this ID."""


class UnknownThreshold(NotFound):
    """This known issue has no threshold."""


class UnknownEntry(NotFound):
    """The catalogue has no entry with this ID."""


class NotDead(AppError):
    """Only a message that was given up can be tried again, and only while its target exists."""


def _require(if_match: str | None, stored: Target | ThresholdView | None) -> None:
    if not holds(if_match, stored.version if stored else None):
        raise VersionChanged


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
        return _tagged(view_of(_found(await kept_queries.find_target(session, name))))


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
    if not _NAME.fullmatch(name):
        raise InvalidTarget("a name is 1 to 100 of A-Z a-z 0-9 . _ - and begins with none of . _ -")
    async with database.session() as session:
        before = await kept_queries.find_target(session, name, for_update=True)
        _require(if_match, before)
        _check(data, before, sender)
        save = kept_queries.change_target if before else kept_queries.make_target
        return _tagged(view_of(await save(session, name, data.row())))


def _check(data: TargetRequest, before: Target | None, sender: Sender) -> None:
    if not data.url and before is None:
        raise InvalidTarget("a new target needs a `url`")
    if data.kind is TargetKind.GENERIC and not (data.secret or (before and before.secret)):
        raise InvalidTarget("a generic target needs a `secret`, by which its messages are signed")
    if data.url:
        try:
            check_url(data.url, sender.reach)
        except ValueError as error:
            raise InvalidTarget(f"`url`: {error}") from error


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
        found = _found(await kept_queries.find_target(session, name, for_update=True))
        _require(if_match, found)
        await kept_queries.delete_target(session, name)


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
        target = _found(await kept_queries.find_target(session, name))
    now = datetime.now(UTC)
    alert = with_id(alert_for_test(name, at=now, public_url=settings.public_url), str(uuid4()))
    started = time.monotonic()
    answered = await sender.send(target, alert, now=now)
    return TestAnswer(
        delivered=answered.delivered,
        status=answered.status,
        reason=answered.reason,
        answer=answered.text,
        seconds=round(time.monotonic() - started, 3),
    )


def _found(target: Target | None) -> Target:
    if target is None:
        raise UnknownTarget
    return target


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
        found = await kept_queries.find_delivery(session, delivery_id)
        if found is None:
            raise UnknownDelivery
        exists = await kept_queries.find_target(session, found.target)
        if found.state is not DeliveryState.DEAD or not exists:
            raise NotDead
        return await kept_queries.try_again(session, delivery_id)


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
        before = await kept_queries.find_threshold(session, known_issue_id)
        _require(if_match, before)
        if not await kept_queries.is_entry(session, known_issue_id):
            raise UnknownEntry
        save = kept_queries.change_threshold if before else kept_queries.make_threshold
        return _tagged(await save(session, known_issue_id, chains_per_hour=data.chains_per_hour))


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
        found = await kept_queries.find_threshold(session, known_issue_id)
        if found is None:
            raise UnknownThreshold
        _require(if_match, found)
        await kept_queries.delete_threshold(session, known_issue_id)


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
