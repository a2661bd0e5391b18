"""`/settings/targets…`: alert targets made, changed, deleted and tested; messages tried again."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect

from app.alerts import changing
from app.alerts.changing import InvalidTarget
from app.alerts.deliver import Sender
from app.alerts.inputs import (
    TargetView,
    TestAnswer,
    ThresholdRequest,
    VersionChanged,
    view_of,
)
from app.alerts.model import WEEKDAYS
from app.database import Database
from app.incidents.tables import EventKind
from app.pages.drawing import Pages
from app.pages.target_form import Fields, fields_of, read_fields, request_of
from app.preconditions import PreconditionMissing, etag
from app.settings import Settings


class Versioned(msgspec.Struct, frozen=True, kw_only=True):
    """What a form says of the version that its reader saw."""

    version: int


class ThresholdForm(msgspec.Struct, frozen=True, kw_only=True):
    known_issue_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    chains_per_hour: str
    version: str = ""


class InvalidThreshold(InvalidTarget):
    """A threshold is a whole number of chains an hour, 1 or more."""


_Version = Annotated[Versioned, Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/settings/targets")
async def new_target(request: Request[Any, Any, Any], pages: NamedDependency[Pages]) -> Any:
    """The form of a new one."""
    return await _draw(request, pages, fields=fields_of(None))


@get("/settings/targets/{name:str}")
async def show_target(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    name: FromPath[str],
) -> Response[str]:
    """One, as it may be shown, and the form to change it."""
    async with database.session() as session:
        target = view_of(await changing.find_target(session, name))
    return await _draw(request, pages, fields=fields_of(target), target=target)


@post("/settings/targets")
async def make_target(
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    sender: NamedDependency[Sender],
) -> Response[Any]:
    """A name that is taken is a mistake in the form, not a change of what has it."""
    fields = read_fields((await request.form()).multi_items())
    return await _save(request, pages, database, sender, fields=fields, before=None)


@post("/settings/targets/{name:str}")
async def change_target(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    sender: NamedDependency[Sender],
    name: FromPath[str],
) -> Response[Any]:
    """URL and secret stay when their fields are empty."""
    fields = read_fields((await request.form()).multi_items()) | {"name": name}
    async with database.session() as session:
        before = view_of(await changing.find_target(session, name))
    return await _save(request, pages, database, sender, fields=fields, before=before)


async def _save(
    request: Request[Any, Any, Any],
    pages: Pages,
    database: Database,
    sender: Sender,
    *,
    fields: Fields,
    before: TargetView | None,
) -> Response[Any]:
    """Back to the list, or the form again with what is wrong in it."""
    if_match = f'"{fields["version"]}"' if before else None
    try:
        async with database.session() as session:
            await changing.save_target(
                session,
                fields["name"],
                request_of(fields),
                reach=sender.reach,
                if_match=if_match,
            )
    except (InvalidTarget, msgspec.ValidationError) as error:
        wrong, status = str(error), 400
    except PreconditionMissing:
        wrong, status = f"A target named {fields['name']} exists; choose another name.", 409
    except VersionChanged as error:
        wrong, status = str(error), 412
    else:
        return Redirect("/settings#alerts", status_code=303)
    return await _draw(request, pages, fields=fields, target=before, wrong=wrong, status=status)


@post("/settings/targets/{name:str}/delete")
async def delete_target(
    name: FromPath[str], data: _Version, database: NamedDependency[Database]
) -> Redirect:
    """What waits for it is given up."""
    async with database.session() as session:
        await changing.remove_target(session, name, if_match=etag(data.version))
    return Redirect("/settings#alerts", status_code=303)


@post("/settings/targets/{name:str}/test", status_code=200)
async def test_target(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    sender: NamedDependency[Sender],
    settings: NamedDependency[Settings],
    name: FromPath[str],
) -> Response[str]:
    """Send a message now and show what came back: no address could show that again."""
    async with database.session() as session:
        found = await changing.find_target(session, name)
    answer = await changing.send_test(found, sender, public_url=settings.public_url)
    target = view_of(found)
    return await _draw(request, pages, fields=fields_of(target), target=target, answer=answer)


@post("/settings/deliveries/{delivery_id:uuid}/retry")
async def retry_delivery(
    delivery_id: FromPath[UUID], database: NamedDependency[Database]
) -> Redirect:
    """From its first attempt on, under its old key."""
    async with database.session() as session:
        await changing.retry_delivery(session, delivery_id)
    return Redirect("/settings#deliveries", status_code=303)


@post("/settings/thresholds")
async def save_threshold(
    data: Annotated[ThresholdForm, Body(media_type=RequestEncodingType.URL_ENCODED)],
    database: NamedDependency[Database],
) -> Redirect:
    """A number makes or changes it; none deletes it."""
    if_match = f'"{data.version}"' if data.version else None
    async with database.session() as session:
        if data.version and not data.chains_per_hour.strip():
            await changing.remove_threshold(session, data.known_issue_id, if_match=if_match)
        else:
            await changing.save_threshold(
                session, data.known_issue_id, _threshold(data), if_match=if_match
            )
    return Redirect("/settings#thresholds", status_code=303)


def _threshold(data: ThresholdForm) -> ThresholdRequest:
    asked = {"chains_per_hour": data.chains_per_hour.strip()}
    try:
        return msgspec.convert(asked, ThresholdRequest, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidThreshold from error


async def _draw(
    request: Request[Any, Any, Any],
    pages: Pages,
    *,
    fields: Fields,
    target: TargetView | None = None,
    answer: TestAnswer | None = None,
    wrong: str = "",
    status: int = 200,
) -> Response[str]:
    return await pages.draw(
        request,
        "target.html",
        status=status,
        fields=fields,
        target=target,
        answer=answer,
        wrong=wrong,
        event_kinds=[str(kind) for kind in EventKind],
        weekdays=WEEKDAYS,
    )


handlers = (
    new_target,
    show_target,
    make_target,
    change_target,
    delete_target,
    test_target,
    retry_delivery,
    save_threshold,
)
