"""A term put into a search, and taken out of it. Pure."""

from app.query.search.model import And, Everything, Not, Search


def parts_of(search: Search) -> tuple[Search, ...]:
    """What must all hold."""
    if isinstance(search, Everything):
        return ()
    return search.parts if isinstance(search, And) else (search,)


def holds_term(search: Search, term: Search) -> bool:
    """Whether the term alone narrows the search."""
    return term in parts_of(search)


def with_term(search: Search, term: Search) -> Search:
    """Narrowed by the term; its opposite goes."""
    opposite = term.part if isinstance(term, Not) else Not(part=term)
    kept = tuple(part for part in parts_of(search) if part not in (opposite, term))
    return _all((*kept, *parts_of(term)))


def without_term(search: Search, term: Search) -> Search:
    """Widened by leaving the term out."""
    return _all(tuple(part for part in parts_of(search) if part != term))


def _all(parts: tuple[Search, ...]) -> Search:
    if not parts:
        return Everything()
    return parts[0] if len(parts) == 1 else And(parts=parts)
