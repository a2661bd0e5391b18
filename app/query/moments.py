"""Times as requests give them, each by its name there. Pure."""

from datetime import datetime

from app.query.search.errors import InvalidMoment
from app.query.search.times import parse_moment


class UnreadableMoment(InvalidMoment):
    """A time that a request gives cannot be read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"`{name}`: {reason}")
        self.name = name
        self.reason = reason


def moment_named(name: str, text: str, *, now: datetime) -> datetime:
    """In UTC. Raises `UnreadableMoment`."""
    try:
        return parse_moment(text, now=now)
    except InvalidMoment as error:
        raise UnreadableMoment(name, str(error)) from error
