"""Which statements the requests of a test send, and not those of the workers beside them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, event

_heard: ContextVar[list[str] | None] = ContextVar("heard", default=None)


@contextmanager
def statements() -> Iterator[list[str]]:
    """Workers were started before, so they do not see the list of this context."""
    sent: list[str] = []

    def remember(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        heard = _heard.get()
        if heard is not None:
            heard.append(statement)

    event.listen(Engine, "before_cursor_execute", remember)
    token = _heard.set(sent)
    try:
        yield sent
    finally:
        _heard.reset(token)
        event.remove(Engine, "before_cursor_execute", remember)
