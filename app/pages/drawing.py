"""Draws pages: one environment of templates, and what every page shows."""

import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import MediaType, Request, Response

from app.pages import charts, markdown, wording
from app.pages.assets import HOW_TO_BUILD, Assets
from app.pages.headers import OF_PAGES
from app.receive.contract import Health
from app.settings import Settings

TEMPLATES: Final = Path(__file__).resolve().parent / "templates"
HEALTH_SECONDS: Final = 2.0
"""How old the state of the service in the head of a page may be."""


class Place(msgspec.Struct, frozen=True):
    """An entry of the navigation."""

    name: str
    path: str


PLACES: Final = (
    Place("Overview", "/"),
    Place("Incidents", "/incidents"),
    Place("Logs", "/logs"),
    Place("Catalogue", "/catalogue"),
    Place("Ask", "/ask"),
    Place("Settings", "/settings"),
)


def make_environment(assets: Assets) -> Environment:
    """Everything is escaped, and a name that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "exact": wording.exact,
        "short": wording.short,
        "percent": wording.percent,
        "size": wording.size,
        "utc": wording.utc,
        "clock": wording.clock,
        "machine": wording.machine,
        "span": wording.span,
        "quoted": wording.quoted,
        "spoken": wording.spoken,
        "inline": markdown.render_line,
    }
    environment.globals |= {
        "asset": assets.url,
        "are_built": assets.are_built,
        "how_to_build": HOW_TO_BUILD,
        "places": PLACES,
        "ago": wording.ago,
        "bars": charts.bars,
    }
    return environment


class Pages:
    """Turns a template and its values into an answer."""

    def __init__(self, assets: Assets, check_health: Callable[[], Awaitable[Health]]) -> None:
        self._environment = make_environment(assets)
        self._check_health = check_health
        self._health: Health | None = None
        self._checked_at = 0.0

    async def draw(
        self,
        request: Request[Any, Any, Any],
        template: str,
        *,
        status: int = 200,
        block: str | None = None,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> Response[str]:
        """The whole page; of `block` only that block, for htmx to put in its place."""
        await self.health()
        return self.draw_at_once(
            request, template, status=status, block=block, headers=headers, **values
        )

    def draw_at_once(
        self,
        request: Request[Any, Any, Any],
        template: str,
        *,
        status: int = 200,
        block: str | None = None,
        headers: dict[str, str] | None = None,
        **values: Any,
    ) -> Response[str]:
        """The same with the health that was last known."""
        values |= {
            "request_path": request.url.path,
            "now": datetime.now(UTC),
            "health": self._health,
        }
        # Not imported by the base: a block that is drawn alone needs the parts, too.
        values["ui"] = self._environment.get_template("ui.html").make_module(values)
        found = self._environment.get_template(template)
        if block is None:
            html = found.render(values)
        else:
            html = "".join(found.blocks[block](found.new_context(values)))
        return Response(
            html,
            status_code=status,
            media_type=MediaType.HTML,
            headers={**OF_PAGES, **(headers or {})},
        )

    async def health(self) -> Health:
        """Of this moment, or of one at most two seconds ago."""
        if self._health is None or time.monotonic() - self._checked_at > HEALTH_SECONDS:
            self._health = await self._check_health()
            self._checked_at = time.monotonic()
        return self._health


def own_address(request: Request[Any, Any, Any], settings: Settings) -> str:
    """At which people reach this service, without a slash at its end."""
    return (settings.public_url or str(request.base_url)).rstrip("/")


def asks_for_part(request: Request[Any, Any, Any]) -> bool:
    """Whether htmx asks, and not for a page to stand in the history."""
    headers = request.headers
    return "hx-request" in headers and headers.get("hx-request-type") == "partial"
