"""The search language: text -> tree -> SQL condition. Pure.

tree = parse_search("service:payment level:>=error -refused")
condition = condition_of(tree)  # a WHERE for `log_records`, with bound parameters only
text = to_text(tree)            # the same search as this language writes it
"""

from app.query.search.conditions import condition_of
from app.query.search.errors import InvalidSearch
from app.query.search.model import Search
from app.query.search.parse import parse_search
from app.query.search.write import to_text

__all__ = ["InvalidSearch", "Search", "condition_of", "parse_search", "to_text"]
