"""Which migration the code expects, without importing Alembic: that takes a third of a start."""

from pathlib import Path

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def newest_revision() -> str:
    """Revisions are numbered, and a file's name begins with its number; a test holds that."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py"))
