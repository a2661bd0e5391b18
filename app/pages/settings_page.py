"""`/settings`: the service's own state, where alerts go, and the settings as they are in force."""

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency

from app.alerts import kept_queries
from app.alerts.inputs import view_of
from app.alerts.model import DeliveryState
from app.alerts.queries import all_targets
from app.catalogue.live import LiveCatalogue
from app.database import Database, DatabaseUnavailable
from app.pages.doctor import Disk, Mark, Seen, findings_of
from app.pages.drawing import Pages
from app.pages.in_force import settings_in_force
from app.query import state_queries
from app.receive.contract import CheckHealth
from app.revision import newest_revision
from app.settings import Settings

DELIVERIES: Final = 25
DAYS: Final = 40


@get("/settings")
async def show_settings(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    catalogue: NamedDependency[LiveCatalogue],
    check_health: NamedDependency[CheckHealth],
) -> Response[str]:
    """It shows as much as it can, also when the database is away."""
    found = await _stored(database)
    stored = found.pop("stored", None)
    findings = findings_of(
        Seen(
            settings=settings,
            health=await check_health(),
            stored=stored,
            disk=await asyncio.to_thread(_disk, settings),
            catalogue_problems=catalogue.problems,
            expected_revision=newest_revision(),
            now=datetime.now(UTC),
        )
    )
    return await pages.draw(
        request,
        "settings.html",
        findings=findings,
        worst=_worst(findings),
        stored=stored,
        in_force=settings_in_force(settings),
        most_days=DAYS,
        **found,
    )


async def _stored(database: Database) -> dict[str, Any]:
    try:
        async with database.session() as session:
            return {
                "stored": await state_queries.stored_state(session),
                "targets": [view_of(one) for one in await all_targets(session)],
                "thresholds": await kept_queries.list_thresholds(session),
                "dead": await kept_queries.list_deliveries(
                    session, state=DeliveryState.DEAD, target=None, limit=DELIVERIES
                ),
            }
    except DatabaseUnavailable:
        return {"targets": [], "thresholds": [], "dead": []}


def _disk(settings: Settings) -> Disk | None:
    # The folder itself is made when it is first needed.
    folder = Path(settings.data_dir).resolve()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(free=usage.free, total=usage.total)


def _worst(findings: tuple[Any, ...]) -> Mark:
    marks = {one.mark for one in findings}
    return next(mark for mark in (Mark.PROBLEM, Mark.WARNING, Mark.OK) if mark in marks)


handlers = (show_settings,)
