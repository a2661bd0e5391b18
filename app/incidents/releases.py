"""Which of two releases is the older one, when their names say so. Pure."""

import re
from collections.abc import Collection
from typing import Any, Final

from packaging.version import InvalidVersion, Version

_SEMVER: Final = re.compile(r"v?(\d{1,18})\.(\d{1,18})\.(\d{1,18})(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
# One in ten short commit hashes reads as a version: `12a4567` would be a first alpha of 12.
_COMMIT: Final = re.compile(r"(?=\d*[a-f])[0-9a-f]{7,40}")
# Python refuses to turn longer runs of digits into a number.
_LONGEST: Final = 200


def is_older(release: str, than: str, *, seen: Collection[str]) -> bool:
    """Whether `release` came before `than`.

    Versions are compared by PEP 440, else by SemVer 2.0.0 section 11; `package@version` only with
    its own package. Where names tell no order (commit hashes, builds of one version), a release
    in `seen`, those known when the other was named, counts as older, any other as newer.
    """
    if release == than:
        return False
    order = _order(release, than)
    return release in seen if order is None else order < 0


def _order(one: str, other: str) -> int | None:
    """Negative, or positive; None when the names do not say."""
    package, _, version = one.rpartition("@")
    of_other, _, than = other.rpartition("@")
    if package != of_other:
        return None
    for key in (_pep440, _semver):
        left, right = key(version), key(than)
        if left is not None and right is not None:
            return None if left == right else -1 if left < right else 1
    return None


def _pep440(release: str) -> Any:
    if len(release) > _LONGEST or _COMMIT.fullmatch(release):
        return None
    try:
        version = Version(release)
    except InvalidVersion:
        return None
    # What follows a plus names a build and tells no order, as in SemVer.
    return Version(version.public)


def _semver(release: str) -> Any:
    found = _SEMVER.fullmatch(release) if len(release) <= _LONGEST else None
    if found is None:
        return None
    *numbers, before = found.groups()
    # Section 11: a pre-release comes before its release, numbers before words.
    parts = [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in (before or "").split(".")]
    return [int(number) for number in numbers], before is None, parts if before else []
