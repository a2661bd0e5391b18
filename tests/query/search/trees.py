"""Searches for property tests: trees as people's text gives them."""

from hypothesis import strategies as st

from app.normalise.record import Severity
from app.query.search.model import (
    And,
    Attribute,
    Column,
    Comparison,
    Field,
    Has,
    HasAttribute,
    Issue,
    Level,
    Not,
    Or,
    Pattern,
    Presence,
    Search,
    Words,
)

_texts = st.one_of(
    st.sampled_from(["payment", "o-17", "a b", 'say "x"', "C:\\temp\\", "OR", "-1", "a*", "/x/y"]),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=12),
)
_worded = _texts.filter(lambda text: any(one.isalnum() for one in text))
_patterns = st.sampled_from(["a+b", "(?i)time ?out", "/api/v1", r"\d{3}\b", "[^\"']x", r"a\\b"])

terms: st.SearchStrategy[Search] = st.one_of(
    st.builds(Words, text=_worded),
    st.builds(Words, text=_worded.filter(lambda text: text[-1].isalnum()), is_prefix=st.just(True)),
    st.builds(Field, column=st.sampled_from(Column), value=_texts, is_prefix=st.booleans()),
    st.builds(Level, severity=st.sampled_from(Severity), comparison=st.sampled_from(Comparison)),
    st.builds(Issue, known_issue_id=_texts),
    st.builds(Attribute, name=_texts, value=_texts, is_prefix=st.booleans()),
    st.builds(
        Attribute,
        name=_texts,
        value=st.integers(-99, 99).map(str),
        comparison=st.sampled_from(Comparison),
    ),
    st.builds(Has, what=st.sampled_from(Presence)),
    st.builds(HasAttribute, name=_texts),
    st.builds(Pattern, pattern=_patterns),
)


def _joined(inner: st.SearchStrategy[Search]) -> st.SearchStrategy[Search]:
    parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Not, part=inner),
        parts.map(lambda several: And(parts=several)),
        parts.map(lambda several: Or(parts=several)),
    )


searches: st.SearchStrategy[Search] = st.recursive(terms, _joined, max_leaves=5)
