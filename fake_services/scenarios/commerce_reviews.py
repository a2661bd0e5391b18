"""The scenario of `commerce-platform.md` in which nothing fails until somebody reads the code."""

import ast
import hashlib
import hmac
import inspect
from collections.abc import Callable
from typing import Any, Final

import httpx
from litestar import Request, Response, post
from litestar.exceptions import NotAuthorizedException

from fake_services.scenarios.model import Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import InContext
from fake_services.spans import current_span

APP_SECRET: Final = "of-the-shop-at-facebook"  # noqa: S105 - opens nothing


def is_from_facebook(body: bytes, given: str) -> bool:
    """Whether `x-hub-signature-256` fits, found out in a time that tells how far it fits."""
    expected = "sha256=" + hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return expected == given


class ReviewFailed(Exception):
    """Code that must not be released; the text says where and why."""


def leaking_comparisons(function: Callable[..., Any]) -> list[str]:
    """Comparisons with `==` or `!=` of what an HMAC in `function` came to, as they are written."""
    nodes = list(ast.walk(ast.parse(inspect.getsource(function))))
    digests = {
        target.id
        for node in nodes
        if isinstance(node, ast.Assign) and _is_digest(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [
        ast.unparse(node)
        for node in nodes
        if isinstance(node, ast.Compare)
        and isinstance(node.ops[0], ast.Eq | ast.NotEq)
        and any(
            _is_digest(side) or _names(side) & digests for side in (node.left, *node.comparators)
        )
    ]


def _is_digest(value: ast.expr) -> bool:
    called = {node.attr for node in ast.walk(value) if isinstance(node, ast.Attribute)}
    return bool(called & {"digest", "hexdigest"})


def _names(value: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(value) if isinstance(node, ast.Name)}


def review(function: Callable[..., Any]) -> None:
    """Raises `ReviewFailed` when the time that `function` takes leaks a signature."""
    if found := leaking_comparisons(function):
        where = f"{function.__module__}.{function.__name__}: {', '.join(found)}"
        raise ReviewFailed(
            f"{where}: a signature is compared in a time that depends on it (CWE-208)"
        )


async def timing_attack(stage: Stage) -> None:
    """A webhook takes its signed request as it should; the review of its code stops the release."""

    @post("/webhooks/facebook")
    async def receive(request: Request[Any, Any, Any], context: InContext) -> Response[Any]:
        if not is_from_facebook(
            await request.body(), request.headers.get("x-hub-signature-256", "")
        ):
            raise NotAuthorizedException
        context.telemetry.info("webhook message received")
        return Response({"received": True})

    webhooks = await stage.service("webhooks", receive)

    @post("/reviews", sync_to_thread=False)
    def review_webhooks() -> dict[str, Any]:
        review(is_from_facebook)
        return {"passed": True}

    reviews = await stage.service("security-review", review_webhooks)

    @post("/releases")
    async def release(context: InContext) -> dict[str, Any]:
        await _send_message(f"{webhooks}/webhooks/facebook")
        return await context.downstream.post(f"{reviews}/reviews")

    front = await stage.service("release", release)
    await stage.request("POST", f"{front}/releases")


async def _send_message(url: str) -> None:
    span = current_span.get()
    body = b'{"object":"page","entry":[]}'
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-hub-signature-256": f"sha256={signature}", **(span.headers() if span else {})}
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(url, content=body, headers=headers)
    answer.raise_for_status()


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="webhook-timing-attack",
        shows="a running webhook compares its HMAC with ==, and a review of its code finds that",
        root_service="security-review",
        root="ReviewFailed",
        run=timing_attack,
    ),
)
