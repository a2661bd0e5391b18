"""Style, scripts and fonts: read once, served for ever under the hash of what they hold."""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

import msgspec
import structlog
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, HeaderParameter

from app.pages.headers import OF_ASSETS

log = structlog.get_logger(__name__)

HERE: Final = Path(__file__).resolve().parent
OWN: Final = HERE / "assets"
BUILT: Final = HERE / "built"
HOW_TO_BUILD: Final = "python3 scripts/assets.py"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    content: bytes
    zipped: bytes | None
    """None: it is compressed already."""
    media_type: str


class Assets:
    """All files of `app/pages/assets` and, when it was made, of `app/pages/built`."""

    def __init__(self, own: Path = OWN, built: Path = BUILT) -> None:
        self._files = {name: _read(path) for name, path in _found(own, built)}
        joined = hashlib.sha256()
        for name, asset in sorted(self._files.items()):
            joined.update(b"%d %s" % (len(asset.content), name.encode()) + asset.content)
        self.digest = joined.hexdigest()[:16]
        self.are_built = "built/htmx.min.js" in self._files
        if not self.are_built:
            log.warning("pages_without_scripts", build_them_with=HOW_TO_BUILD)

    def url(self, name: str) -> str:
        """Raises `KeyError` when there is no such file."""
        self._files[name]
        # One hash for all, in the folder: scripts and styles name each other by relative paths.
        return f"/assets/{self.digest}/{name}"

    def file(self, name: str) -> Asset | None:
        return self._files.get(name)


def _found(own: Path, built: Path) -> Iterator[tuple[str, Path]]:
    for folder, prefix in ((own, ""), (built, "built/")):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in _TYPES:
                yield prefix + path.relative_to(folder).as_posix(), path


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    zipped = None if path.suffix == ".woff2" else gzip.compress(content, 6, mtime=0)
    return Asset(content=content, zipped=zipped, media_type=_TYPES[path.suffix])


@get("/assets/{digest:str}/{name:path}", include_in_schema=False)
async def get_asset(
    digest: FromPath[str],
    name: FromPath[str],
    assets: NamedDependency[Assets],
    accept_encoding: Annotated[str, HeaderParameter(name="Accept-Encoding")] = "",
) -> Response[bytes]:
    """A file; of a page drawn by another version the file of this one, not kept."""
    asset = assets.file(name.lstrip("/"))
    if asset is None:
        raise NotFoundException
    headers = {**OF_ASSETS, "Cache-Control": _FOR_EVER if digest == assets.digest else "no-cache"}
    content = asset.content
    if asset.zipped and "gzip" in accept_encoding:
        content, headers = asset.zipped, {**headers, "Content-Encoding": "gzip"}
    return Response(content, media_type=asset.media_type, headers=headers)
