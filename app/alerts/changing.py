"""What people change of the alerts, whether they ask as a program or over a page."""

import re
import time
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncSession

from app.alerts import kept_queries
from app.alerts.addresses import Reach
from app.alerts.deliver import Sender
from app.alerts.inputs import (
    TargetRequest,
    TestAnswer,
    ThresholdRequest,
    ThresholdView,
    VersionChanged,
)
from app.alerts.messages import alert_for_test, with_id
from app.alerts.model import DeliveryState, DeliveryView, Target, TargetKind
from app.alerts.sending import check_url
from app.errors import AppError, NotFound
from app.preconditions import holds

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


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


async def find_target(session: AsyncSession, name: str, *, for_update: bool = False) -> Target:
    """Raises `UnknownTarget`."""
    found = await kept_queries.find_target(session, name, for_update=for_update)
    if found is None:
        raise UnknownTarget
    return found


async def save_target(
    session: AsyncSession, name: str, wanted: TargetRequest, *, reach: Reach, if_match: str | None
) -> Target:
    """Make it or replace it; URL and secret stay when they are left out.

    Raises `InvalidTarget`, `VersionChanged`, `PreconditionMissing`, `InvalidPrecondition`.
    """
    if not _NAME.fullmatch(name):
        raise InvalidTarget("a name is 1 to 100 of A-Z a-z 0-9 . _ - and begins with none of . _ -")
    before = await kept_queries.find_target(session, name, for_update=True)
    _require(if_match, before)
    _check(wanted, before, reach)
    save = kept_queries.change_target if before else kept_queries.make_target
    return await save(session, name, wanted.row())


def _check(wanted: TargetRequest, before: Target | None, reach: Reach) -> None:
    if not wanted.url and before is None:
        raise InvalidTarget("a new target needs a `url`")
    if wanted.kind is TargetKind.GENERIC and not (wanted.secret or (before and before.secret)):
        raise InvalidTarget("a generic target needs a `secret`, by which its messages are signed")
    if wanted.url:
        try:
            check_url(wanted.url, reach)
        except ValueError as error:
            raise InvalidTarget(f"`url`: {error}") from error


async def remove_target(session: AsyncSession, name: str, *, if_match: str | None) -> None:
    """What waits for it is given up.

    Raises `UnknownTarget`, `VersionChanged`, and of `If-Match`.
    """
    found = await find_target(session, name, for_update=True)
    _require(if_match, found)
    await kept_queries.delete_target(session, name)


async def send_test(target: Target, sender: Sender, *, public_url: str) -> TestAnswer:
    """Send a message now, whatever the routing says, and tell what came back."""
    now = datetime.now(UTC)
    alert = with_id(alert_for_test(target.name, at=now, public_url=public_url), str(uuid4()))
    started = time.monotonic()
    answered = await sender.send(target, alert, now=now)
    return TestAnswer(
        delivered=answered.delivered,
        status=answered.status,
        reason=answered.reason,
        answer=answered.text,
        seconds=round(time.monotonic() - started, 3),
    )


async def retry_delivery(session: AsyncSession, delivery_id: UUID) -> DeliveryView:
    """Try a message that was given up from its first attempt on, under its old key.

    Raises `UnknownDelivery`, `NotDead`.
    """
    found = await kept_queries.find_delivery(session, delivery_id)
    if found is None:
        raise UnknownDelivery
    exists = await kept_queries.find_target(session, found.target)
    if found.state is not DeliveryState.DEAD or not exists:
        raise NotDead
    return await kept_queries.try_again(session, delivery_id)


async def save_threshold(
    session: AsyncSession, known_issue_id: str, wanted: ThresholdRequest, *, if_match: str | None
) -> ThresholdView:
    """Raises `UnknownEntry`, `VersionChanged`, and of `If-Match`."""
    before = await kept_queries.find_threshold(session, known_issue_id)
    _require(if_match, before)
    if not await kept_queries.is_entry(session, known_issue_id):
        raise UnknownEntry
    save = kept_queries.change_threshold if before else kept_queries.make_threshold
    return await save(session, known_issue_id, chains_per_hour=wanted.chains_per_hour)


async def remove_threshold(
    session: AsyncSession, known_issue_id: str, *, if_match: str | None
) -> None:
    """Raises `UnknownThreshold`, `VersionChanged`, and of `If-Match`."""
    found = await kept_queries.find_threshold(session, known_issue_id)
    if found is None:
        raise UnknownThreshold
    _require(if_match, found)
    await kept_queries.delete_threshold(session, known_issue_id)
