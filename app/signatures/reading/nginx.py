"""The error log of nginx."""

import re

from app.signatures.reading.codes import ERRNO
from app.signatures.reading.limits import Reading, raised

_ENTRY = re.compile(r"\[(warn|error|crit|alert|emerg)\] \d++#\d++: (?:\*\d++ )?")
_ERRNO = re.compile(r"\((\d{1,3}): [A-Z]")
_FIELDS = (", client: ", ", server: ", ", upstream: ", ", request: ")


def read(text: str) -> Reading | None:
    """The message without the request that met it; the code is the errno behind it."""
    found = _ENTRY.search(text)
    if found is None:
        return None
    entry = text[found.end() :].partition("\n")[0]
    end = min((at for field in _FIELDS if (at := entry.find(field)) >= 0), default=len(entry))
    message = entry[:end].strip()
    errno = _ERRNO.search(message)
    return Reading(
        errors=(raised(found[1], message),),
        language="nginx",
        code=ERRNO.get(int(errno[1]), "") if errno else "",
    )
