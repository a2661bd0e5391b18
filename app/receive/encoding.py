"""Content-Encoding undone as the bytes arrive, in pieces that a bomb cannot make large."""

import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final, Protocol

import zstandard

from app.errors import AppError

_PIECE: Final = 64 * 1024
_GZIP: Final = 31  # zlib's word for a window of 32 KiB and a gzip header
# zstd makes 128 KiB of 4 bytes at best: a slice becomes at most 4 MiB.
_ZSTD_SLICE: Final = 128
# What RFC 9659 lets a sender ask for. It is held as long as the body comes.
_ZSTD_WINDOW: Final = 2**23


_MAGIC: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How these begin: RFC 1952, section 2.3.1; RFC 8878, section 3.1.1."""


class UnreadableBody(AppError):
    """Nothing in the body can be read."""


class BodyTooLarge(AppError):
    """The body is larger than this service takes."""


class UnsupportedBody(AppError):
    """The body's Content-Type or Content-Encoding is none that this service reads."""


class Decoder(Protocol):
    """Undoes one encoding, chunk by chunk."""

    def feed(self, data: bytes) -> Iterator[bytes]: ...

    def is_complete(self) -> bool: ...


class _Plain:
    def feed(self, data: bytes) -> Iterator[bytes]:
        yield data

    def is_complete(self) -> bool:
        return True


class _Gzip:
    """RFC 1952: members follow each other, and zeros may follow the last."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    def feed(self, data: bytes) -> Iterator[bytes]:
        full = False
        while data or full:
            if self._member.eof:
                data = data.lstrip(b"\0")
                if not data:
                    return
                self._member = zlib.decompressobj(_GZIP)
            piece = self._member.decompress(data, _PIECE)
            # Output may wait inside zlib although all input is consumed.
            full = len(piece) == _PIECE
            data = self._member.unconsumed_tail or self._member.unused_data
            yield piece

    def is_complete(self) -> bool:
        return self._member.eof


class _Zstd:
    """RFC 8878: frames follow each other."""

    def __init__(self) -> None:
        self._frames = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._frames.decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        start = 0
        while start < len(data):
            if self._frame.eof:
                self._frame = self._frames.decompressobj()
            end = start + _ZSTD_SLICE
            yield self._frame.decompress(data[start:end])
            start = min(end, len(data)) - len(self._frame.unused_data)

    def is_complete(self) -> bool:
        return bool(self._frame.eof)


_DECODERS: Final[dict[str, type[Decoder]]] = {
    "": _Plain,
    "identity": _Plain,
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "zstd": _Zstd,
}


def decoder(encoding: str) -> Decoder:
    """Raises `UnsupportedBody`."""
    known = _DECODERS.get(encoding.strip().lower())
    if known is None:
        raise UnsupportedBody(
            f"Content-Encoding {encoding!r} is not read; send identity, gzip or zstd"
        )
    return known()


def encoding_hint(start: bytes) -> str:
    """For a body that cannot be read: whether its sender forgot the header."""
    for magic, encoding in _MAGIC.items():
        if start.startswith(magic):
            return f"; it begins like {encoding}, which needs Content-Encoding: {encoding}"
    return ""


def check_size(size: int, limit: int) -> None:
    """Raises `BodyTooLarge`."""
    if size > limit:
        raise BodyTooLarge(
            f"the body is larger than {limit:,} bytes; send smaller batches, or JSON as "
            "application/x-ndjson"
        )


async def decoded(
    chunks: AsyncIterator[bytes], encoding: str, *, limit: int
) -> AsyncIterator[bytes]:
    """The content without its encoding, at most `limit` bytes in all.

    Raises `BodyTooLarge`, `UnsupportedBody`, `UnreadableBody`.
    """
    undo = decoder(encoding)
    size = 0
    try:
        async for chunk in chunks:
            for piece in undo.feed(chunk):
                size += len(piece)
                check_size(size, limit)
                yield piece
    except (zlib.error, zstandard.ZstdError) as error:
        raise UnreadableBody(f"the body is not readable as {encoding}: {error}") from error
    if not undo.is_complete():
        raise UnreadableBody(f"the body is not readable as {encoding}: it ends in the middle")
