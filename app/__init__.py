"""ProdSentinel: from a failing chain to the fix somebody already wrote down."""

__version__ = "0.1.0"
