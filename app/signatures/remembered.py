"""Signatures of errors that differ from one met before in digits and UUIDs only.

Services say the same few things again and again: one look-up instead of reading and masking.
What is remembered is what `sign` said, and is proved for a shape before it is used for it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from itertools import count
from typing import Final

from app.normalise.record import ReportedException
from app.signatures.model import Signature
from app.signatures.reading import read_error
from app.signatures.v1.fingerprint import sign
from app.signatures.v1.vocabulary import NAMES_WITH_DIGITS

_LONGEST: Final = 32_768
_MOST: Final = 4_096
_met: set[bytes] = set()
_proved: dict[bytes, Signature] = {}
_refuted: set[bytes] = set()
"""Caches: emptied when full."""

_BETWEEN: Final = "\x1e"
_ZEROS: Final = bytes.maketrans(b"123456789", b"000000000")
# In lower case and by itself: such a one is masked whole, whatever its digits are.
_UUID: Final = re.compile(
    rb"(?<![A-Za-z0-9+/=_-])[0a-f]{8}-[0a-f]{4}-[0a-f]{4}-[0a-f]{4}-[0a-f]{12}(?![A-Za-z0-9+/=_-])"
)
_DASHES: Final = 4
_SOME_UUID: Final = b"0bad0000-cafe-0000-dead-beef0000f00d"
_RUN: Final = re.compile("[0-9]+")
_OTHERS: Final = str.maketrans("0123456789", "9876543210")
_ESCAPES: Final = re.compile(r"\\|#0|0[xX]")
_TRIED: Final = "01459"
"""Digits that begin a status of each kind that is told apart, and some that begin none."""

_NAMES: Final[dict[str, list[str]]] = defaultdict(list)
for _name in sorted(NAMES_WITH_DIGITS):
    _NAMES[re.sub("[0-9]", "0", _name)].append(_name)
_NAME: Final = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(_NAMES)})(?![A-Za-z0])", re.IGNORECASE)


def sign_remembered(message: str, exception: ReportedException | None) -> Signature:
    """What `sign(read_error(message, exception))` says."""
    parts = _parts(message, exception)
    text = _BETWEEN.join(parts)
    if not parts or len(text) > _LONGEST or text.count(_BETWEEN) != len(parts) - 1:
        return sign(read_error(message, exception))
    shape = _shape(text)
    key = shape if len(shape) <= blake2b.MAX_DIGEST_SIZE else blake2b(shape).digest()
    signature = _proved.get(key)
    if signature is None:
        signature = sign(read_error(message, exception))
        _learn(key, shape, signature)
    return signature


def _parts(message: str, exception: ReportedException | None) -> tuple[str, ...]:
    """The text that decides; nothing when frames were sent as such."""
    if exception is None:
        return (message,)
    if isinstance(exception.stacktrace, str):
        return message, exception.type, exception.message, exception.stacktrace
    return ()


def _shape(text: str) -> bytes:
    """The text with every digit 0 and every UUID the same."""
    zeros = text.encode("utf-8", "surrogatepass").translate(_ZEROS)
    return _UUID.sub(_SOME_UUID, zeros) if zeros.count(b"-") >= _DASHES else zeros


def _learn(key: bytes, shape: bytes, signature: Signature) -> None:
    """Prove a shape at second sight: one with a random name in it never comes again.

    A shape that was refuted is not tried again.
    """
    if key not in _met:
        _make_room(_met)
        _met.add(key)
    elif key in _refuted:
        return
    elif _holds_for_all_digits(shape.decode("utf-8", "surrogatepass"), signature):
        _make_room(_proved)
        _proved[key] = signature
    else:
        _make_room(_refuted)
        _refuted.add(key)


def _make_room(cache: set[bytes] | dict[bytes, Signature]) -> None:
    if len(cache) >= _MOST:
        cache.clear()


def _holds_for_all_digits(shape: str, signature: Signature) -> bool:
    """Whether any other digits in the same places give the same signature.

    Digits decide as a status does, by their class; in a name such as `sha256`, which is tried;
    in escapes, which are left alone; and as equal numbers do, or one that ends as another.
    """
    return _ESCAPES.search(shape) is None and all(
        _sign_joined(text) == signature for text in _variants(shape)
    )


def _variants(shape: str) -> Iterator[str]:
    for digit in _TRIED:
        yield shape.replace("0", digit)
    yield from _unlike(shape)
    found = _NAME.findall(shape)
    for turn in range(max((len(_NAMES[name.lower()]) for name in found), default=0)):
        yield _NAME.sub(lambda match, turn=turn: _named(match[0], turn), shape)  # type: ignore[misc]


def _unlike(shape: str) -> Iterator[str]:
    """Each number by its place, rising and falling: no two are equal or begin or end alike.

    Where there are too many for that, any two differ in one of the turns.
    """
    width = len(str(len(_RUN.findall(shape))))
    for turn in range(width):
        place = count(1)
        rising = _RUN.sub(lambda run, n=place, by=turn: _placed(next(n), run, width, by), shape)  # type: ignore[misc]
        yield rising
        yield rising.translate(_OTHERS)


def _placed(place: int, run: re.Match[str], width: int, turn: int) -> str:
    """The place as digits, turned by so many, and repeated to the length of the run."""
    digits = str(place).zfill(width)
    length = len(run[0])
    return ((digits[turn:] + digits[:turn]) * length)[:length]


def _named(shape: str, turn: int) -> str:
    names = _NAMES[shape.lower()]
    name = names[turn % len(names)]
    return "".join(new if new.isdigit() else old for old, new in zip(shape, name, strict=True))


def _sign_joined(text: str) -> Signature:
    message, *said = text.split(_BETWEEN)
    if not said:
        return sign(read_error(message))
    type_, told, stack = said
    exception = ReportedException(type=type_, message=told, stacktrace=stack)
    return sign(read_error(message, exception))
