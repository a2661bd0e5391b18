"""`/catalogue/documents/{name}`: the lines of a document that its entries were made from."""

from typing import Annotated, Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from app.database import Database
from app.errors import NotFound
from app.pages.document_lines import Line, lines_of
from app.pages.drawing import Pages
from app.query.document_queries import Passage, find_passage, passages_of
from app.shapes import NO_NUL

MOST_LINES: Final = 2_000
_BEFORE: Final = 20
_INT: Final = 2_147_483_647


class UnknownDocument(NotFound):
    """No entry of the catalogue comes from a document with this name."""


@get("/catalogue/documents/{name:str}")
async def show_document(
    *,
    request: Request[Any, Any, Any],
    pages: NamedDependency[Pages],
    database: NamedDependency[Database],
    name: FromPath[str],
    entry: Annotated[str, QueryParameter(max_length=200, pattern=NO_NUL)] = "",
    version: Annotated[int, QueryParameter(ge=0, le=_INT)] = 0,
    start: Annotated[int, QueryParameter(ge=0, le=_INT)] = 0,
) -> Response[str]:
    """With the lines of `entry` marked: of its newest version, or of that one which is asked for.

    Lines that no entry was made from are not stored: their place says so.
    """
    if "\0" in name:
        raise UnknownDocument
    async with database.session() as session:
        passages = await passages_of(session, name)
        cited = next((one for one in passages if one.known_issue_id == entry), None)
        if version and (cited is None or cited.version != version):
            cited = await find_passage(session, name, entry, version)
    is_past = cited is not None and cited not in passages
    shown = (cited,) if cited and is_past else _of_one_collection(passages, cited)
    if not shown:
        raise UnknownDocument
    lines = lines_of(shown, cited)
    first = start or (cited.first_line - _BEFORE if cited else 0)
    part = _part(lines, first)
    return await pages.draw(
        request,
        "document.html",
        name=name,
        cited=cited,
        is_past=is_past,
        passages=shown,
        lines=part,
        next=part[-1].number + 1 if part and part[-1] is not lines[-1] else None,
        previous=bool(part) and part[0] is not lines[0],
        unwritten=[one for one in shown if not one.written],
    )


def _of_one_collection(passages: tuple[Passage, ...], cited: Passage | None) -> tuple[Passage, ...]:
    """The service's own documents and imported ones may have the same name."""
    wanted = cited or next(iter(passages), None)
    return tuple(one for one in passages if wanted and one.collection == wanted.collection)


def _part(lines: tuple[Line, ...], first: int) -> tuple[Line, ...]:
    """Of a very long document so many lines."""
    if len(lines) <= MOST_LINES:
        return lines
    return tuple(line for line in lines if line.number >= first)[:MOST_LINES]


handlers = (show_document,)
