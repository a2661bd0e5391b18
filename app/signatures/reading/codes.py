"""The machine-readable part of an error: SQLSTATE, errno name, HTTP status, signal."""

import re
from collections.abc import Sequence

from app.signatures.model import RaisedError

ERRNO = {
    1: "EPERM",
    2: "ENOENT",
    4: "EINTR",
    5: "EIO",
    9: "EBADF",
    11: "EAGAIN",
    12: "ENOMEM",
    13: "EACCES",
    16: "EBUSY",
    17: "EEXIST",
    20: "ENOTDIR",
    21: "EISDIR",
    22: "EINVAL",
    23: "ENFILE",
    24: "EMFILE",
    27: "EFBIG",
    28: "ENOSPC",
    30: "EROFS",
    32: "EPIPE",
    36: "ENAMETOOLONG",
    39: "ENOTEMPTY",
    98: "EADDRINUSE",
    99: "EADDRNOTAVAIL",
    101: "ENETUNREACH",
    103: "ECONNABORTED",
    104: "ECONNRESET",
    105: "ENOBUFS",
    106: "EISCONN",
    107: "ENOTCONN",
    110: "ETIMEDOUT",
    111: "ECONNREFUSED",
    112: "EHOSTDOWN",
    113: "EHOSTUNREACH",
    115: "EINPROGRESS",
}
"""Numbers of Linux, wherever this runs: the text came from there."""

_NAMES = frozenset(
    {*ERRNO.values(), "ENOTFOUND", "ESRCH", "EPROTO", "ERANGE", "EDOM", "EALREADY", "EAI_AGAIN"}
)
_CONDITIONS = {
    "UniqueViolation": "23505",
    "ForeignKeyViolation": "23503",
    "NotNullViolation": "23502",
    "CheckViolation": "23514",
    "ExclusionViolation": "23P01",
    "DeadlockDetected": "40P01",
    "SerializationFailure": "40001",
    "Serialization": "40001",
    "QueryCanceled": "57014",
    "AdminShutdown": "57P01",
    "CannotConnectNow": "57P03",
    "LockNotAvailable": "55P03",
    "UndefinedTable": "42P01",
    "UndefinedColumn": "42703",
    "UndefinedFunction": "42883",
    "UndefinedObject": "42704",
    "DuplicateTable": "42P07",
    "DuplicateColumn": "42701",
    "DuplicateObject": "42710",
    "DatatypeMismatch": "42804",
    "InsufficientPrivilege": "42501",
    "SyntaxErrorOrAccessRuleViolation": "42000",
    "PostgresSyntax": "42601",
    "TooManyConnections": "53300",
    "DiskFull": "53100",
    "OutOfMemory": "53200",
    "InvalidPassword": "28P01",
    "InvalidAuthorizationSpecification": "28000",
    "InvalidCatalogName": "3D000",
    "InFailedSqlTransaction": "25P02",
    "InFailedSQLTransaction": "25P02",
    "IdleInTransactionSessionTimeout": "25P03",
    "StringDataRightTruncation": "22001",
    "InvalidTextRepresentation": "22P02",
    "NumericValueOutOfRange": "22003",
    "DivisionByZero": "22012",
    "InvalidSQLStatementName": "26000",
}
"""Condition names that psycopg and asyncpg (with `Error` behind) use as class names."""

_MESSAGES = (
    ("duplicate key value violates unique constraint", "23505"),
    ("violates foreign key constraint", "23503"),
    ("violates not-null constraint", "23502"),
    ("violates check constraint", "23514"),
    ("conflicting key value violates exclusion constraint", "23P01"),
    ("deadlock detected", "40P01"),
    ("could not serialize access", "40001"),
    ("canceling statement due to lock timeout", "55P03"),
    ("could not obtain lock", "55P03"),
    ("canceling statement due to", "57014"),
    ("terminating connection due to idle-in-transaction timeout", "25P03"),
    ("terminating connection due to administrator command", "57P01"),
    ("the database system is", "57P03"),
    ("too many clients already", "53300"),
    ("remaining connection slots are reserved", "53300"),
    ("password authentication failed", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("value too long for type", "22001"),
    ("invalid input syntax for", "22P02"),
    ("out of range for type", "22003"),
    ("permission denied for", "42501"),
    ("syntax error at or near", "42601"),
    ("current transaction is aborted", "25P02"),
    ("could not extend file", "53100"),
    ("out of shared memory", "53200"),
)
_MISSING = re.compile(
    r"(relation|table|column|function|type|database|role|schema|prepared statement) "
    r"[^\n]{1,300}?(does not exist|already exists)"
)
_MISSING_STATES = {
    ("relation", "does not exist"): "42P01",
    ("table", "does not exist"): "42P01",
    ("column", "does not exist"): "42703",
    ("function", "does not exist"): "42883",
    ("type", "does not exist"): "42704",
    ("database", "does not exist"): "3D000",
    ("role", "does not exist"): "28000",
    ("schema", "does not exist"): "3F000",
    ("prepared statement", "does not exist"): "26000",
    ("relation", "already exists"): "42P07",
    ("table", "already exists"): "42P07",
    ("column", "already exists"): "42701",
    ("database", "already exists"): "42P04",
    ("prepared statement", "already exists"): "42P05",
}
_CODE = re.compile(
    r"SQLSTATE(?:\[|: ?|=| )\(?'?(?P<sqlstate>[0-9A-Z]{5})\b"
    r"|\[Errno (?P<errno>\d{1,3})\]"
    r"|\b(?P<oracle>(?:ORA|PLS|TNS)-\d{5})\b"
    r"|\[WinError (?P<winerror>\d{1,5})\]"
    r"|\b(?P<name>E[A-Z]{2,14}|EAI_AGAIN)\b"
    r"|\b(?P<signal>SIG[A-Z]{2,6})\b"
    r"|\b(?:HTTP(?:/\d(?:\.\d)?)?|[Ss]tatus(?:[ _]?[Cc]ode)?|returned|response code)"
    r"(?: is|:|=)?(?: of)? ?(?P<status>[45]\d\d)\b"
    r"|(?<!\d)(?P<http>[45]\d\d) \(?(?:Client Error|Server Error|Bad Gateway|Service Unavailable"
    r"|Not Found|Internal Server Error|Forbidden|Unauthorized|Bad Request|Gateway Time-?out"
    r"|Too Many Requests|Conflict)"
)
_PAIR = re.compile(r"""(?:\([\w.]++\) )?\((-?\d{1,6}), ["']""")
"""MySQL's drivers and `OSError` tell code and text as a pair: `(1213, "Deadlock found")`."""
_DATABASE = re.compile(r"(?i:sql|psycopg|asyncpg|^pg::|pdo|integrity|operational|programming)")
_SCANNED = 1_000
"""Characters of a message in which a code is sought."""
_ERRORS = 6


def code_of(errors: Sequence[RaisedError]) -> str:
    """The first code that the chain tells, looked for from its root; empty when there is none."""
    for error in errors[:_ERRORS]:
        code = _condition(error.type) or _in_message(error.message)
        if not code and _DATABASE.search(error.type):
            code = sqlstate_of(error.message)
        if code:
            return code
    return ""


def sqlstate_of(message: str) -> str:
    """The SQLSTATE that PostgreSQL raises this message under; empty when it is not a known one."""
    message = message[:_SCANNED]
    for words, state in _MESSAGES:
        if words in message:
            return state
    found = _MISSING.search(message)
    return _MISSING_STATES.get((found[1], found[2]), "") if found else ""


def _condition(type_: str) -> str:
    name = type_.rpartition(".")[2]
    return _CONDITIONS.get(name) or _CONDITIONS.get(name.removesuffix("Error"), "")


def _in_message(message: str) -> str:
    pair = _PAIR.match(message) if message[:1] == "(" else None
    if pair is not None:
        return pair[1]
    for found in _CODE.finditer(message[:_SCANNED]):
        kind = found.lastgroup
        value = found[kind] if kind else ""
        if kind == "errno":
            return ERRNO.get(int(value), value)
        if kind != "name" or value in _NAMES:
            return value
    return ""
