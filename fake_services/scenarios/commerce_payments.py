"""Scenarios of `commerce-operations.md` about payments, where a provider calls back."""

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import msgspec
from litestar import Request, Response, post
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath
from sqlalchemy import Engine, create_engine, text

from fake_services.scenarios.front import front_of
from fake_services.scenarios.model import Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import CALL_TIMEOUT, InContext
from fake_services.spans import current_span

PROVIDER_PATIENCE: Final = 0.5
"""Seconds; real providers wait 5 to 30."""
ACCEPTED: Final = {"ResponseCode": "0", "ResponseDescription": "Success"}
LIVE_SECRET: Final = "sk_live_of_the_shop"  # noqa: S105 - opens nothing
TEST_SECRET: Final = "sk_test_of_the_shop"  # noqa: S105 - opens nothing


async def deliver(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str] | None = None,
    seconds: float = CALL_TIMEOUT,
) -> None:
    """Posts one webhook; raises `httpx.HTTPError` when it is refused or not answered in time."""
    span = current_span.get()
    sent = {**(span.headers() if span else {}), "content-type": "application/json"}
    async with httpx.AsyncClient(timeout=seconds, trust_env=False) as client:
        answer = await client.post(url, content=body, headers={**sent, **(headers or {})})
    answer.raise_for_status()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment provider tells."""

    id: str
    type: str


async def webhook_retries(stage: Stage) -> None:
    """The shop is slower than the provider waits, so it gets the event again."""
    engine = _webhook_events(stage.scratch / "shop.db")
    shop = await _slow_shop(stage, engine)

    @post("/payments/{payment:str}/capture")
    async def capture(payment: FromPath[str], context: InContext) -> dict[str, Any]:
        event = Event(id=f"evt_{secrets.token_hex(8)}", type="charge.completed")
        body = msgspec.json.encode(event)
        try:
            await deliver(f"{shop}/webhooks/payments", body, seconds=PROVIDER_PATIENCE)
        except httpx.TimeoutException:
            context.telemetry.warning("not answered in time, sent again", event_id=event.id)
            await deliver(f"{shop}/webhooks/payments", body)
        return {"payment": payment, "captured": True}

    provider = await stage.service("payment-provider", capture)
    await stage.request("POST", f"{provider}/payments/pay_88/capture")
    engine.dispose()


async def _slow_shop(stage: Stage, engine: Engine) -> str:
    @post("/receipts")
    async def print_receipt(context: InContext) -> dict[str, Any]:
        await asyncio.sleep(3 * PROVIDER_PATIENCE)
        context.telemetry.info("receipt printed")
        return {"printed": True}

    printer = await stage.service("receipts", print_receipt)

    @post("/webhooks/payments")
    async def receive(request: Request[Any, Any, Any], context: InContext) -> dict[str, Any]:
        event = msgspec.json.decode(await request.body(), type=Event)
        context.telemetry.info(f"webhook {event.type} received", event_id=event.id)
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO webhook_events VALUES (:id)"), {"id": event.id})
        return await context.downstream.post(f"{printer}/receipts")

    return await stage.service("shop", receive)


def _webhook_events(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE webhook_events (event_id TEXT PRIMARY KEY)"))
    return engine


class CallbackMissing(TimeoutError):
    """M-Pesa took an STK push and never said how it ended."""


async def mpesa_timeout(stage: Stage) -> None:
    """Our M-Pesa takes every push and calls nobody back."""
    patience = 2.0

    @post("/mpesa/stkpush/v1/processrequest", sync_to_thread=False)
    def push() -> dict[str, str]:
        return {**ACCEPTED, "CheckoutRequestID": f"ws_CO_{secrets.token_hex(8)}"}

    mpesa = await stage.service("mpesa-sandbox", push)
    confirmed: dict[str, asyncio.Event] = {}

    @post("/callbacks/{checkout:str}", sync_to_thread=False)
    def called_back(checkout: FromPath[str]) -> None:
        confirmed[checkout].set()

    @post("/payments")
    async def pay_by_mpesa(context: InContext) -> dict[str, Any]:
        answer = await context.downstream.post(f"{mpesa}/mpesa/stkpush/v1/processrequest")
        checkout = str(answer["CheckoutRequestID"])
        confirmed[checkout] = asyncio.Event()
        context.telemetry.info(f"STK push {checkout} accepted", checkout_request_id=checkout)
        if not await _happens(confirmed[checkout], within=patience):
            raise CallbackMissing(f"no callback for STK push {checkout} within {patience} s")
        return {"paid": True}

    payment = await stage.service("payment", pay_by_mpesa, called_back)

    front = await front_of(stage, "storefront", f"{payment}/payments")
    await stage.request("POST", front)


async def _happens(what: asyncio.Event, *, within: float) -> bool:
    waiting = asyncio.create_task(what.wait())
    _, missing = await asyncio.wait({waiting}, timeout=within)
    for one in missing:
        one.cancel()
    return not missing


class SignatureMismatch(Exception):
    """A webhook's body was not signed with the secret key that is configured here."""


def sign(secret: str, body: bytes) -> str:
    """HMAC-SHA512 of the raw body in hexadecimal, as `x-paystack-signature` carries it."""
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()


def check_paystack_signature(body: bytes, given: str, *, secret: str) -> None:
    """Raises `SignatureMismatch` unless Paystack signed `body` with `secret`."""
    if not hmac.compare_digest(sign(secret, body), given):
        raise SignatureMismatch(f"x-paystack-signature does not match: {len(body)} bytes")


async def paystack_signature(stage: Stage) -> None:
    """Paystack signs with the live key, and a deployment brought the test key."""

    @post("/webhooks/paystack")
    async def receive(request: Request[Any, Any, Any], context: InContext) -> Response[Any]:
        body = await request.body()
        given = request.headers.get("x-paystack-signature", "")
        try:
            check_paystack_signature(body, given, secret=TEST_SECRET)
        except SignatureMismatch as error:
            context.telemetry.error("webhook refused", error, path="/webhooks/paystack")
            raise NotAuthorizedException from error
        return Response({"received": True})

    shop = await stage.service("shop", receive)

    @post("/charges")
    async def charge() -> dict[str, Any]:
        body = b'{"event":"charge.success","data":{"reference":"T-88","amount":5000}}'
        signature = {"x-paystack-signature": sign(LIVE_SECRET, body)}
        await deliver(f"{shop}/webhooks/paystack", body, headers=signature)
        return {"charged": True}

    paystack = await stage.service("paystack", charge)
    await stage.request("POST", f"{paystack}/charges")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="webhook-retry-delays",
        shows="a provider sends a webhook again, because the shop was too slow to answer",
        root_service="shop",
        root="IntegrityError",
        run=webhook_retries,
    ),
    Scenario(
        name="mpesa-timeout",
        shows="an M-Pesa of ours accepts the push and never calls back; payment gives up after 2 s",
        root_service="payment",
        root="CallbackMissing",
        run=mpesa_timeout,
    ),
    Scenario(
        name="paystack-signature-failure",
        shows="a Paystack of ours signs with the live key, the shop checks with the test key",
        root_service="shop",
        root="SignatureMismatch",
        run=paystack_signature,
    ),
)
