"""One message over HTTP, to an address that was looked at first."""

import asyncio
import functools
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from app.alerts.addresses import Address, Reach, parse, refusal
from app.normalise.text import storable

CONNECT_SECONDS: Final = 3.0
TOTAL_SECONDS: Final = 10.0
MOST_ANSWER_BYTES: Final = 65_536
SHOWN_CHARACTERS: Final = 300
LONGEST_URL: Final = 2_000
SECRET_CHARACTERS: Final = 8
"""A part of a path may be a secret from this length on."""
GONE: Final = 410
"""The receiver wants no more messages (Standard Webhooks, "Delivery success and failure")."""
_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)

Resolve = Callable[[str, int], Awaitable[tuple[Address, ...]]]
"""The addresses of a host and port. Raises `OSError` when it has none."""


class Answered(Struct, frozen=True, kw_only=True):
    """What came back of one attempt."""

    delivered: bool
    status: int | None = None
    reason: str = ""
    """Why it counts as failed."""
    text: str = ""
    """The beginning of the answer."""
    retry_after: float | None = None
    """Seconds that the receiver asks to wait."""

    @property
    def is_gone(self) -> bool:
        return self.status == GONE


class AddressRefused(Exception):
    """The name of a target leads to an address that messages must not go to."""


def check_url(text: str, reach: Reach) -> None:
    """Raises `ValueError`, which says what is wrong with the address of a target and not what it
    is: that may hold a secret. Names are resolved when a message is sent, not here."""
    if not text.isascii() or not text.isprintable() or " " in text or len(text) > LONGEST_URL:
        raise ValueError("the URL must be printable ASCII of at most 2,000 characters")
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment:
        raise ValueError("the URL must be http:// or https://, a host, and no fragment")
    if "@" in parts.netloc:
        raise ValueError("the URL must hold no user and no password")
    if parts.port == 0:
        raise ValueError("the URL must name another port than 0")
    try:
        address = parse(parts.hostname)
    except ValueError:
        return
    if reason := refusal(address, reach):
        raise ValueError(_with_advice(reason))


def _with_advice(reason: str) -> str:
    return f"{reason}; PRODSENTINEL_ALERT_PRIVATE_TARGETS and PRODSENTINEL_ALERT_NETWORKS allow it"


async def resolve(host: str, port: int) -> tuple[Address, ...]:
    """As the operating system resolves it: hosts file, DNS, and numbers in any notation."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(parse(str(place[0])) for *_, place in found))


async def post(
    url: str,
    *,
    body: bytes,
    headers: dict[str, str],
    reach: Reach,
    resolve: Resolve = resolve,
    seconds: float = TOTAL_SECONDS,
) -> Answered:
    """Send it once; never raises for what the other side, or the way to it, does wrong."""
    # Imported late: a service without targets needs no HTTP client.
    import httpx  # noqa: PLC0415

    try:
        async with asyncio.timeout(seconds):
            return _without_url(await _post(url, body, headers, reach, resolve), url)
    except TimeoutError:
        reason = f"no answer within {seconds:g} s"
    except httpx.ConnectTimeout:
        reason = f"no connection within {CONNECT_SECONDS:g} s"
    except AddressRefused as error:
        reason = _with_advice(str(error))
    except socket.gaierror as error:
        reason = f"the name of the host has no address: {error.strerror}"
    except (httpx.HTTPError, OSError) as error:
        reason = str(error) or type(error).__name__
    except (httpx.InvalidURL, ValueError):
        # Their text may repeat the URL.
        reason = "the URL cannot be used"
    return Answered(delivered=False, reason=_shown(reason))


async def _post(
    url: str, body: bytes, headers: dict[str, str], reach: Reach, resolve: Resolve
) -> Answered:
    import httpx  # noqa: PLC0415 - as above

    place = httpx.URL(url)
    port = place.port or (443 if place.scheme == "https" else 80)
    addresses = await resolve(place.host, port)
    # One inner address among public ones is reason enough: which is used would be chance.
    for address in addresses:
        if reason := refusal(address, reach):
            raise AddressRefused(reason)
    for address in addresses[:-1]:
        try:
            return await _exchange(place, address, body, headers)
        except (httpx.ConnectError, httpx.ConnectTimeout):
            continue
    return await _exchange(place, addresses[-1], body, headers)


async def _exchange(place: Any, address: Address, body: bytes, headers: dict[str, str]) -> Answered:
    """To the address that was checked and no other: the name is not resolved again, and stands
    in `Host`, and in the TLS greeting, by which the certificate is checked."""
    import httpx  # noqa: PLC0415 - as above

    request = httpx.Request(
        "POST",
        place.copy_with(host=str(address)),
        content=body,
        headers={**headers, "host": place.netloc.decode("ascii"), "accept-encoding": "identity"},
        extensions={
            "sni_hostname": place.host.rstrip("."),
            "timeout": httpx.Timeout(TOTAL_SECONDS, connect=CONNECT_SECONDS).as_dict(),
        },
    )
    # A new connection each time, and no proxy of the environment: either would go elsewhere.
    async with httpx.AsyncHTTPTransport(verify=_tls(), trust_env=False) as transport:
        answer = await transport.handle_async_request(request)
        try:
            text = await _beginning(answer)
        finally:
            await answer.aclose()
    return _judge(answer.status_code, answer.headers, text)


async def _beginning(answer: Any) -> str:
    """What is shown of the answer; the rest of a long one is never read."""
    read = bytearray()
    async with aclosing(answer.aiter_raw()) as parts:
        async for part in parts:
            read += part
            if len(read) >= MOST_ANSWER_BYTES:
                break
    return _shown(read[:MOST_ANSWER_BYTES].decode("utf-8", "replace"))


def _judge(status: int, headers: Any, text: str) -> Answered:
    if status in _SUCCESS:
        return Answered(delivered=True, status=status, text=text)
    reason = f"HTTP {status}"
    if status in _REDIRECT and (where := headers.get("location")):
        reason += f": a redirect to {where}, which is not followed"
    elif text:
        reason += f": {text}"
    return Answered(
        delivered=False,
        status=status,
        reason=_shown(reason),
        text=text,
        retry_after=read_retry_after(headers.get("retry-after", ""), now=datetime.now(UTC)),
    )


def _without_url(answered: Answered, url: str) -> Answered:
    """Receivers like to repeat the path they do not know, and it may be a secret."""
    parts = urlsplit(url)
    long = [part for part in parts.path.split("/") if len(part) >= SECRET_CHARACTERS]
    for part in (parts.query, parts.path.strip("/"), *long):
        if part:
            answered = msgspec.structs.replace(
                answered,
                reason=answered.reason.replace(part, "…"),
                text=answered.text.replace(part, "…"),
            )
    return answered


def read_retry_after(text: str, *, now: datetime) -> float | None:
    """Seconds from `Retry-After`, which is seconds or an HTTP date (RFC 9110, 10.2.3)."""
    if text.strip().isdecimal():
        return float(text[:10])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    # RFC 5322's "-0000" gives a naive one; it is UTC all the same.
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _shown(text: str) -> str:
    return storable(text[:SHOWN_CHARACTERS])[0]


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates of all authorities takes longer than most messages."""
    import httpx  # noqa: PLC0415 - as above

    return httpx.create_ssl_context()
