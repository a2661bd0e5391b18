"""Addresses that narrow a search, or widen it. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from app.normalise.record import Severity
from app.pages.log_asking import LogsAsked
from app.query.columns import ATTRIBUTE
from app.query.log_views import FacetsView
from app.query.search import Search, parse_search, to_text
from app.query.search.edit import holds_term, parts_of, with_term, without_term
from app.query.search.fields import LONGEST_NAME, LONGEST_VALUE
from app.query.search.model import (
    Attribute,
    Column,
    Everything,
    Field,
    Has,
    HasAttribute,
    Level,
    Not,
    Presence,
)
from app.query.signature_links import SignatureLink

COLUMNS: Final = {
    "service": Column.SERVICE,
    "environment": Column.ENVIRONMENT,
    "release": Column.RELEASE,
    "instance": Column.INSTANCE,
    "signature": Column.SIGNATURE,
    "correlation": Column.CORRELATION,
    "span": Column.SPAN,
}
_WIDER: Final = {"-15m": "-1h", "-1h": "-6h", "-6h": "-1d", "-1d": "-7d"}


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A way to go on: its words and its address."""

    label: str
    address: str


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a facet."""

    label: str
    count: int
    share: float
    """Of the most frequent value, 0 to 1."""
    is_chosen: bool
    toggle: str
    exclude: str
    link: SignatureLink | None = None


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    choices: tuple[Choice, ...]


def term_for(field: str, value: str | None) -> Search | None:
    """`field:value`; of None that there is none. None when no search can ask for it."""
    if value is None:
        presence = _presence(field)
        return Not(part=presence) if presence else None
    if not value or len(value) > LONGEST_VALUE or "\0" in value:
        return None
    if field == "level":
        return Level(severity=Severity(value)) if value in Severity.__members__ else None
    if field.startswith(ATTRIBUTE):
        name = field[len(ATTRIBUTE) :]
        is_named = 0 < len(name) <= LONGEST_NAME and "\0" not in name
        return Attribute(name=name, value=value) if is_named else None
    column = COLUMNS.get(field)
    return Field(column=column, value=value) if column else None


def _presence(field: str) -> Search | None:
    if field.startswith(ATTRIBUTE):
        return HasAttribute(name=field[len(ATTRIBUTE) :])
    named = {one.value for one in Presence}
    return Has(what=Presence(field)) if field in named else None


def narrowed(asked: LogsAsked, search: Search, term: Search) -> str:
    """The address of the search with the term; of one that holds it, without it."""
    change = without_term if holds_term(search, term) else with_term
    return asked.address(q=to_text(change(search, term)))


def facets_of(
    view: FacetsView, asked: LogsAsked, search: Search, links: Mapping[str, SignatureLink]
) -> list[Facet]:
    """Those that tell something: not a field that no record has."""
    found = []
    for name, values in view.facets.items():
        if all(one.value is None for one in values):
            continue
        most = max(one.count for one in values)
        choices = []
        for one in values:
            term = term_for(name, one.value)
            if term is None:
                continue
            link = links.get(one.value or "") if name == "signature" else None
            choices.append(
                Choice(
                    label=(link.title if link else one.value) or f"no {name}",
                    count=one.count,
                    share=one.count / most,
                    is_chosen=holds_term(search, term),
                    toggle=narrowed(asked, search, term),
                    exclude=asked.address(q=to_text(with_term(search, _opposite(term)))),
                    link=link,
                )
            )
        found.append(Facet(name=name, choices=tuple(choices)))
    return found


def _opposite(term: Search) -> Search:
    return term.part if isinstance(term, Not) else Not(part=term)


def wider(asked: LogsAsked) -> Sequence[Offer]:
    """What to leave out of a search that found nothing."""
    offers = []
    if asked.since in _WIDER or asked.until:
        reach = _WIDER.get(asked.since, "-7d")
        offers.append(
            Offer(label=f"look back {reach[1:]}", address=asked.address(since=reach, until=""))
        )
    elif asked.since != "-30d":
        offers.append(Offer(label="look back 30 days", address=asked.address(since="-30d")))
    search = parse_search(asked.q)
    parts = parts_of(search)
    if len(parts) > 1:
        offers += [
            Offer(
                label=f"without {to_text(part)}",
                address=asked.address(q=to_text(without_term(search, part))),
            )
            for part in parts[:8]
        ]
    if not isinstance(search, Everything):
        offers.append(Offer(label="everything", address=asked.address(q="")))
    return offers
