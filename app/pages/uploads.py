"""The documents of a form: files, or texts with their names."""

from pathlib import PurePosixPath
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile

from app.catalogue.documents import SUFFIXES
from app.catalogue.importing import Upload
from app.catalogue.model import Problem
from app.catalogue.reading import NotADocument, decode_document

MOST: Final = 200
_UNNAMED: Final = "pasted.md"


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What a form brought; what cannot be read is a problem and costs no other."""

    documents: tuple[Upload, ...] = ()
    problems: tuple[Problem, ...] = ()
    name: str = ""
    text: str = ""
    """As it was written into the form, to stand there again."""


async def received(request: Request[Any, Any, Any]) -> Received:
    """Fields `files`, and `name` and `text` as often as there are texts."""
    form = await request.form()
    documents: dict[str, Upload] = {}
    problems: list[Problem] = []
    for name, content in [*await _files(form), *_texts(form)][:MOST]:
        try:
            document = _document(name, content)
        except (NotADocument, msgspec.ValidationError) as error:
            problems.append(Problem(document=name, line=1, reason=str(error)))
            continue
        # Of two files of one name the second would retire what the first brought.
        if document.name in documents:
            problems.append(
                Problem(document=name, line=1, reason="a file of this name came before")
            )
            continue
        documents[document.name] = document
    names, texts = form.getall("name", []), form.getall("text", [])
    is_single = len(texts) == 1
    return Received(
        documents=tuple(documents.values()),
        problems=tuple(problems),
        name=str(names[0]) if is_single and names else "",
        text=str(texts[0]) if is_single else "",
    )


async def _files(form: Any) -> list[tuple[str, bytes]]:
    files = [one for one in form.getall("files", []) if isinstance(one, UploadFile)]
    # A field that nobody chose a file for comes all the same, without a name.
    return [(_last_part(one.filename), await one.read()) for one in files if one.filename]


def _texts(form: Any) -> list[tuple[str, bytes]]:
    names = [str(name) for name in form.getall("name", [])]
    texts = [str(text) for text in form.getall("text", [])]
    pairs = zip(names, texts, strict=False)
    return [
        (_last_part(name.strip()) or _UNNAMED, text.encode("utf-8", "surrogatepass"))
        for name, text in pairs
        if text.strip()
    ]


def _last_part(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).name


def _document(name: str, content: bytes) -> Upload:
    """Raises `NotADocument`, `ValidationError`."""
    if PurePosixPath(name).suffix.lower() not in SUFFIXES:
        raise NotADocument(f"its name ends in none of {', '.join(sorted(SUFFIXES))}")
    return msgspec.convert({"name": name, "text": decode_document(content)}, Upload)
