"""The way of a request's records: normalise, sign, write. The body of `POST /ingest/logs`."""

import asyncio
from collections import Counter
from datetime import datetime
from typing import Any, Final

import structlog

from app import metrics
from app.normalise.context import Context
from app.normalise.normalise import normalise
from app.normalise.record import LogRecord, Refused
from app.normalise.repairs import REFUSAL_HINTS, Refusal
from app.receive.body import NOT_JSON, Body, decompressed, raw_records
from app.receive.contract import Receipt, Rejection
from app.settings import Settings
from app.signatures import sign_text
from app.signatures.model import Signature
from app.store.batch import SignedRecord
from app.store.committer import Committer

log = structlog.get_logger(__name__)

READ_AT_ONCE_BYTES: Final = 32 * 1024


class Ingest:
    """`receive.contract.Accept` over the committer."""

    def __init__(self, committer: Committer, settings: Settings) -> None:
        self._committer = committer
        self._settings = settings

    async def __call__(
        self, body: Body, *, received_at: datetime, correlation_id: str | None
    ) -> Receipt:
        context = Context(received_at=received_at, correlation_id=correlation_id)
        # A large body takes a while to read: in a thread, so that others are answered meanwhile.
        if len(body.content) > READ_AT_ONCE_BYTES or body.encoding:
            batch, refused = await asyncio.to_thread(self._read, body, context)
        else:
            batch, refused = self._read(body, context)
        poison = await self._committer.commit(batch) if batch else ()
        refused += [Refused(index=one.index, reason=Refusal.NOT_STORABLE) for one in poison]
        _tell(refused)
        return _receipt(len(batch) - len(poison), refused)

    def _read(self, body: Body, context: Context) -> tuple[list[SignedRecord], list[Refused]]:
        content = decompressed(body, limit=self._settings.max_body_bytes)
        raw = raw_records(content, body.content_type, most=self._settings.max_records)
        return prepare(raw, context)


def prepare(raw: list[Any], context: Context) -> tuple[list[SignedRecord], list[Refused]]:
    """Normalise and sign each record of a request; pure."""
    batch, refused = [], []
    for index, item in enumerate(raw):
        result = (
            Refused(index=index, reason=Refusal.NOT_JSON)
            if item is NOT_JSON
            else normalise(item, index, context)
        )
        if isinstance(result, Refused):
            refused.append(result)
        else:
            batch.append(SignedRecord(index=index, record=result, signature=_sign(result)))
    return batch, refused


def _sign(record: LogRecord) -> Signature | None:
    if not record.level.is_error:
        return None
    return sign_text(record.message, record.exception, fingerprint=record.fingerprint or None)


def _tell(refused: list[Refused]) -> None:
    for item in refused:
        metrics.RECORDS_REFUSED.labels(reason=item.reason).inc()
    if refused:
        reasons = Counter(item.reason for item in refused)
        log.warning("records_refused", count=len(refused), reasons=dict(reasons))


def _receipt(accepted: int, refused: list[Refused]) -> Receipt:
    return Receipt(
        accepted=accepted,
        rejected=tuple(
            Rejection(
                index=item.index,
                reason=item.reason,
                detail=REFUSAL_HINTS[Refusal(item.reason)],
            )
            for item in sorted(refused, key=lambda item: item.index)
        ),
    )
