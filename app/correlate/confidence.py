"""How sure a root cause is."""

import enum


class Confidence(enum.StrEnum):
    """In the order of PostgreSQL's ENUM `root_confidence`: from least to most."""

    UNSURE = "unsure"
    LIKELY = "likely"
    CERTAIN = "certain"
