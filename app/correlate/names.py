"""Which services a record names: whom it called, who called it, whom it blames. Pure.

Field names: OpenTelemetry semantic conventions 1.40 (`service.peer.name`, before that
`peer.service`; `server.address`, before that `net.peer.name`; `url.full`, before that `http.url`),
and what people write by hand.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from app.correlate.link import Link

CALLER_FIELDS: Final = (
    "caller", "caller_service", "caller.service", "called_by", "client_service", "client.service",
    "parent_service", "requested_by", "from_service", "source_service",
)  # fmt: skip
CALLEE_FIELDS: Final = (
    "service.peer.name", "peer.service", "upstream", "upstream_service", "downstream",
    "downstream_service", "callee", "target_service", "remote_service", "dependency",
    "server.address", "net.peer.name", "upstream_host",
)  # fmt: skip
"""`upstream` as proxies use it: the server behind, which is called."""
URL_FIELDS: Final = ("url.full", "http.url", "url", "upstream_url")
_CALLER_KEYS: Final = frozenset(CALLER_FIELDS)
_CALLEE_KEYS: Final = frozenset((*CALLEE_FIELDS, *URL_FIELDS))
_NAME: Final = r"['\"`]?(?:the )?(?P<{}>[A-Za-z][\w.-]{{1,62}}[A-Za-z0-9])"
_NAMED: Final = re.compile(
    r"(?i)(?:"
    r"https?://(?P<url>[A-Za-z][\w.-]*)"
    rf"|\b5\d\d\b(?: [a-z]+){{0,4}} from {_NAME.format('status')}"
    rf"|\b(?:calling|call to|call of|request to|requests to|waiting for|(?:answer|response|reply) "
    rf"from|could not reach|error from|failure in|failure of) {_NAME.format('call')}"
    rf"|{_NAME.format('answer')} (?:returned|answered|responded|replied)(?: with)?"
    r"(?: status| http| code)*:? 5\d\d\b"
    rf"|{_NAME.format('reset')}['\"`]?:? (?:timed out|connection (?:reset|refused|closed|aborted))"
    r"|(?:timeout|timed out|error|failed|failure) (?:calling|contacting|reaching|talking to) "
    rf"{_NAME.format('tried')})"
)
_MAY_NAME: Final = re.compile(
    r"(?i)://|5\d\d|call|request|waiting|from|reach|failure|timed out|connection|contact|talking"
)
"""One of these is in all that the costly pattern before finds."""
_CALL_FAILED: Final = re.compile(
    r"(?i)\b(?:call|request) (?:to|of) ['\"`]?(?P<callee>[A-Za-z][\w.-]*)['\"`]? failed"
)
_COMPLAINT: Final = re.compile(
    r"(?i)(?:\bto call (?P<tried>[A-Za-z][\w.-]*) (?:failed|timed out)"
    r"|\b(?P<said>[A-Za-z][\w.-]*) failed with (?:status |http )*5\d\d)\b"
)
_CALLING: Final = re.compile(
    r"(?i)\b(?:(?:calling|to call|call to|calls|request to|requesting|sending to|asking) "
    r"(?:https?://)?|(?:GET|POST|PUT|PATCH|DELETE) https?://)['\"`]?(?P<callee>[A-Za-z][\w-]*)"
)
_CALLED: Final = re.compile(
    r"(?i)\b(?:received|request|called|call|incoming|handling)\b.{0,40}?\b(?:from|by|for) "
    r"['\"`]?(?P<caller>[A-Za-z][\w-]*)"
)
_INSIDE: Final = frozenset({"svc", "local", "internal", "consul", "lan", "home", "localdomain"})
"""Last labels of names that no public DNS knows: Kubernetes, mDNS, RFC 9476, Consul, Docker."""


def words(text: str) -> frozenset[str]:
    """A set written as a sentence."""
    return frozenset(text.split())


_NO_NAMES: Final = words(
    "a an the it upstream downstream server service client database db cache queue remote host "
    "localhost url http https backend peer response request answer error errors status your our "
    "this that and or in at on to by of for with from attempt timeout connection socket network "
    "disk file internal api failed failure timed has was is been out retry while when request call "
    "calling be not no"
)
DEPENDENCIES: Final = words(
    "redis postgres postgresql mysql mariadb oracle mssql mongo mongodb kafka rabbitmq nats "
    "zookeeper etcd consul vault elasticsearch opensearch cassandra clickhouse memcached minio "
    "s3 smtp ldap dns sqs sns dynamodb"
)
"""Things that send no records of their own: an error about them began where it was met."""


_DEPENDENCY: Final = re.compile(
    rf"(?<![a-z0-9_-])(?:{'|'.join(sorted(DEPENDENCIES))})(?![a-z0-9_])"
)


def text_of(link: Link) -> str:
    """All that the record says, as one text."""
    if link.exception_message and link.exception_message not in link.message:
        return f"{link.message}\n{link.exception_message}"
    return link.message


def meets_dependency(link: Link) -> bool:
    """Whether it tells of a thing that sends no records of its own."""
    text = text_of(link)
    if _DEPENDENCY.search(text.lower()) is None:
        return False
    call = _CALL_FAILED.search(text)
    return call is None or not _may_be_service(call["callee"])


def mentions(text: str, name: str) -> int:
    """Place behind the last mention of a service as a word of its own; 0 when there is none."""
    end = len(text)
    while name:
        at = text.rfind(name, 0, end)
        if at < 0:
            return 0
        behind = at + len(name)
        if not (at and _in_word(text[at - 1])) and not (
            behind < len(text) and _in_word(text[behind])
        ):
            return behind
        end = behind - 1
    return 0


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def callee_fields(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of services that the fields say were called."""
    if not attributes:
        return ()
    keys = attributes.keys()
    if keys.isdisjoint(_CALLEE_KEYS):
        return ()
    found = [attributes[name] for name in CALLEE_FIELDS if name in keys]
    found += [_host(attributes[name]) for name in URL_FIELDS if name in keys]
    return tuple(_first_label(value) for value in found if isinstance(value, str) and value)


def caller_fields(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of services that the fields say called."""
    if not attributes:
        return ()
    if attributes.keys().isdisjoint(_CALLER_KEYS):
        return ()
    found = [attributes[name] for name in CALLER_FIELDS if name in attributes]
    return tuple(value for value in found if isinstance(value, str) and value)


def _host(url: object) -> str:
    found = re.match(r"https?://([^/:?#]+)", url) if isinstance(url, str) else None
    return found[1] if found else ""


def _first_label(host: str) -> str:
    """`payment` of `payment.shop.svc`, and of `payment:8080`; an address has no name."""
    if host[:1].isdigit() or host.startswith("["):
        return ""
    return host.partition(":")[0].partition(".")[0]


def blamed(link: Link, known: Collection[str]) -> str:
    """The service that an error says failed: of several the last named, which lies deepest.

    Empty when it names none. `known` are the services of the chain that may have been called.
    """
    text = text_of(link)
    best, place = "", 0
    for name in known:
        if (behind := mentions(text, name)) > place:
            best, place = name, behind
    if best:
        return best
    for name in callee_fields(link.attributes):
        if name in known or _may_be_service(name):
            return name
    return _named_stranger(text)


def _named_stranger(text: str) -> str:
    if _MAY_NAME.search(text) is None:
        return ""
    for found in reversed(list(_NAMED.finditer(text))):
        name = found[found.lastgroup] if found.lastgroup else ""
        if found.lastgroup == "url":
            # Somebody else's host sends no records; or it is where a library explains its errors.
            name = _first_label(name) if _is_inside(name) else ""
        if _may_be_service(name):
            return name
    return ""


def _is_inside(host: str) -> bool:
    """Whether a host name is one of a private network."""
    return "." not in host or host.rpartition(".")[2].lower() in _INSIDE


def _may_be_service(name: str) -> bool:
    low = name.lower()
    return bool(low) and low not in _NO_NAMES and low not in DEPENDENCIES


def said_callee(link: Link) -> str:
    """Whom a record says it calls now: `calling payment`; empty when it does not."""
    found = _CALLING.search(link.message)
    return found["callee"] if found and _may_be_service(found["callee"]) else ""


def complained_of(link: Link) -> str:
    """Whom a warning says failed: `payment failed with 503; retry in 100 ms`; empty if nobody."""
    found = _COMPLAINT.search(link.message)
    name = found[found.lastgroup] if found and found.lastgroup else ""
    return name if _may_be_service(name) else ""


def said_caller(link: Link) -> str:
    """Who a record says called: `request received from gateway`; empty when it does not."""
    found = _CALLED.search(link.message)
    return found["caller"] if found else ""
