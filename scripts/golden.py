"""Writes the v1 signature of every golden error into its file. Look at the diff before you commit.

`v1` is frozen once released: then a changed line is a bug, and only new lines may appear.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts import environment

environment.enter(environment.TEST)

import msgspec

from app.signatures import ReportedException, sign_text

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "signatures" / "golden"


class Golden(msgspec.Struct, frozen=True, omit_defaults=True):
    """One error as it came in, what it must group with, and the signature it has."""

    group: str
    """Errors of one group share a signature; errors of two groups never do."""
    message: str
    exception: ReportedException | None = None
    v1: str = ""


def read_golden(folder: Path = FOLDER) -> dict[Path, list[Golden]]:
    """All golden errors, by file."""
    return {
        path: [
            msgspec.json.decode(line, type=Golden)
            for line in path.read_bytes().splitlines()
            if line
        ]
        for path in sorted(folder.glob("*.jsonl"))
    }


def main() -> None:
    for path, errors in read_golden().items():
        signed = [
            msgspec.structs.replace(one, v1=sign_text(one.message, one.exception).signature_id)
            for one in errors
        ]
        changed = sum(one != other for one, other in zip(errors, signed, strict=True))
        path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in signed))
        print(f"{path.name}: {len(signed)} errors, {changed} changed")


if __name__ == "__main__":
    main()
