"""A client of the live tail that reads server-sent events as a browser does."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    data: Any
    last_id: str
    """Of this event or the last before it that had one."""


def parsed(block: str, last_id: str) -> tuple[Event | None, str]:
    """An event, when it has data, and the last id from here on."""
    fields: dict[str, str] = {}
    for line in block.splitlines():
        name, _, value = line.partition(":")
        if name:
            fields[name] = value.removeprefix(" ")
    last_id = fields.get("id", last_id)
    if "data" not in fields:
        return None, last_id
    data = json.loads(fields["data"])
    return Event(kind=fields.get("event", "message"), data=data, last_id=last_id), last_id


async def events_of(response: httpx.Response) -> AsyncIterator[Event]:
    held, last_id = "", ""
    async for text in response.aiter_text():
        held += text
        *blocks, held = held.split("\n\n")
        for block in blocks:
            event, last_id = parsed(block, last_id)
            if event:
                yield event


async def take(response: httpx.Response, count: int) -> list[Event]:
    """The next events. Ends with those that came when the stream ends."""
    found: list[Event] = []
    async for event in events_of(response):
        found.append(event)
        if len(found) == count:
            break
    return found
