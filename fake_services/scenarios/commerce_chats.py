"""Scenarios of `commerce-operations.md` about conversations."""

import asyncio
import secrets
import time
from typing import Any, Final

import msgspec
from litestar import post
from litestar.params import FromPath, JSONBody

from fake_services.scenarios.model import Scenario
from fake_services.scenarios.stage import Stage
from fake_services.service import Context, InContext

MEDIA_SECONDS: Final = 2.5
"""How long a photo is fetched before its message can be stored."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A message as WhatsApp delivers it; the timestamp has whole seconds."""

    id: str
    timestamp: int
    kind: str


class Inbox:
    """Takes messages at once and stores them when it has all of them, each in its own task."""

    def __init__(self) -> None:
        self._newest = 0
        self._under_way: set[asyncio.Task[None]] = set()

    def take(self, message: Incoming, context: Context) -> None:
        """Stores it later."""
        self._under_way.add(asyncio.create_task(self._store(message, context)))

    async def emptied(self) -> None:
        """Waits until all messages taken are stored."""
        await asyncio.gather(*self._under_way)

    async def _store(self, message: Incoming, context: Context) -> None:
        if message.kind == "image":
            await asyncio.sleep(MEDIA_SECONDS)
        context.telemetry.info(
            f"WhatsApp message {message.id} stored", message_timestamp=message.timestamp
        )
        if message.timestamp < self._newest:
            context.telemetry.warning(
                f"WhatsApp message {message.id} is older than the last stored",
                lag_s=self._newest - message.timestamp,
            )
        self._newest = max(self._newest, message.timestamp)


async def whatsapp_ordering(stage: Stage) -> None:
    """A photo takes long to fetch, and the text sent after it is stored before it."""
    inbox = Inbox()

    @post("/webhooks/whatsapp")
    async def receive(data: JSONBody[Incoming], context: InContext) -> dict[str, Any]:
        inbox.take(data, context)
        return {"received": True}

    chat = await stage.service("chat", receive)

    @post("/messages/{kind:str}")
    async def pass_on(kind: FromPath[str], context: InContext) -> dict[str, Any]:
        wamid = f"wamid.{secrets.token_hex(8).upper()}"
        message = Incoming(id=wamid, timestamp=int(time.time()), kind=kind)
        url = f"{chat}/webhooks/whatsapp"
        return await context.downstream.post(url, json=msgspec.to_builtins(message))

    whatsapp = await stage.service("whatsapp", pass_on)
    with stage.span():
        await stage.request("POST", f"{whatsapp}/messages/image")
        await asyncio.sleep(1.1)  # the customer writes a question about the photo
        await stage.request("POST", f"{whatsapp}/messages/text")
    await inbox.emptied()


class ConversationExpired(Exception):
    """Nothing is known any more of a conversation that goes on."""


class Sessions:
    """Conversations in memory; one that is silent for `seconds` is forgotten."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._turns: dict[str, tuple[float, list[str]]] = {}

    def begin(self, conversation: str, said: str) -> None:
        """The first message of a conversation."""
        self._turns[conversation] = (time.monotonic(), [said])

    def go_on(self, conversation: str, said: str) -> list[str]:
        """All that was said so far; raises `ConversationExpired`."""
        touched, turns = self._turns[conversation]
        silent = time.monotonic() - touched
        if silent > self._seconds:
            raise ConversationExpired(f"{conversation} was silent for {silent:.1f} s")
        self._turns[conversation] = (time.monotonic(), [*turns, said])
        return self._turns[conversation][1]


async def context_loss(stage: Stage) -> None:
    """A customer answers the bot's question after its session has ended."""
    sessions = Sessions(0.3)

    @post("/conversations/{conversation:str}/greeting", sync_to_thread=False)
    def greet(conversation: FromPath[str], context: InContext) -> dict[str, Any]:
        sessions.begin(conversation, "hello")
        context.telemetry.info("conversation begun", conversation_id=conversation)
        return {"reply": "which order is it about?"}

    @post("/conversations/{conversation:str}/answer", sync_to_thread=False)
    def answer(conversation: FromPath[str], context: InContext) -> dict[str, Any]:
        turns = sessions.go_on(conversation, "order 8812")
        context.telemetry.info("conversation went on", conversation_id=conversation)
        return {"turns": len(turns)}

    bot = await stage.service("bot", greet, answer)

    @post("/messages/{step:str}")
    async def relay(step: FromPath[str], context: InContext) -> dict[str, Any]:
        return await context.downstream.post(f"{bot}/conversations/c-81/{step}")

    channel = await stage.service("channel", relay)
    with stage.span():
        await stage.request("POST", f"{channel}/messages/greeting")
        await asyncio.sleep(0.6)  # the customer looks for the number of the order
        await stage.request("POST", f"{channel}/messages/answer")


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        name="whatsapp-message-ordering",
        shows="two messages arrive in order and are stored in the opposite order",
        root_service="chat",
        root="",
        run=whatsapp_ordering,
    ),
    Scenario(
        name="conversation-context-loss",
        shows="a customer answers after the bot's session has expired",
        root_service="bot",
        root="ConversationExpired",
        run=context_loss,
    ),
)
