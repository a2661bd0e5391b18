"""What a PostgreSQL server logs and its clients repeat: severity, message, detail, SQLSTATE.

Format: PostgreSQL manual, 19.8 "Error Reporting and Logging"; codes: Appendix A.
"""

import re
from collections.abc import Sequence

from app.signatures.reading.codes import sqlstate_of
from app.signatures.reading.limits import Reading, raised

_SEVERITY = re.compile(r"(?<![\w.])(ERROR|FATAL|PANIC|WARNING): ( ?)(?:([0-9A-Z]{5}): )?")
_FIELD = re.compile(r"(?<![\w.])(DETAIL|HINT|STATEMENT|CONTEXT|QUERY|LOCATION|LINE \d++): ")
_STATE = re.compile(r"SQL ?[Ss][Tt][Aa][Tt][Ee](?::? |=|\[)\(?'?([0-9A-Z]{5})\b")
_PREFIX_STATE = re.compile(r"[\[ =]([0-9A-Z]{5})[\]: ]")


def read(text: str) -> Reading | None:
    lines = text.split("\n")
    for index, line in enumerate(lines[:50]):
        found = _SEVERITY.search(line[:1024])
        if found is None:
            continue
        message = line[found.end() :].strip()
        detail, known = _detail(lines[index + 1 :])
        state = _state(text, line[: found.start()], found[3] or "", message)
        if not (known or state or found[2]):
            return None
        whole = f"{message}\nDETAIL:  {detail}" if detail else message
        return Reading(
            errors=(raised(found[1], whole),),
            language="postgresql",
            before="\n".join(lines[:index]).strip(),
            code=state,
        )
    return None


def _detail(lines: Sequence[str]) -> tuple[str, bool]:
    """The detail, and whether any line below is one that PostgreSQL writes."""
    known, detail = False, ""
    for line in lines[:50]:
        found = _FIELD.search(line[:1024])
        if found is not None:
            known = True
            if found[1] == "DETAIL":
                detail = line[found.end() :].strip()
    return detail, known


def _state(text: str, prefix: str, told: str, message: str) -> str:
    if told:
        return told
    found = _STATE.search(text)
    if found is not None:
        return found[1]
    before = _PREFIX_STATE.search(prefix)
    if before is not None and any(c.isdigit() for c in before[1]) and not before[1].isdigit():
        return before[1]
    return sqlstate_of(message)
