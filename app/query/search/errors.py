"""What is wrong with a search, where, and what to change."""

from app.errors import AppError


class InvalidSearch(AppError):
    """The search cannot be read."""

    def __init__(self, reason: str, *, column: int) -> None:
        """`column` counts characters from 1; `reason` says what to change."""
        super().__init__(f"column {column}: {reason}")
        self.reason = reason
        self.column = column


class InvalidMoment(AppError):
    """A time is RFC 3339 with its zone, or relative: -15m, now-1d, now-1d/d."""


class InvalidRange(AppError):
    """`from` must be before `to`."""
