"""The catalogue that a process matches with: what the database holds, compiled, kept current."""

from collections.abc import Iterable
from functools import cache
from typing import Final

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue import queries
from app.catalogue.alignment import Lexicon
from app.catalogue.documents import DEFAULT_DOCUMENTS, Compiled, read_documents
from app.catalogue.matcher import Matcher
from app.catalogue.model import KnownIssue, Problem

log = structlog.get_logger(__name__)

_NEVER: Final = "never read"


@cache
def default_catalogue() -> Compiled:
    """The entries that come with the service; compiled once in a process."""
    return read_documents([DEFAULT_DOCUMENTS])


@cache
def default_lexicon() -> Lexicon:
    """What libraries are known to print, for documents that bring no rules."""
    return Lexicon(default_catalogue().issues)


def compile_matcher(issues: Iterable[KnownIssue]) -> Matcher:
    """A matcher over these entries; those without rules borrow from the default catalogue."""
    given = list(issues)
    # The lexicon costs as much as the rest of a start: most catalogues do without it.
    borrows = any(issue.rules is None for issue in given)
    return Matcher(given, default_lexicon() if borrows else None)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue became: entries that are new or changed, and ids that are gone."""

    before: str
    after: str
    """Hashes of the catalogue that was and that is."""
    entries: tuple[KnownIssue, ...] = ()
    gone: frozenset[str] = frozenset()


class LiveCatalogue:
    """One in each process. Empty at first; then what the database holds."""

    def __init__(self) -> None:
        self.matcher = compile_matcher(())
        self.change: Change | None = None
        self.problems: tuple[Problem, ...] = ()
        """What of the service's own documents could not be used."""
        self._state = _NEVER

    def use_until_refreshed(self, issues: Iterable[KnownIssue]) -> None:
        """Match with these as long as the database could not be read."""
        if self._state == _NEVER:
            self.matcher = compile_matcher(issues)

    async def refresh(self, session: AsyncSession) -> None:
        """Compile the stored entries again when any of them changed."""
        if await queries.state_mark(session) == self._state:
            return
        self._state, issues = await queries.stored_issues(session)
        before = self.matcher
        after = compile_matcher(issues)
        self.matcher = after
        if after.catalogue_hash == before.catalogue_hash:
            return
        changed = tuple(
            issue
            for name, issue in after.issues.items()
            if name not in before.issues or _content(before.issues[name]) != _content(issue)
        )
        gone = frozenset(before.issues.keys() - after.issues.keys())
        log.info(
            "catalogue_changed", entries=len(after.issues), changed=len(changed), gone=len(gone)
        )
        self.change = Change(
            before=before.catalogue_hash,
            after=after.catalogue_hash,
            entries=changed,
            gone=gone,
        )


def _content(issue: KnownIssue) -> str:
    return issue.provenance.content_hash
