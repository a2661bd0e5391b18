"""What became of a call: ended well, ended badly, or nobody knows. Pure."""

from app.correlate.calls import Node
from app.correlate.facts import (
    callee_fields,
    is_end,
    is_good,
    is_start,
    mentions,
    said_callee,
    tells_of_handling,
)
from app.correlate.link import Link


def is_own_end(node: Node, link: Link) -> bool:
    """Whether a call ended with this record; `inventory answered 200` is another's end."""
    if link.signature_id is not None or not is_end(link):
        return False
    if link.attributes and any(name != node.service for name in callee_fields(link.attributes)):
        return False
    return not any(mentions(link.message, child.service) for child in node.children[:8])


def ended_well(node: Node) -> bool:
    """Whether its last word is that it answered, and not with a failure of its own."""
    for link in reversed(node.links):
        if link.signature_id is not None:
            return False
        if is_own_end(node, link):
            return is_good(link)
    return False


def is_silent(node: Node) -> bool:
    """Whether it tells neither of a failure nor of a good end."""
    return not has_errors(node) and not ended_well(node)


def is_open(node: Node) -> bool:
    """Whether it neither failed nor ended, as far as its records tell."""
    return not any(link.signature_id is not None or is_own_end(node, link) for link in node.links)


def has_errors(node: Node) -> bool:
    return any(link.signature_id is not None for link in node.links)


def began(node: Node) -> bool:
    return any(is_start(link) for link in node.links)


def asked_in_vain(node: Node) -> str:
    """The service that its last call went to, when nothing of that one is below it."""
    for link in reversed(node.links):
        if link.signature_id is None and not is_own_end(node, link):
            name = said_callee(link)
            if name and name != node.service:
                known = any(child.service.lower() == name.lower() for child in node.children)
                return "" if known else name
    return ""


def was_handled(caller: Node, failed: Node) -> bool:
    """Whether the caller says that it lived with the failure of this callee."""
    return any(
        link.signature_id is None
        and tells_of_handling(link)
        and _is_about(link, caller, failed.service)
        for link in caller.links
    )


def _is_about(link: Link, caller: Node, service: str) -> bool:
    if mentions(link.message, service) or service in callee_fields(link.attributes):
        return True
    return not any(mentions(link.message, child.service) for child in caller.children[:8])


def was_repeated_well(failed: Node) -> bool:
    """Whether the same callee, called again by the same caller afterwards, answered well."""
    caller = failed.parent
    if caller is None or len(caller.children) > 1_000:  # noqa: PLR2004
        return False
    end = failed.links[-1].occurred_at
    return any(
        other.service == failed.service and other.first >= end and ended_well(other)
        for other in caller.children
        if other is not failed
    )
