"""One record, opened: its errors with the team's own frames first, and as JSON. Pure."""

import msgspec

from app.pages.record_errors import Raised, errors_in, stack_of
from app.query.views import RecordView


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a record holds, ready to be read."""

    record: RecordView
    errors: tuple[Raised, ...]
    """The cause first."""
    stack: str
    """The stack as it was sent; empty when it came as frames or not at all."""
    attributes: tuple[tuple[str, str], ...]
    json: str


def tell(record: RecordView) -> Told:
    exception = record.exception
    is_error = record.signature_id or exception
    return Told(
        record=record,
        errors=errors_in(record.message, exception) if is_error else (),
        stack=stack_of(exception),
        attributes=tuple((name, _written(value)) for name, value in record.attributes.items()),
        json=json_of(record),
    )


def _written(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def json_of(record: RecordView) -> str:
    """What the API says of it, indented."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2).decode()
