"""Every statement of the catalogue room, by name."""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import func, null, or_, select, text, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.model import KnownIssue, Match
from app.catalogue.tables import known_issues, matches
from app.store.tables import signatures

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('prodsentinel.catalogue'))")


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What an import changed, by entry id."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()


async def sync_known_issues(session: AsyncSession, issues: Iterable[KnownIssue]) -> Synced:
    """Make the stored catalogue equal to these entries; a changed one gets a new version."""
    await session.execute(_LOCK)
    latest = {row.known_issue_id: row for row in await session.execute(_latest_versions())}
    new: list[str] = []
    changed: list[str] = []
    wanted = {issue.known_issue_id: issue for issue in issues}
    for name, issue in sorted(wanted.items()):
        stored = latest.get(name)
        if stored and stored.content_hash == issue.provenance.content_hash:
            await session.execute(_moved(issue, stored.version))
            continue
        (changed if stored else new).append(name)
        version = stored.version + 1 if stored else 1
        await session.execute(known_issues.insert().values(_row(issue, version)))
    retired = sorted(n for n, row in latest.items() if n not in wanted and not row.retired_at)
    await session.execute(
        update(known_issues)
        .where(known_issues.c.known_issue_id.in_(retired), known_issues.c.retired_at.is_(None))
        .values(retired_at=func.now())
    )
    return Synced(new=tuple(new), changed=tuple(changed), retired=tuple(retired))


def _latest_versions() -> Any:
    table = known_issues.c
    return (
        select(table.known_issue_id, table.version, table.content_hash, table.retired_at)
        .ext(distinct_on(table.known_issue_id))
        .order_by(table.known_issue_id, table.version.desc())
    )


def _moved(issue: KnownIssue, version: int) -> Any:
    """The same words in another place are the same version; an entry may also come back."""
    place = issue.provenance
    return (
        update(known_issues)
        .where(
            known_issues.c.known_issue_id == issue.known_issue_id, known_issues.c.version == version
        )
        .values(
            document=place.document,
            heading_path=list(place.heading_path),
            first_line=place.first_line,
            last_line=place.last_line,
            retired_at=null(),
        )
    )


def _row(issue: KnownIssue, version: int) -> dict[str, Any]:
    place = issue.provenance
    return {
        "known_issue_id": issue.known_issue_id,
        "version": version,
        "title": issue.title,
        "severity": issue.severity,
        "tags": list(issue.tags),
        "symptoms": issue.symptoms,
        "causes": issue.causes,
        "fix": issue.fix,
        "lesson": issue.lesson,
        "caution": issue.caution,
        "affected_files": list(issue.affected_files),
        "rules": {
            "signature": msgspec.to_builtins(issue.rules),
            "chain": msgspec.to_builtins(issue.chain_rules),
        },
        "origin": place.origin,
        "document": place.document,
        "heading_path": list(place.heading_path),
        "first_line": place.first_line,
        "last_line": place.last_line,
        "content_hash": place.content_hash,
    }


async def current_versions(session: AsyncSession) -> dict[str, int]:
    """Known issue id -> newest version, retired ones left out."""
    rows = await session.execute(_latest_versions())
    return {row.known_issue_id: row.version for row in rows if not row.retired_at}


async def unmatched_signatures(
    session: AsyncSession,
    *,
    catalogue_hash: str,
    limit: int | None,
    among: Iterable[str] | None = None,
) -> list[tuple[str, dict[str, Any]]]:
    """Signatures, with their samples, not yet held against this catalogue."""
    query = (
        select(signatures.c.signature_id, signatures.c.sample)
        .outerjoin(matches, matches.c.signature_id == signatures.c.signature_id)
        .where(or_(matches.c.signature_id.is_(None), matches.c.catalogue_hash != catalogue_hash))
        .order_by(signatures.c.signature_id)
        .limit(limit)
    )
    if among is not None:
        query = query.where(signatures.c.signature_id.in_(list(among)))
    return [(row.signature_id, row.sample) for row in await session.execute(query)]


async def save_matches(
    session: AsyncSession,
    found: dict[str, Match | None],
    *,
    catalogue_hash: str,
    versions: dict[str, int],
) -> None:
    """What each signature was found to be; None says that no entry explains it."""
    if not found:
        return
    rows = [
        {
            "signature_id": signature_id,
            "catalogue_hash": catalogue_hash,
            "known_issue_id": match.known_issue_id if match else None,
            "known_issue_version": versions[match.known_issue_id] if match else None,
            "tier": match.tier if match else None,
            "score": match.score if match else None,
            "evidence": msgspec.to_builtins(match.evidence) if match else [],
        }
        # Sorted: replicas that match the same signatures must lock them in the same order.
        for signature_id, match in sorted(found.items())
    ]
    statement = insert(matches)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["signature_id"],
            set_={name: statement.excluded[name] for name in rows[0] if name != "signature_id"}
            | {"matched_at": func.now()},
        ),
        rows,
    )
