"""The geometry of small charts, drawn by the server as SVG. Pure."""

from collections.abc import Sequence

import msgspec


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """A rectangle in the units of the chart's `viewBox`; `series` is the index of its values."""

    x: float
    y: float
    width: float
    height: float
    series: int


def bars(
    *series: Sequence[float], width: float, height: float, gap: float = 1.0
) -> tuple[Bar, ...]:
    """Values of all series stacked, the first at the bottom; the highest stack is `height`."""
    stacks = list(zip(*series, strict=True))
    most = max((sum(stack) for stack in stacks), default=0)
    if not most:
        return ()
    step = width / len(stacks)
    thick = max(step - gap, step / 2)
    found = []
    for place, stack in enumerate(stacks):
        top = height
        for index, value in enumerate(stack):
            tall = value / most * height
            top -= tall
            if value:
                found.append(_bar(place * step, top, thick, tall, index))
    return tuple(found)


def _bar(x: float, y: float, width: float, height: float, series: int) -> Bar:
    return Bar(
        x=round(x, 2),
        y=round(max(y, 0), 2),
        width=round(width, 2),
        height=round(height, 2),
        series=series,
    )
