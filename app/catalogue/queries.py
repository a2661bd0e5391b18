"""Every statement of the catalogue room, by name."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Text, cast, delete, func, null, or_, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.documents import with_free_id
from app.catalogue.model import KnownIssue, Match, Problem, Verdict
from app.catalogue.tables import entry_health, known_issues, match_verdicts, matches
from app.store.tables import signatures

DEFAULT: Final = "default"
IMPORTED: Final = "imported"
QUARANTINE_LEAST_CHAINS: Final = 200
QUARANTINE_SHARE: Final = 0.01

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('prodsentinel.catalogue'))")


class Synced(msgspec.Struct, frozen=True, kw_only=True):
    """What an import changed, by entry id."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()

    def anything(self) -> bool:
        return bool(self.new or self.changed or self.retired)


async def sync_known_issues(
    session: AsyncSession,
    issues: Iterable[KnownIssue],
    *,
    collection: str = DEFAULT,
    documents: Collection[str] | None = None,
) -> Synced:
    """Store these entries; a changed one gets a new version.

    Entries of the collection that are not among them are retired: all of them, or, with
    `documents`, those of these documents. An id that another collection holds is a problem.
    """
    await session.execute(_LOCK)
    latest = {row.known_issue_id: row for row in await session.execute(_latest_versions())}
    found: dict[str, list[str]] = {"new": [], "changed": [], "unchanged": []}
    problems: list[Problem] = []
    wanted: dict[str, KnownIssue] = {}
    for issue in issues:
        owner = _owner(issue, latest, collection, documents)
        if owner and issue.explicit:
            problems.append(_taken(issue, owner))
            continue
        named = with_free_id(issue, {**latest, **wanted}) if owner else issue
        wanted[named.known_issue_id] = named
    for name, issue in sorted(wanted.items()):
        stored = latest.get(name)
        if stored and stored.content_hash == issue.provenance.content_hash:
            await session.execute(_moved(issue, stored.version, collection))
            found["new" if stored.retired_at else "unchanged"].append(name)
            continue
        found["changed" if stored else "new"].append(name)
        version = stored.version + 1 if stored else 1
        await session.execute(known_issues.insert().values(_row(issue, version, collection)))
    retired = sorted(
        name
        for name, row in latest.items()
        if name not in wanted
        and not row.retired_at
        and row.collection == collection
        and (documents is None or row.document in documents)
    )
    await session.execute(
        update(known_issues)
        .where(known_issues.c.known_issue_id.in_(retired), known_issues.c.retired_at.is_(None))
        .values(retired_at=func.now())
    )
    return Synced(
        **{name: tuple(ids) for name, ids in found.items()},
        retired=tuple(retired),
        problems=tuple(problems),
    )


def _owner(
    issue: KnownIssue, latest: Mapping[str, Any], collection: str, documents: Collection[str] | None
) -> Any:
    """Whose this entry's id is, when it is another document's that still holds it."""
    stored = latest.get(issue.known_issue_id)
    if stored is None or stored.retired_at:
        return None
    if stored.collection != collection:
        return stored
    # Without names of documents a whole collection is stored: entries may move within it.
    elsewhere = documents is not None and stored.document != issue.provenance.document
    return stored if elsewhere and stored.document not in (documents or ()) else None


def _taken(issue: KnownIssue, stored: Any) -> Problem:
    return Problem(
        document=issue.provenance.document,
        line=issue.provenance.first_line,
        reason=f"the id {issue.known_issue_id!r} is taken by {stored.document} "
        f"in the collection {stored.collection!r}",
    )


def _latest_versions() -> Any:
    table = known_issues.c
    return (
        select(
            table.known_issue_id,
            table.version,
            table.content_hash,
            table.retired_at,
            table.collection,
            table.document,
        )
        .ext(distinct_on(table.known_issue_id))
        .order_by(table.known_issue_id, table.version.desc())
    )


def _moved(issue: KnownIssue, version: int, collection: str) -> Any:
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
            entry=msgspec.to_builtins(issue),
            collection=collection,
            retired_at=null(),
        )
    )


def _row(issue: KnownIssue, version: int, collection: str) -> dict[str, Any]:
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
        "origin": place.origin,
        "document": place.document,
        "heading_path": list(place.heading_path),
        "first_line": place.first_line,
        "last_line": place.last_line,
        "content_hash": place.content_hash,
        "collection": collection,
        "entry": msgspec.to_builtins(issue),
    }


async def current_versions(session: AsyncSession) -> dict[str, int]:
    """Known issue id -> newest version, retired ones left out."""
    rows = await session.execute(_latest_versions())
    return {row.known_issue_id: row.version for row in rows if not row.retired_at}


async def stored_issues(session: AsyncSession) -> tuple[str, list[KnownIssue]]:
    """Every current entry that no healthy chain has put into quarantine, and a mark of the state.

    The mark changes whenever an entry is imported, moved, retired or quarantined.
    """
    newest = _latest_versions().subquery()
    query = (
        # A process keeps all of them: the lines of the documents would double what they take.
        select(known_issues.c.entry.op("-", return_type=JSONB)(cast("written", Text)))
        .join(
            newest,
            (newest.c.known_issue_id == known_issues.c.known_issue_id)
            & (newest.c.version == known_issues.c.version),
        )
        .where(newest.c.retired_at.is_(None), known_issues.c.entry.is_not(None))
        .order_by(known_issues.c.known_issue_id)
    )
    quarantined = {row.known_issue_id for row in await session.execute(_quarantined())}
    entries = [
        msgspec.convert(entry, KnownIssue) for entry in (await session.execute(query)).scalars()
    ]
    return await state_mark(session), [e for e in entries if e.known_issue_id not in quarantined]


async def state_mark(session: AsyncSession) -> str:
    """A short text that changes with the stored catalogue; cheap to ask for."""
    row = (await session.execute(_STATE)).one()
    return " ".join(map(str, row))


_STATE = text("""
    SELECT count(*), max(imported_at), max(retired_at), count(retired_at),
        (SELECT count(*) FROM entry_health
         WHERE healthy_chains >= :least AND hits > healthy_chains * :share)
    FROM known_issues
""").bindparams(least=QUARANTINE_LEAST_CHAINS, share=QUARANTINE_SHARE)


def _quarantined() -> Any:
    """Entries whose newest version holds for more than 1 % of at least 200 healthy chains."""
    newest = _latest_versions().subquery()
    table = entry_health.c
    return (
        select(table.known_issue_id, table.version, table.healthy_chains, table.hits)
        .join(
            newest,
            (newest.c.known_issue_id == table.known_issue_id) & (newest.c.version == table.version),
        )
        .where(
            table.healthy_chains >= QUARANTINE_LEAST_CHAINS,
            table.hits > table.healthy_chains * QUARANTINE_SHARE,
        )
    )


async def add_health(
    session: AsyncSession, *, chains: int, hits: Mapping[str, int], versions: Mapping[str, int]
) -> None:
    """Count healthy chains that were held against every entry, and how many each hit."""
    rows = [
        {"known_issue_id": n, "version": v, "healthy_chains": chains, "hits": hits.get(n, 0)}
        for n, v in sorted(versions.items())
    ]
    if not rows:
        return
    statement = insert(entry_health)
    added = statement.excluded
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["known_issue_id", "version"],
            set_={
                "healthy_chains": entry_health.c.healthy_chains + added.healthy_chains,
                "hits": entry_health.c.hits + added.hits,
                "checked_at": func.now(),
            },
        ),
        rows,
    )


_LOCK_VERDICTS = text("SELECT pg_advisory_xact_lock(hashtext('prodsentinel.verdicts ' || :name))")


async def newest_verdict(session: AsyncSession, signature_id: str) -> Any:
    """What was said last of this signature, or None; nobody else says anything until the end."""
    await session.execute(_LOCK_VERDICTS, {"name": signature_id})
    query = (
        select(match_verdicts)
        .where(match_verdicts.c.signature_id == signature_id)
        .order_by(match_verdicts.c.decided_at.desc(), match_verdicts.c.known_issue_id)
        .limit(1)
    )
    return (await session.execute(query)).one_or_none()


async def save_verdict(session: AsyncSession, values: dict[str, Any]) -> None:
    """What an engineer said of a pairing; the latest word counts."""
    # The clock's, not the transaction's: one that waited for another began before it.
    statement = insert(match_verdicts).values({**values, "decided_at": func.clock_timestamp()})
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["signature_id", "known_issue_id"],
            set_={
                **{n: statement.excluded[n] for n in ("verdict", "decided_by", "note", "sample")},
                "decided_at": statement.excluded.decided_at,
            },
        )
    )


async def rejected_pairs(session: AsyncSession, names: Iterable[str]) -> set[tuple[str, str]]:
    """Signature and known issue that a person said do not belong together."""
    query = select(match_verdicts.c.signature_id, match_verdicts.c.known_issue_id).where(
        match_verdicts.c.signature_id.in_(list(names)),
        match_verdicts.c.verdict == Verdict.REJECTED,
    )
    return {(row[0], row[1]) for row in await session.execute(query)}


async def forget_match(session: AsyncSession, signature_id: str) -> None:
    """Have the signature matched anew."""
    await session.execute(delete(matches).where(matches.c.signature_id == signature_id))


async def sample_of(session: AsyncSession, signature_id: str) -> dict[str, Any] | None:
    query = select(signatures.c.sample).where(signatures.c.signature_id == signature_id)
    return (await session.execute(query)).scalar_one_or_none()


async def samples_after(
    session: AsyncSession, signature_id: str, *, limit: int
) -> list[tuple[str, dict[str, Any], str | None]]:
    """Signatures in order of id: id, sample, and the known issue it is matched to."""
    query = (
        select(signatures.c.signature_id, signatures.c.sample, matches.c.known_issue_id)
        .outerjoin(matches, matches.c.signature_id == signatures.c.signature_id)
        .where(signatures.c.signature_id > signature_id, signatures.c.version != "chain")
        .order_by(signatures.c.signature_id)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


_HEALTHY = text("""
    SELECT correlation_id, service, level::text AS level, message
    FROM log_records AS record
    WHERE received_at > now() - interval '10 minutes' AND occurred_at > now() - interval '1 hour'
        AND signature_id IS NULL
        AND correlation_id NOT LIKE 'canary-%'
        AND NOT EXISTS (
            SELECT FROM failing_chains AS failing
            WHERE failing.correlation_id = record.correlation_id
        )
    LIMIT :limit
""")


async def healthy_records(session: AsyncSession, *, limit: int) -> list[Any]:
    """Some recent records of chains that did not fail; none of the canary's, which say nothing."""
    return list((await session.execute(_HEALTHY, {"limit": limit})).all())


class Unmatched(msgspec.Struct, frozen=True):
    """A signature that the current catalogue has not seen, and what it was matched to before."""

    signature_id: str
    sample: dict[str, Any]
    catalogue_hash: str | None
    known_issue_id: str | None


async def unmatched_signatures(
    session: AsyncSession,
    *,
    catalogue_hash: str,
    limit: int | None,
    among: Iterable[str] | None = None,
) -> list[Unmatched]:
    """Signatures not yet held against this catalogue, in order of id."""
    query = (
        select(
            signatures.c.signature_id,
            signatures.c.sample,
            matches.c.catalogue_hash,
            matches.c.known_issue_id,
        )
        .outerjoin(matches, matches.c.signature_id == signatures.c.signature_id)
        # Those of chain rules are matched by the rules that they stand for.
        .where(signatures.c.version != "chain")
        .where(or_(matches.c.signature_id.is_(None), matches.c.catalogue_hash != catalogue_hash))
        .order_by(signatures.c.signature_id)
        .limit(limit)
    )
    if among is not None:
        query = query.where(signatures.c.signature_id.in_(list(among)))
    return [Unmatched(*row) for row in await session.execute(query)]


async def confirm_matches(
    session: AsyncSession, names: Collection[str], *, catalogue_hash: str
) -> None:
    """What these signatures were matched to before holds for this catalogue too."""
    if names:
        await session.execute(
            update(matches)
            .where(matches.c.signature_id.in_(sorted(names)))
            .values(catalogue_hash=catalogue_hash)
        )


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
            "borrowed_from": match.borrowed_from if match else "",
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
