"""What a record's own words and fields say of a call: its start, its end, why it failed. Pure.

Field names: OpenTelemetry semantic conventions 1.40 (`http.response.status_code`, before that
`http.status_code`; `http.request.resend_count`), and what people write by hand.
"""

import re
from typing import Final

from app.correlate.link import Link
from app.correlate.names import meets_dependency, text_of, words

STATUS_FIELDS: Final = (
    "http.response.status_code", "http.status_code", "status", "status_code", "response_status",
)  # fmt: skip
ATTEMPT_FIELDS: Final = ("http.request.resend_count", "attempt", "retry", "retry_count", "attempts")

_SERVER_ERROR: Final = 500
_REPORT_TYPE: Final = re.compile(
    r"(?i)http|status|upstream|gateway|unavailable|timeout|timedout|remote|grpc|rpc|"
    r"connect(?!.*(?:db|database|sql|redis|pg))|protocolerror|maxretry|feign|axios|"
    r"circuit|clientresponse|clienterror|requesterror|requestexception|fetcherror"
)
_REPORT_TEXT: Final = re.compile(
    r"(?i)\b(?:50[0-4]\b.{0,40}\bfrom\b|bad gateway|gateway time-?out|upstream|downstream|"
    r"service unavailable|internal server error.{0,30}\burl\b|"
    r"(?:returned|answered|responded|replied)(?: with)?(?: status| http| code)*:? 5\d\d\b|"
    r"(?:call|request)(?:s|ing)? (?:to|of) \S+ (?:service )?(?:failed|timed out)|"
    r"(?:error|failure|failed|failing|timed out|timeout) (?:when |while )?"
    r"(?:calling|in call to|contacting|reaching|waiting for|from)\b|"
    r"could not (?:call|reach)|no (?:answer|response|reply) from|did not (?:answer|respond)|"
    r"connection (?:was )?(?:reset|closed|aborted|refused)|"
    r"circuit (?:breaker )?(?:is )?open|remote (?:error|service|call))"
)
_DRIVER: Final = re.compile(
    r"(?:asyncpg|psycopg2?|sqlalchemy|redis|pymongo|motor|aiokafka|kafka|confluent_kafka|pika|"
    r"aio_pika|botocore|sqlite3|MySQLdb|pymysql|aiomysql|elasticsearch|opensearchpy|ldap3|smtplib|"
    r"java\.sql|org\.postgresql|org\.hibernate|SequelizeDatabase|Npgsql)\b|"
    r"ConnectionRefusedError$"
)
"""A refused connection reached nobody: a service that wrote records was not refused."""
_PASSING_ON: Final = re.compile(r"(?i)\b50[24]\b|bad gateway|gateway time-?out")
_TIMEOUT: Final = re.compile(r"(?i)time[d]?[ -]?out|deadline.{0,3}exceeded")
_START: Final = re.compile(
    r"(?i)\b(?:received|incoming|started|starting|begin|began|accepted|handling)\b"
)
_END: Final = re.compile(
    r"(?i)\b(?:answered|completed|finished|responded|responding|served|returned|done|sent response|"
    r"request ended)\b"
)
_STATUS_TEXT: Final = re.compile(
    r"(?i)\b(?:answered|completed|finished|responded|returned|served|status)\b\D{0,20}([1-5]\d\d)\b"
)
_HANDLED: Final = re.compile(
    r"(?i)fall(?:ing|s)? ?back|fallback|cached|default (?:value )?(?:instead|used)|using default|"
    r"ignor(?:ed|ing)|degraded|recovered|continuing|skipp(?:ed|ing)|without it|handled|"
    r"optional|succeeded (?:on|after|at)"
)


_LOCAL_TYPES: Final = words(
    "keyerror typeerror valueerror indexerror attributeerror zerodivisionerror nameerror "
    "assertionerror notimplementederror recursionerror unboundlocalerror lookuperror "
    "overflowerror unicodedecodeerror unicodeencodeerror jsondecodeerror importerror "
    "modulenotfounderror filenotfounderror permissionerror memoryerror stopiteration "
    "arithmeticerror decimalexception invalidoperation integrityerror programmingerror "
    "operationalerror dataerror uniqueviolationerror nullpointerexception "
    "illegalargumentexception illegalstateexception classcastexception "
    "indexoutofboundsexception numberformatexception arithmeticexception rangeerror "
    "referenceerror syntaxerror panic"
)


_PARTS: Final = re.compile(r"[A-Z]?[a-z']+|[^\W_a-z]+")
"""Words; those of a type's name one by one."""
_GENERIC: Final = words(
    "a an the it its this that we i you your our us my is was be been has have had and or but in "
    "on at to of for with by from while during when as so not no could cannot can't couldn't "
    "unable can complete completed completing process processed processing handle handling handled "
    "fulfil fulfill perform performing finish execute executing run running do serve serving "
    "request requests call calls operation action task work something anything went wrong happened "
    "occurred unexpected unexpectedly unknown error errors exception runtime failure failures fail "
    "fails failed failing give gives giving gave up abort aborting aborted stopping please try "
    "again later internal server service application app problem problems retries retry retrying "
    "attempt attempts tries exhausted exceeded max maximum too many all after unhandled uncaught "
    "general generic fatal sorry oops"
)


def short_type(link: Link) -> str:
    """`HTTPStatusError` of `httpx.HTTPStatusError`."""
    return link.exception_type.rpartition(".")[2]


def is_local(link: Link) -> bool:
    """Whether its exception is one that code raises by itself, without a callee."""
    return short_type(link).lower() in _LOCAL_TYPES


def is_own(link: Link) -> bool:
    """Whether the fault lies where it was met: in the code, or in a database and the like."""
    if is_local(link):
        return True
    if _DRIVER.match(link.exception_type):
        return True
    return meets_dependency(link)


def is_report(link: Link) -> bool:
    """Whether it tells of a callee's failure, by its form alone."""
    if _REPORT_TYPE.search(short_type(link)) and not is_local(link):
        return True
    return _REPORT_TEXT.search(text_of(link)) is not None


def is_vague(link: Link) -> bool:
    """Whether it only says that something failed: `RequestFailed: giving up`."""
    said = _PARTS.findall(f"{short_type(link)} {text_of(link)}")
    return bool(said) and all(word.lower() in _GENERIC for word in said)


def tells_of_passing_on(link: Link) -> bool:
    """Whether it reports a status by which the callee said that another one had failed."""
    return _PASSING_ON.search(text_of(link)) is not None


def is_timeout(link: Link) -> bool:
    return _TIMEOUT.search(f"{link.exception_type} {text_of(link)}") is not None


def is_start(link: Link) -> bool:
    return _START.search(link.message) is not None


def is_end(link: Link) -> bool:
    """Whether a request ended with it; failing or not."""
    return (
        "duration_ms" in link.attributes
        or _END.search(link.message) is not None
        or status_of(link) is not None
    )


def status_of(link: Link) -> int | None:
    """HTTP status that its service answered with, when it says so."""
    for name in STATUS_FIELDS if link.attributes else ():
        value = link.attributes.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():  # noqa: PLR2004
            return int(value)
    found = _STATUS_TEXT.search(link.message)
    return int(found[1]) if found else None


def is_good(link: Link) -> bool:
    """Whether a request ended well with it."""
    status = status_of(link)
    if status is not None:
        return status < _SERVER_ERROR
    return _END.search(link.message) is not None


def tells_of_handling(link: Link) -> bool:
    """Whether it says that a failure was lived with: a fallback, a cached answer."""
    return _HANDLED.search(link.message) is not None


def attempt_of(link: Link) -> int | None:
    """Which attempt of its call it tells of, counted as its sender counts."""
    for name in ATTEMPT_FIELDS:
        value = link.attributes.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
