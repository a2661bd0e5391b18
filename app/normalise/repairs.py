"""The closed sets: what may be repaired in a record, and for what a record is refused."""

import enum


class Repair(enum.StrEnum):
    """Stored in `LogRecord.annotations`; what was replaced is kept in `attributes`."""

    MESSAGE_CUT = "message_cut"
    MESSAGE_NOT_TEXT = "message_not_text"
    MESSAGE_FROM_EXCEPTION = "message_from_exception"
    LEVEL_UNKNOWN = "level_unknown"
    TIME_UNREADABLE = "time_unreadable"
    TIME_WITHOUT_ZONE = "time_without_zone"
    CLOCK_AHEAD = "clock_ahead"
    CLOCK_BEHIND = "clock_behind"
    CORRELATION_ID_UNSAFE = "correlation_id_unsafe"
    RECORD_ID_DERIVED = "record_id_derived"
    TEXT_REPAIRED = "text_repaired"
    FIELD_CUT = "field_cut"
    FIELD_UNREADABLE = "field_unreadable"
    EXCEPTION_CUT = "exception_cut"
    ATTRIBUTES_CUT = "attributes_cut"


class Refusal(enum.StrEnum):
    """The `reason` of a refused record, and the label of the metric."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    SERVICE_MISSING = "service_missing"
    SERVICE_INVALID = "service_invalid"
    MESSAGE_MISSING = "message_missing"
    NOT_STORABLE = "not_storable"
    REQUEST_FAILED = "request_failed"


REFUSAL_HINTS = {
    Refusal.NOT_JSON: "the line is not a JSON value",
    Refusal.NOT_AN_OBJECT: "a record is a JSON object",
    Refusal.SERVICE_MISSING: "name the sender in `service`; send several records as a bare array",
    Refusal.SERVICE_INVALID: "`service` is text of 1 to 200 characters",
    Refusal.MESSAGE_MISSING: "say what happened in `message`",
    Refusal.NOT_STORABLE: "PostgreSQL refused this record's values",
    Refusal.REQUEST_FAILED: "the request it came in was refused as a whole",
}
