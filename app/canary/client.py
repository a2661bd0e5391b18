"""The canary's side of the wire: what any sender and any reader does, over real HTTP."""

import asyncio
from typing import Final, Self

import httpx
import msgspec

from app.address import without_password
from app.canary.chains import Parcel
from app.canary.verdict import Answer, Row
from app.errors import AppError

ATTEMPTS: Final = 4
LONGEST_PAUSE_SECONDS: Final = 5.0
SHORTEST_PAUSE_SECONDS: Final = 0.2
REQUEST_SECONDS: Final = 10.0
EXCHANGE_SECONDS: Final = 30.0
"""All attempts of one parcel together, or one reading, with the wait for a connection."""
MOST_CONNECTIONS: Final = 64
LAST_PORT: Final = 65_535
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})


class ServiceUnreachable(AppError):
    """No ProdSentinel answers at this address."""


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True):
    """What was said to each record of a parcel, and how long the answering request took."""

    answers: tuple[Answer, ...]
    seconds: float | None = None


class _Rejection(msgspec.Struct, frozen=True):
    index: int


class _Receipt(msgspec.Struct, frozen=True):
    rejected: tuple[_Rejection, ...] = ()


class _Chain(msgspec.Struct, frozen=True):
    records: tuple[Row, ...]


class Service:
    """A running ProdSentinel, known by its address alone."""

    def __init__(self, url: str) -> None:
        """Raises `ServiceUnreachable` when the address is none."""
        self._name = without_password(url)
        self._http = httpx.AsyncClient(
            base_url=self._read_url(url),
            timeout=httpx.Timeout(REQUEST_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=MOST_CONNECTIONS),
            # No proxy of the environment stands between the canary and what it watches.
            trust_env=False,
        )

    def _read_url(self, text: str) -> httpx.URL:
        try:
            url = httpx.URL(text)
        except httpx.InvalidURL as error:
            raise ServiceUnreachable(f"{self._name} is no URL: {error}") from error
        # httpx would hear of this from the operating system only.
        if (url.port or 0) > LAST_PORT:
            raise ServiceUnreachable(f"{self._name} is no URL: its port is above {LAST_PORT}")
        return url

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def require(self) -> None:
        """Raises `ServiceUnreachable` when nothing answers, or something else does."""
        try:
            answer = await self._http.get("/ingest/health")
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise ServiceUnreachable(f"{self._name} cannot be reached: {reason}") from error
        if answer.status_code not in (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE):
            raise ServiceUnreachable(
                f"{self._name} is no ProdSentinel: /ingest/health answers {answer.status_code}"
            )

    async def send(self, parcel: Parcel) -> Acknowledged:
        """Send it, again when told to come again; what was said to it in the end."""
        answers = (Answer.NONE,) * len(parcel.records)
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                for attempt in range(ATTEMPTS):
                    found, pause = await self._send_once(parcel)
                    if found.answers[0] is not Answer.NONE:
                        answers = found.answers
                    if pause is None:
                        return found
                    if attempt < ATTEMPTS - 1:
                        await asyncio.sleep(pause)
        except TimeoutError:
            pass
        return Acknowledged(answers=answers)

    async def _send_once(self, parcel: Parcel) -> tuple[Acknowledged, float | None]:
        """What was said, and after which pause to ask again, if at all."""
        count = len(parcel.records)
        try:
            answer = await self._http.post(
                "/ingest/logs", content=parcel.content, headers=parcel.headers
            )
        except httpx.HTTPError:
            return Acknowledged(answers=(Answer.NONE,) * count), SHORTEST_PAUSE_SECONDS
        if answer.status_code != httpx.codes.ACCEPTED:
            again = answer.status_code in _AGAIN
            pause = _pause(answer.headers.get("retry-after")) if again else None
            return Acknowledged(answers=(Answer.REFUSED,) * count), pause
        return Acknowledged(
            answers=_answers(answer.content, count), seconds=answer.elapsed.total_seconds()
        ), None

    async def read(self, correlation_id: str) -> tuple[Row, ...] | None:
        """The rows of a chain; none when there is no such chain; None when nobody could say."""
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                answer = await self._http.get(f"/api/chains/{correlation_id}")
            if answer.status_code == httpx.codes.NOT_FOUND:
                return ()
            if answer.status_code != httpx.codes.OK:
                return None
            return msgspec.json.decode(answer.content, type=_Chain).records
        except (TimeoutError, httpx.HTTPError, msgspec.MsgspecError):
            return None


def _answers(receipt: bytes, count: int) -> tuple[Answer, ...]:
    try:
        rejected = {one.index for one in msgspec.json.decode(receipt, type=_Receipt).rejected}
    except msgspec.MsgspecError:
        rejected = set()
    return tuple(Answer.REFUSED if n in rejected else Answer.ACCEPTED for n in range(count))


def _pause(retry_after: str | None) -> float:
    """Seconds; as the service asks, within bounds."""
    try:
        asked = float(retry_after or 0)
    except ValueError:  # a date: no reason to compare clocks with it
        asked = 1.0
    return min(max(asked, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
