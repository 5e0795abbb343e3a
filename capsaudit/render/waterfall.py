"""A waterfall of bars in characters: totals stand on the axis, each step hangs between the totals before and after it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from capsaudit.render.document import Bar, Waterfall

_LEAST_BAR = 10
_FILL = {"good": "█", "bad": "▒", "total": "━"}


def drawn(waterfall: Waterfall, width: int) -> Iterator[tuple[str, str]]:
    """Lines and their tones. Steps up are solid, steps down shaded; a step too small to see is one character wide.

    In a terminal too narrow for bars nothing is drawn: the ledger above says the same in numbers.
    """
    labels = max(cell_len(bar.label) for bar in waterfall.bars)
    texts = max(cell_len(bar.text) for bar in waterfall.bars)
    room = min(width - labels - texts - 4, 60)
    if room < _LEAST_BAR:
        return
    top = max(max(bar.start, bar.end) for bar in waterfall.bars)
    for bar in waterfall.bars:
        offset, length = _placed(bar, waterfall.origin, top, room)
        field = (" " * offset + _FILL.get(bar.tone, "│") * length).ljust(room)
        yield f" {bar.label:<{labels}} {field} {bar.text:>{texts}}", bar.tone
    yield f" The axis begins at {waterfall.origin:,}.", ""


def _placed(bar: Bar, origin: int, top: int, room: int) -> tuple[int, int]:
    """Offset and length of a bar in characters."""
    low, high = sorted((bar.start, bar.end))
    scale = max(top - origin, 1)
    offset = (low - origin) * room // scale
    length = max((high - low) * room // scale, 1)
    return min(offset, room - length), length
