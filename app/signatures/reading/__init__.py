"""Reading errors out of text: structured exceptions and raw traces of many languages alike."""

from app.normalise.record import ReportedException
from app.signatures.reading.reader import read_error

__all__ = ["ReportedException", "read_error"]
