"""A figure as a source prints it, and the whole numbers that it can stand for.

>>> figure = parse_figure("11.36M")
>>> (figure.low, figure.high)
(11355000, 11364999)
>>> figure.prints(11_361_808), figure.agrees_with(11_361_808)
('11.36M', True)

13,426,995 rounds to 13.43M; 13.42M is what is left when its tail is cut off, and the verdict keeps the two apart:

>>> parse_figure("13.42M").agrees_with(13_426_995), parse_figure("13.42M").agrees_when_cut(13_426_995)
(False, True)
"""

from __future__ import annotations

import re

from msgspec import Struct

from capsaudit.errors import FigureError

EXPECTED = 'expected a figure such as "8,238,608", "11.36M", "35 400K" or "1.2e7"'

_SUFFIXES = {"": 0, "k": 3, "thousand": 3, "m": 6, "million": 6, "g": 9, "b": 9, "billion": 9, "t": 12, "trillion": 12}
_SEPARATOR = "[,_'’ \u00a0\u2009\u202f]"
_FIGURE = re.compile(
    rf"(?P<mark>[~≈])?\s*(?P<whole>[0-9]{{1,3}}(?:{_SEPARATOR}[0-9]{{3}})+|[0-9]{{1,40}})(?:\.(?P<decimals>[0-9]{{1,40}}))?"
    rf"(?:[eE]\+?(?P<power>[0-9]{{1,2}})|\s?(?P<suffix>[A-Za-z]+))?"
)


class Figure(Struct, frozen=True):
    """A printed figure: its text, and the count in units of its last digit."""

    text: str
    digits: int
    """The figure in units of its last printed digit: 1136 for 11.36M."""
    unit: int
    """What that last digit is worth: 10,000 for 11.36M."""
    decimals: int
    tail: str
    """What stands behind the digits: `M`, `e7` or nothing."""

    @property
    def low(self) -> int:
        """The smallest count that prints as this figure."""
        return max(0, self.digits * self.unit - self.unit // 2)

    @property
    def high(self) -> int:
        """The largest count that prints as this figure."""
        return self.digits * self.unit + (self.unit - 1) // 2

    def agrees_with(self, count: int) -> bool:
        """Whether `count` prints as this figure at the figure's own precision, rounding half up."""
        return self.low <= count <= self.high

    def agrees_when_cut(self, count: int) -> bool:
        """Whether `count` prints as this figure only when its last digits are cut off instead of rounded."""
        return not self.agrees_with(count) and count // self.unit == self.digits

    def prints(self, count: int) -> str:
        """`count` as it prints at this figure's precision, rounding half up.

        >>> parse_figure("8.2M").prints(8_141_840), parse_figure("8238608").prints(8_215_568)
        ('8.1M', '8,215,568')
        """
        rounded = (2 * count + self.unit) // (2 * self.unit)
        whole, fraction = divmod(rounded, 10**self.decimals)
        return f"{whole:,}" + (f".{fraction:0{self.decimals}}" if self.decimals else "") + self.tail


def parse_figure(text: str) -> Figure:
    """Read a printed figure.

    Raises:
        FigureError: it is no figure, or no whole number of parameters prints so (`11.36` without its M).
    """
    match = _FIGURE.fullmatch(text.strip())
    suffix = (match["suffix"] or "").lower() if match else ""
    if match is None or suffix not in _SUFFIXES:
        raise FigureError(f"{text!r} is no figure; {EXPECTED}")
    decimals = match["decimals"] or ""
    power = int(match["power"] or _SUFFIXES[suffix])
    if len(decimals) > power:
        raise FigureError(f"{text!r} is not a whole number of parameters; is its M or K missing?")
    tail = f"e{match['power']}" if match["power"] else match["suffix"] or ""
    return Figure(
        text=text.strip(),
        digits=int(re.sub(_SEPARATOR, "", match["whole"]) + decimals),
        unit=10 ** (power - len(decimals)),
        decimals=len(decimals),
        tail=tail if len(tail) < 2 or match["power"] else f" {tail}",
    )
