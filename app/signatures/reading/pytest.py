"""Failures as pytest shows them: `E   ValueError: bad`, then `tests/test_pay.py:12: ValueError`."""

import re

from app.normalise.record import Frame
from app.signatures.reading.limits import Reading, raised
from app.signatures.reading.names import headline

_SAID = re.compile(r"E {3,}(\S.*+)")
_PLACE = re.compile(r"(\S+\.py):(\d{1,9}): (?:in (.*+)|[\w.]*+)$")
_FUNCTION = re.compile(r" *+(?:async )?def (\w++)\(")


def read(text: str) -> Reading | None:
    said: list[str] = []
    frames: list[Frame] = []
    function = "?"
    for line in text.split("\n"):
        place = _PLACE.match(line) if ".py:" in line else None
        if place is not None:
            name = place[3] or function
            frames.append(Frame(function=name, module=place[1], line=int(place[2])))
            function = "?"
            if said:
                break
        elif found := _SAID.match(line):
            said.append(found[1])
        elif found := _FUNCTION.match(line):
            function = found[1]
    named = headline(said[0]) if said else None
    if named is None or not frames:
        return None
    message = "\n".join([named[1], *said[1:]]).strip()
    return Reading(errors=(raised(named[0], message, frames),), language="python")
