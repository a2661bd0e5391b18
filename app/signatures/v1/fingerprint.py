"""The fingerprint of v1: which parts of an error make its signature, and why.

Identity rests on the root cause: its type and the in-app calls that led to it. Where there
are no in-app calls, type and masked message stand in; where there is no type either, the
masked message alone: of a chain without types (Go, anyhow) the whole of it. The code, where
there is one, always decides too. Hashes are BLAKE2b (RFC 7693) over the parts, each closed by
U+001F.
"""

import re
from collections import Counter
from hashlib import blake2b

import msgspec

from app.signatures.model import ErrorReport, Explanation, Part, RaisedError, Signature
from app.signatures.v1.frames import Call, read_call
from app.signatures.v1.masks import Masked, mask
from app.signatures.v1.spoken import is_untyped, says_little, spoken, whole

VERSION = "v1"
LONGEST_READ = 16_384
"""Characters of a message that are masked; the rest adds nothing to an identity."""

_LONGEST_MESSAGE = 1_000
_LONGEST_TITLE = 200
_LONGEST_PATH = 2_000
_EXHAUSTED = (
    "recursion",
    "stackoverflow",
    "stack overflow",
    "stack level too deep",
    "maximum call stack",
    "stack exceeds",
)
_REMEMBERED = 4_096
_by_kind: dict[tuple[object, ...], Signature] = {}
"""Plain messages come in few kinds. A cache: emptied when full."""

_DEFAULT = {"{{ default }}", "{{default}}"}
_NAMELESS = frozenset(
    {"?", "<anonymous>", "<module>", "<lambda>", "<main>", "<top (required)>", "<eval>"}
    | {"{closure}", "{main}", "$Lambda", "$anonfun$"}
)
"""Functions that any two errors of one file may share."""

_LAST_NAME = re.compile(r"[^.\\/:#]*+$")
_NAME = re.compile(r"""(["'])(?!<str>)([A-Za-z_][\w.$-]{0,99}+)\1""")
_MAX_NAMES = 5


def sign(report: ErrorReport, *, fingerprint: tuple[str, ...] | None = None) -> Signature:
    """The signature of a report. The same report always gives the same signature.

    `fingerprint` is the sender's own: it decides alone, and `{{ default }}` in it stands for
    what would have decided without it.
    """
    signature = _sign_error(report) if report.errors else _sign_message(report)
    return with_fingerprint(signature, fingerprint) if fingerprint else signature


def _sign_message(report: ErrorReport) -> Signature:
    masked = mask(spoken(report.message[:LONGEST_READ]))
    kind = (masked.text, report.code, *masked.counts.items())
    signature = _by_kind.get(kind)
    if signature is None:
        signature = _by_text(masked, report.code)
        if len(_by_kind) >= _REMEMBERED:
            _by_kind.clear()
        _by_kind[kind] = signature
    return signature


def _by_text(masked: Masked, code: str) -> Signature:
    text = masked.text
    parts = (Part(name="message", value=text[:_LONGEST_MESSAGE], origin="message"),)
    return Signature(
        signature_id=_signature_id("message", code, text),
        version=VERSION,
        type="",
        title=text[:_LONGEST_TITLE],
        message=text[:_LONGEST_MESSAGE],
        culprit="",
        callee="",
        caller="",
        code=code,
        explanation=Explanation(
            variant="message", parts=parts + _code_part(code), masked=masked.counts
        ),
    )


def _code_part(code: str) -> tuple[Part, ...]:
    return (Part(name="code", value=code, origin="message"),) if code else ()


def _sign_error(report: ErrorReport) -> Signature:
    if is_untyped(report.errors):
        return _by_chain(report)
    root = report.errors[0]
    calls, origin = _speaking_calls(report.errors)
    notes = _notes(report, calls, origin)
    said = root.message or ("" if root.type else report.message)
    masked = mask(spoken(said[:LONGEST_READ]))
    if not calls:
        return _by_message(report, masked, notes)
    return _by_frames(report, masked, calls, index=origin, notes=notes)


def _by_chain(report: ErrorReport) -> Signature:
    """An untyped error is its whole text: the last words alone (`EOF`, `503`) are anyone's."""
    masked = mask(spoken(whole(report.errors)[:LONGEST_READ]))
    notes = _notes(report, [], 0)
    if says_little(masked.text) and report.message.strip() not in {"", report.errors[-1].message}:
        above = mask(spoken(report.message[:LONGEST_READ]))
        counts = Counter(above.counts)
        counts.update(masked.counts)
        text = ": ".join(part for part in (above.text, masked.text) if part)
        masked = Masked(text, dict(counts))
        notes += ("the error says little: the log message above it decides too",)
    signature = _by_text(masked, report.code)
    explanation = msgspec.structs.replace(signature.explanation, notes=notes)
    return msgspec.structs.replace(signature, type=report.errors[-1].type, explanation=explanation)


def _speaking_calls(errors: tuple[RaisedError, ...]) -> tuple[list[Call], int]:
    """The in-app calls of the error nearest to the root that has any, and which error that is."""
    for index, error in enumerate(errors):
        calls = [call for call in map(read_call, error.frames) if call.in_app]
        if calls:
            return calls, index
    return [], 0


def _path(error: RaisedError, calls: list[Call]) -> list[str]:
    """Each call once, origin last: neither repeats nor cycles nor their depth matter.

    Where the stack ran out, at which call it did is chance: there the cycle is the origin.
    """
    keys = [call.key for call in calls]
    path = list(dict.fromkeys(keys))
    if len(path) < len(keys) and _ran_out(error):
        times = Counter(keys)
        entry = next(place for place, key in enumerate(path) if times[key] > 1)
        return path[:entry] + sorted(key for key in path[entry:] if times[key] > 1)
    if path[-1] != keys[-1]:
        path.remove(keys[-1])
        path.append(keys[-1])
    return path


def _ran_out(error: RaisedError) -> bool:
    told = f"{error.type} {error.message[:200]}".lower()
    return any(word in told for word in _EXHAUSTED)


def _by_frames(
    report: ErrorReport, masked: Masked, calls: list[Call], *, index: int, notes: tuple[str, ...]
) -> Signature:
    root = report.errors[0]
    place = f"errors[{index}].frames"
    path = _path(report.errors[index], calls)
    culprit = f"{calls[-1].function} ({calls[-1].module})"
    parts = [
        Part(name="type", value=root.type, origin="errors[0].type"),
        Part(name="origin", value=path[-1], origin=place),
        Part(name="path", value=" > ".join(path)[:_LONGEST_PATH], origin=place),
    ]
    decided = ["frames", root.type, *path]
    if index or _is_nameless(calls[-1].function):
        # The root's own frames are silent or nameless: its message tells it from other roots.
        parts.append(Part(name="message", value=masked.text[:500], origin="errors[0].message"))
        decided.append(masked.text)
    elif names := _names(report.errors[index], masked.text):
        parts.append(Part(name="names", value=names, origin="errors[0].message"))
        decided.append(names)
    if report.code:
        parts += _code_part(report.code)
        decided += ("code", report.code)
    return Signature(
        signature_id=_signature_id(*decided),
        version=VERSION,
        type=root.type,
        title=_title(root.type, masked.text) or culprit,
        message=masked.text[:_LONGEST_MESSAGE],
        culprit=culprit,
        callee=_digest(8, "callee", root.type, path[-1]),
        caller=_digest(8, "caller", *path),
        code=report.code,
        explanation=Explanation(
            variant="frames", parts=tuple(parts), masked=masked.counts, notes=notes
        ),
    )


def _is_nameless(function: str) -> bool:
    found = _LAST_NAME.search(function)
    return found is not None and found[0] in _NAMELESS


def _names(error: RaisedError, message: str) -> str:
    """The names a library tells of what it was asked for: one `execute` serves every relation."""
    if read_call(error.frames[-1]).in_app:
        return ""
    found = [name[2] for name in _NAME.finditer(message[:_LONGEST_MESSAGE])]
    return ", ".join(dict.fromkeys(found[:_MAX_NAMES]))


def _by_message(report: ErrorReport, masked: Masked, notes: tuple[str, ...]) -> Signature:
    root = report.errors[0]
    parts = (
        Part(name="type", value=root.type, origin="errors[0].type"),
        Part(name="message", value=masked.text[:_LONGEST_MESSAGE], origin="errors[0].message"),
        *_code_part(report.code),
    )
    variant = "type-and-message" if root.type else "message"
    return Signature(
        signature_id=_signature_id(variant, root.type, report.code, masked.text),
        version=VERSION,
        type=root.type,
        title=_title(root.type, masked.text) or _last_call(root),
        message=masked.text[:_LONGEST_MESSAGE],
        culprit="",
        callee="",
        caller="",
        code=report.code,
        explanation=Explanation(variant=variant, parts=parts, masked=masked.counts, notes=notes),
    )


def _notes(report: ErrorReport, calls: list[Call], index: int) -> tuple[str, ...]:
    notes = []
    if len(report.errors) > 1:
        notes.append(f"root of a chain of {len(report.errors)} causes")
    if index:
        notes.append(f"the root has no in-app frames: those of errors[{index}] speak")
    if not calls and any(error.frames for error in report.errors):
        notes.append("library frames only: type and message decide")
    if report.truncated:
        notes.append("the text was cut: the path may be shorter than it was")
    return tuple(notes)


def with_fingerprint(signature: Signature, fingerprint: tuple[str, ...]) -> Signature:
    """The signature that the sender's own fingerprint decides; the rest of it stays."""
    values = [signature.signature_id if part in _DEFAULT else part for part in fingerprint]
    explanation = Explanation(
        variant="custom",
        parts=tuple(
            Part(name="fingerprint", value=part[:_LONGEST_MESSAGE], origin="sender")
            for part in fingerprint
        )
        + signature.explanation.parts,
        masked=signature.explanation.masked,
        notes=signature.explanation.notes,
    )
    return msgspec.structs.replace(
        signature, signature_id=_signature_id("custom", *values), explanation=explanation
    )


def _last_call(error: RaisedError) -> str:
    """What there is to show of an error whose name and message were cut off."""
    if not error.frames:
        return ""
    call = read_call(error.frames[-1])
    return f"{call.function} ({call.module})"[:_LONGEST_TITLE]


def _title(type_: str, message: str) -> str:
    return (f"{type_}: {message}" if type_ and message else type_ or message)[:_LONGEST_TITLE]


def _signature_id(*parts: str) -> str:
    return f"{VERSION}:{_digest(16, *parts)}"


def _digest(size: int, *parts: str) -> str:
    joined = "\x1f".join(parts) + "\x1f"
    # Half of a surrogate pair is no UTF-8, yet JSON may carry one.
    return blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()
