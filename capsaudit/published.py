"""Published figures: a number of parameters as a source prints it, the counts that it can stand for, and the verdict on a count.

>>> figure = parse_figure("11.36M")
>>> (figure.low, figure.high)
(11355000, 11364999)
>>> judge(figure, 11_361_808), judge(figure, 8_215_568), judge(None, 8_215_568)
('agrees', 'disagrees', 'unstated')

161,824 rounds to 162K. Where the source says that it cuts its figures, 161K agrees with it; otherwise it agrees approximately:

>>> judge(parse_figure("161K"), 161_824), judge(parse_figure("161K", rounding="cut"), 161_824)
('approximate', 'agrees')
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec
from msgspec import Struct

from capsaudit.errors import FigureError

EXPECTED = 'expected a figure such as "8,238,608", "11.36M", "35 400K" or "1.2e7"'

Verdict = Literal["agrees", "approximate", "disagrees", "unstated"]
Rounding = Literal["half up", "cut"]
Approximation = Literal["cut", "trailing zeros"]

_SUFFIXES = {"": 0, "k": 3, "thousand": 3, "m": 6, "million": 6, "g": 9, "b": 9, "billion": 9, "t": 12, "trillion": 12}
_SEPARATOR = "[,_'’ \u00a0\u2009\u202f]"
_FIGURE = re.compile(
    rf"(?P<mark>[~≈])?\s*(?P<whole>[0-9]{{1,3}}(?:{_SEPARATOR}[0-9]{{3}})+|[0-9]{{1,40}})(?:\.(?P<decimals>[0-9]{{1,40}}))?"
    rf"(?:[eE]\+?(?P<power>[0-9]{{1,2}})|\s?(?P<suffix>[A-Za-z]+))?"
)


class Figure(Struct, frozen=True, kw_only=True):
    """A published figure.

    `units`: the figure in units of its last digit, 1136 for 11.36M; `unit`: what that digit is worth, 10,000. `suffix`: what follows the
    digits, such as `M` or `e7`. `step`: what its last significant digit is worth, `unit` unless trailing zeros are declared padding.
    """

    text: str
    units: int
    unit: int
    decimals: int
    suffix: str
    rounding: Rounding
    step: int

    @property
    def value(self) -> int:
        """The count that the figure prints exactly."""
        return self.units * self.unit

    @property
    def low(self) -> int:
        """The smallest count that agrees with the figure."""
        return self.value if self.rounding == "cut" else max(0, self.value - self.step // 2)

    @property
    def high(self) -> int:
        """The largest count that agrees with the figure."""
        return self.value + (self.step - 1 if self.rounding == "cut" else (self.step - 1) // 2)

    def round(self, count: int) -> str:
        """`count` as it is printed at this figure's precision.

        >>> parse_figure("8.2M").round(8_141_840), parse_figure("8238608").round(8_215_568)
        ('8.1M', '8,215,568')
        """
        steps = count // self.step if self.rounding == "cut" else (2 * count + self.step) // (2 * self.step)
        whole, fraction = divmod(steps * self.step // self.unit, 10**self.decimals)
        return f"{whole:,}" + (f".{fraction:0{self.decimals}}" if self.decimals else "") + self.suffix


def judge(figure: Figure | None, count: int) -> Verdict:
    """Whether a count agrees with a figure: whether it rounds to it, half up, at the figure's own precision.

    `approximate`: only if the figure is read otherwise, as `approximation` says.
    """
    if figure is None:
        return "unstated"
    if figure.low <= count <= figure.high:
        return "agrees"
    return "approximate" if approximation(figure, count) else "disagrees"


def approximation(figure: Figure, count: int) -> Approximation | None:
    """How a figure has to be read for a count that does not round to it: cut, or with trailing zeros that are not significant.

    >>> approximation(parse_figure("161K"), 161_824), approximation(parse_figure("6800K"), 6_804_224)
    ('cut', 'trailing zeros')
    """
    if figure.value <= count < figure.value + figure.step:
        return "cut"
    step = figure.step * 10
    while figure.value >= 10 * step and figure.value % step == 0:  # at least two digits stay significant
        if figure.value - step // 2 <= count < figure.value + step // 2:
            return "trailing zeros"
        step *= 10
    return None


def parse_figure(text: str, *, rounding: Rounding = "half up", digits: int | None = None) -> Figure:
    """Read a published figure. `digits`: how many of its digits are significant, all of them by default.

    Raises:
        FigureError: it is not a figure, no whole number of parameters is printed like that (`11.36` without its M), or the digits that
            are said not to be significant are not zeros.
    """
    match = _FIGURE.fullmatch(text.strip())
    suffix = (match["suffix"] or "").lower() if match else ""
    if match is None or suffix not in _SUFFIXES:
        raise FigureError(f"{text!r} is not a figure; {EXPECTED}")
    decimals = match["decimals"] or ""
    power = int(match["power"] or _SUFFIXES[suffix])
    if len(decimals) > power:
        raise FigureError(f"{text!r} is not a whole number of parameters; is a unit missing, as in 11.36M?")
    tail = f"e{match['power']}" if match["power"] else match["suffix"] or ""
    unit = 10 ** (power - len(decimals))
    figure = Figure(
        text=text.strip(),
        units=int(re.sub(_SEPARATOR, "", match["whole"]) + decimals),
        unit=unit,
        decimals=len(decimals),
        suffix=tail if len(tail) < 2 or match["power"] else f" {tail}",
        rounding=rounding,
        step=unit,
    )
    return figure if digits is None else _with_digits(figure, digits)


def _with_digits(figure: Figure, digits: int) -> Figure:
    step = figure.unit * 10 ** max(0, len(str(figure.units)) - digits)
    if figure.value % step:
        raise FigureError(f"{figure.text!r} has more than {digits} significant digits")
    return msgspec.structs.replace(figure, step=step)
