"""Rows of the database -> views. Pure."""

from typing import Any, TypeVar

import msgspec

from app.query.views import MatchView, Source

_View = TypeVar("_View", bound=msgspec.Struct)


def match_view(row: Any) -> MatchView:
    return view(with_source(row), MatchView)


def with_source(row: Any) -> dict[str, Any]:
    names = Source.__struct_fields__
    return {**row, "source": {name: row[name] for name in names}}


def view(row: Any, shape: type[_View]) -> _View:
    """The columns a shape names, turned into its types; fields with a default may be missing."""
    return msgspec.convert({n: row[n] for n in shape.__struct_fields__ if n in row}, shape)
