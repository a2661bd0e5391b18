"""The way of a request's records: normalise, sign, write. The body of `POST /ingest/logs`."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Final

from app.errors import AppError
from app.normalise.context import Context
from app.normalise.normalise import normalise
from app.normalise.record import Refused, Severity
from app.normalise.repairs import Refusal
from app.receive.admission import UNNAMED, Admission, Ticket
from app.receive.body import NOT_JSON, holds_lines, records_of_json, records_of_lines
from app.receive.contract import Delivery, PartlyAccepted, Receipt
from app.receive.encoding import UnreadableBody, check_size, decoded, encoding_hint
from app.receive.reading import BLOCK_BYTES, IdleWatch, Limits, line_blocks, whole_body
from app.settings import Settings
from app.store.batch import SignedRecord, signed
from app.store.committer import Committer
from app.store.tally import Tally

LEAST_HELD: Final = 4096
"""What a request costs beside its body."""
SLICE: Final = 128
"""Records of JSON that are prepared in one go: a millisecond, then others get their turn."""
UNIT: Final = 2_048
"""Records of a stream that are stored together."""
UNIT_BYTES: Final = 1024 * 1024
EXPANSION: Final = 8
"""What an encoded body is taken to become."""
SHED: Final[dict[str, frozenset[Severity]]] = {
    "": frozenset(),
    "debug": frozenset({Severity.TRACE, Severity.DEBUG}),
    "info": frozenset({Severity.TRACE, Severity.DEBUG, Severity.INFO}),
    "warning": frozenset({Severity.TRACE, Severity.DEBUG, Severity.INFO, Severity.WARNING}),
}
"""What a sender's choice stands for. Errors are never shed."""


class Ingest:
    """`receive.contract.Accept` over the committer."""

    def __init__(self, committer: Committer, admission: Admission, settings: Settings) -> None:
        self._committer = committer
        self._admission = admission
        self._turn = asyncio.Lock()
        self._limits = Limits(
            json_bytes=settings.max_body_bytes,
            stream_bytes=settings.max_stream_bytes,
            json_records=settings.max_records,
        )
        self.idle_watch = IdleWatch(seconds=settings.body_timeout_seconds)

    async def __call__(self, delivery: Delivery) -> Receipt:
        _check_announced(delivery, self._limits)
        with self._admission.admit(_held_by(delivery)) as ticket:
            shed = SHED[delivery.shed] if self._admission.is_strained else frozenset[Severity]()
            intake = _Intake(self._committer, self._turn, ticket, delivery, shed)
            receipt = await intake.run(self.idle_watch, self._limits)
            now = time.monotonic()
            self._admission.observe(now - intake.read_at, now=now)
            return receipt


class _Intake:
    """One delivery on its way. Each record of it that was read is accounted for at the end."""

    def __init__(
        self,
        committer: Committer,
        turn: asyncio.Lock,
        ticket: Ticket,
        delivery: Delivery,
        shed: frozenset[Severity],
    ) -> None:
        self._committer = committer
        self._turn = turn
        self._ticket = ticket
        self._delivery = delivery
        self._shed = shed
        self._sender = UNNAMED
        self.read_at = 0.0
        """When the last of the body had come, on the monotonic clock."""
        self._context = Context(
            received_at=delivery.received_at, correlation_id=delivery.correlation_id
        )
        self._tally = Tally()
        self._unit: list[SignedRecord] = []
        self._gathered = 0
        self._bytes_under_way = 0
        self._under_way: tuple[int, asyncio.Future[tuple[SignedRecord, ...]]] | None = None

    async def run(self, watch: IdleWatch, limits: Limits) -> Receipt:
        try:
            await self._read(watch, limits)
            await self._store_unit(0)
            await self._settle()
        except Exception as error:
            with suppress(AppError):
                await self._settle()
            if self._tally.accepted and isinstance(error, AppError):
                raise PartlyAccepted(self._tally.accepted, error) from error
            raise
        finally:
            self._tally.publish()
        return self._tally.receipt()

    async def _read(self, watch: IdleWatch, limits: Limits) -> None:
        receive, encoding = self._delivery.receive, self._delivery.encoding
        if holds_lines(self._delivery.content_type):
            pieces = decoded(watch.chunks(receive), encoding, limit=limits.stream_bytes)
            longest = limits.json_bytes
            await self._read_lines(line_blocks(pieces, longest=longest, hold=self._hold))
            return
        body = await whole_body(
            watch, receive, encoding, limit=limits.json_bytes, hold=self._ticket.hold
        )
        self.read_at = time.monotonic()
        records = records_of_json(body, most=limits.json_records)
        if len(records) <= SLICE:
            self._prepare(records)
            return
        slices = (records[start : start + SLICE] for start in range(0, len(records), SLICE))
        while await self._prepare_in_turn(slices, most=len(self._unit) + UNIT):
            pass  # the lock was let go between: others had their turn

    async def _read_lines(self, blocks: AsyncIterator[bytes]) -> None:
        gathered: list[bytes] = []
        async for block in blocks:
            gathered.append(block)
            self._gathered += len(block)
            if self._gathered >= UNIT_BYTES:
                await self._prepare_lines(gathered)
                await self._store_unit(self._gathered)
                gathered, self._gathered = [], 0
        self.read_at = time.monotonic()
        await self._prepare_lines(gathered)
        if not self._tally.read:
            raise UnreadableBody("the body holds no line")

    def _hold(self, kept_back: int) -> None:
        """Bytes of lines not complete, of the unit being gathered, and of the one under way."""
        self._ticket.hold(LEAST_HELD + kept_back + self._gathered + self._bytes_under_way)

    async def _prepare_lines(self, blocks: list[bytes]) -> None:
        if self._gathered < BLOCK_BYTES and len(blocks) == 1:
            self._prepare(self._records_of(blocks[0]))
            return
        portions = map(self._records_of, blocks)
        while await self._prepare_in_turn(portions, most=UNIT):
            await self._store_unit(0)

    def _records_of(self, block: bytes) -> list[Any]:
        records = records_of_lines(block)
        if not self._tally.read and records and all(one is NOT_JSON for one in records):
            hint = encoding_hint(block)
            raise UnreadableBody(f"the body is not NDJSON: no line is a JSON value{hint}")
        return records

    async def _prepare_in_turn(self, portions: Iterator[list[Any]], *, most: int) -> bool:
        """Prepare up to `most` records; whether there may be more.

        One after the other, not all at once: the first is then stored while the next is prepared,
        instead of all waiting for the processor together and then for the disk together.
        """
        async with self._turn:
            for portion in portions:
                self._prepare(portion)
                await asyncio.sleep(0)
                if len(self._unit) >= most:
                    return True
        return False

    def _prepare(self, raw: list[Any]) -> None:
        tally = self._tally
        prepared, refused = prepare(raw, self._context, first=tally.read)
        tally.read += len(raw)
        tally.refuse(refused)
        if prepared and not self._sender:
            self._sender = prepared[0].record.service
            self._ticket.name(self._sender)
        if self._shed:
            kept = [one for one in prepared if one.record.level not in self._shed]
            tally.shed += len(prepared) - len(kept)
            prepared = kept
        self._unit += prepared

    async def _store_unit(self, size: int) -> None:
        """Hand the unit over once the one before it is stored: two at most are held."""
        await self._settle()
        if self._unit:
            done = self._committer.submit(
                self._unit, sender=self._sender, relaxed=self._delivery.relaxed
            )
            self._under_way = (len(self._unit), done)
            self._bytes_under_way = size
            self._unit = []

    async def _settle(self) -> None:
        if self._under_way is None:
            return
        count, done = self._under_way
        self._under_way = None
        poison = await done
        self._tally.accepted += count - len(poison)
        self._tally.refuse([Refused(index=p.index, reason=Refusal.NOT_STORABLE) for p in poison])


def _check_announced(delivery: Delivery, limits: Limits) -> None:
    """A body that says it is too large is not read. Raises `BodyTooLarge`."""
    length = delivery.length
    if length is None or length <= limits.json_bytes or delivery.encoding:
        return
    in_lines = holds_lines(delivery.content_type)
    check_size(length, limits.stream_bytes if in_lines else limits.json_bytes)


def _held_by(delivery: Delivery) -> int:
    """What a delivery holds at most, as far as its head tells; two units of a stream.

    One that does not tell its length begins small, and holds more as it comes.
    """
    length = BLOCK_BYTES if delivery.length is None else delivery.length
    if delivery.encoding:
        length *= EXPANSION
    return LEAST_HELD + min(length, 2 * UNIT_BYTES)


def prepare(
    raw: list[Any], context: Context, *, first: int = 0
) -> tuple[list[SignedRecord], list[Refused]]:
    """Normalise and sign each record; `first` is the index of the first of them. Pure."""
    batch, refused = [], []
    for index, item in enumerate(raw, first):
        if item is NOT_JSON:
            refused.append(Refused(index=index, reason=Refusal.NOT_JSON))
            continue
        result = normalise(item, index, context)
        if isinstance(result, Refused):
            refused.append(result)
        else:
            batch.append(signed(index, result))
    return batch, refused
