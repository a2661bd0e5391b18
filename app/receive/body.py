"""A request body -> raw records: decompression under a cap, JSON and NDJSON, failure by record."""

import gzip
import io
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import msgspec
import zstandard

from app.errors import AppError
from app.receive.wire import wire_lines, wire_record, wire_records

NOT_JSON: Final = object()
"""Stands in the list of raw records for an NDJSON line that is no JSON value."""

_NDJSON_TYPES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_JSON_TYPES: Final = frozenset({"application/json", "text/json", "text/plain", ""})
_READ: Final = 64 * 1024
# zstd turns 4 bytes into a block of 128 KiB at best: a slice stays under 32 MiB.
_ZSTD_SLICE: Final = 1024
_ZSTD_WINDOW: Final = 2**27
_LONGEST_NUMBER: Final = 1000
_decode = msgspec.json.Decoder().decode


class UnreadableBody(AppError):
    """Nothing in the body can be read."""


class BodyTooLarge(AppError):
    """The body is larger than this service takes."""


class UnsupportedBody(AppError):
    """The body's Content-Type or Content-Encoding is none that this service reads."""


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A request body as it was sent, with what its headers say of it."""

    content: bytes
    encoding: str = ""
    content_type: str = ""


async def read_body(chunks: AsyncIterator[bytes], *, limit: int) -> bytes:
    """The body as sent, at most `limit` bytes. Raises `BodyTooLarge`."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        _check_size(len(body), limit)
    return bytes(body)


def decompressed(body: Body, *, limit: int) -> bytes:
    """The content without its encoding, at most `limit` bytes.

    Raises `BodyTooLarge`, `UnsupportedBody`, `UnreadableBody`.
    """
    encoding = body.encoding.strip().lower()
    if encoding in ("", "identity"):
        return body.content
    pieces = _decompress(body.content, encoding)
    whole = bytearray()
    try:
        for piece in pieces:
            whole += piece
            _check_size(len(whole), limit)
    except (OSError, EOFError, zlib.error, zstandard.ZstdError) as error:
        raise UnreadableBody(f"the body is not readable as {encoding}: {error}") from error
    return bytes(whole)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLarge(f"the body is larger than {limit:,} bytes; send smaller batches")


def _decompress(body: bytes, encoding: str) -> Iterator[bytes]:
    if encoding in ("gzip", "x-gzip"):
        return _gunzip(body)
    if encoding == "zstd":
        return _unzstd(body)
    raise UnsupportedBody(f"Content-Encoding {encoding!r} is not read; send identity, gzip or zstd")


def _gunzip(body: bytes) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
        while piece := file.read1(_READ):
            yield piece


def _unzstd(body: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    frame = decompressor.decompressobj()
    rest = memoryview(body)
    while rest:
        piece, rest = rest[:_ZSTD_SLICE], rest[_ZSTD_SLICE:]
        if frame.eof:
            frame = decompressor.decompressobj()
        yield frame.decompress(piece)
        if frame.unused_data:
            rest = memoryview(body)[len(body) - len(rest) - len(frame.unused_data) :]
    if not frame.eof:
        raise EOFError("the stream ends in the middle of a frame")


def raw_records(body: bytes, content_type: str, *, most: int = 1_000_000) -> list[Any]:
    """The records as the sender wrote them: one object, the items of an array, or NDJSON lines.

    Raises `UnreadableBody` with what is wrong and where, `UnsupportedBody` for other types,
    `BodyTooLarge` for more than `most` records.
    """
    records = _raw_records(body, content_type)
    if len(records) > most:
        raise BodyTooLarge(f"the body holds more than {most:,} records; send smaller batches")
    return records


def _raw_records(body: bytes, content_type: str) -> list[Any]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind in _NDJSON_TYPES:
        return wire_lines(body) or _lines(body)
    if kind not in _JSON_TYPES:
        raise UnsupportedBody(
            f"Content-Type {kind!r} is not read; send application/json or application/x-ndjson"
        )
    if body.lstrip()[:1] == b"[" and (records := wire_records(body)):
        return records
    try:
        value = wire_record(body) or _decode_leniently(body)
    except ValueError as error:
        # Senders forget the NDJSON type: take lines when each of the first two is a value.
        if _looks_like_lines(body):
            return _lines(body)
        raise UnreadableBody(f"the body is not JSON: {error}") from error
    return value if isinstance(value, list) else [value]


def _lines(body: bytes) -> list[Any]:
    records = [_line(line) for line in body.split(b"\n") if line and not line.isspace()]
    if not records:
        raise UnreadableBody("the body holds no line")
    if all(record is NOT_JSON for record in records):
        raise UnreadableBody("the body is not NDJSON: no line is a JSON value")
    return records


def _line(line: bytes) -> Any:
    try:
        return wire_record(line) or _decode_leniently(line)
    except ValueError:
        return NOT_JSON


def _looks_like_lines(body: bytes) -> bool:
    first, _, rest = body.strip().partition(b"\n")
    second = rest.partition(b"\n")[0]
    return all(
        line.strip().startswith(b"{") and _line(line) is not NOT_JSON for line in (first, second)
    )


def _decode_leniently(body: bytes) -> Any:
    """msgspec first; what it refuses but a repair can save goes through the standard library.

    Lone surrogates, NaN, numbers beyond a double and broken UTF-8 are such; the room
    `normalise` makes them storable. Raises ValueError naming the place.
    """
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        text = body.decode("utf-8-sig", "replace")
        return _decode_slowly(text)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _decode_slowly(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_parse_int)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    except json.JSONDecodeError as error:
        if not text.strip():
            raise ValueError("it is empty") from error
        place = f"{error.msg} at line {error.lineno}, column {error.colno}"
        lines = "; several lines are sent as application/x-ndjson"
        raise ValueError(place + (lines if "Extra data" in place else "")) from error


def _parse_int(digits: str) -> int | str:
    """Python refuses to read more than 4,300 digits; no column holds such a number either."""
    return int(digits) if len(digits) < _LONGEST_NUMBER else digits
