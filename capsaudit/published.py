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
from collections.abc import Iterator
from typing import Literal

import msgspec
from msgspec import Struct

from capsaudit.errors import FigureError

EXPECTED = 'expected a figure such as "8,238,608", "11.36M", "35 400K" or "1.2e7"'

Verdict = Literal["agrees", "approximate", "disagrees", "unstated"]
Rounding = Literal["half up", "cut"]
Approximation = Literal["cut", "trailing zeros"]

Interval = tuple[int, int]
"""The smallest and the largest count, both included."""

_SUFFIXES = {
    "": 0,
    "k": 3,
    "thousand": 3,
    "m": 6,
    "mn": 6,
    "million": 6,
    "g": 9,
    "b": 9,
    "bn": 9,
    "billion": 9,
    "t": 12,
    "trillion": 12,
}
_SEPARATOR = "[,_'’ \u00a0\u2009\u202f]"
_FIGURE = re.compile(
    rf"(?P<mark>[~≈])?\s*(?P<whole>[0-9]{{1,3}}(?:{_SEPARATOR}[0-9]{{3}})+|[0-9]{{1,40}})(?:\.(?P<decimals>[0-9]{{1,40}}))?"
    rf"(?:[eE]\+?(?P<power>[0-9]{{1,2}})|\s?(?P<suffix>[A-Za-z]+))?"
)

_NOUN = re.compile(r"\s*\b(?:params?|parameters|weights)\.?$", re.IGNORECASE)
"""What people count. It may stand behind a figure."""

_BOUND = re.compile(r"[<>≤≥]=?\s*(?P<over>[0-9].*)|(?P<under>[0-9].*?)\s*\+")
"""Figures that say at most or at least, such as `<1M` and `7B+`."""

_DECIMAL_COMMA = re.compile(r"([0-9]{1,3}),([0-9]{1,2}\s?[A-Za-z]+)")


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

    @property
    def reading(self) -> str:
        """The figure with its significant digits only.

        >>> [figure.reading for figure in with_fewer_digits(parse_figure("6800K"))]
        ['6.80M', '6.8M']
        """
        if self.step == self.unit:
            return self.text
        power = 3 * ((len(str(self.value)) - 1) // 3)
        whole, fraction = divmod(self.value, 10**power)
        shown = f"{fraction:0{power}}"[: max(0, power - len(str(self.step)) + 1)] if power else ""
        return (
            f"{whole:,}"
            + (f".{shown}" if shown else "")
            + {0: "", 3: "K", 6: "M", 9: "B", 12: "T"}.get(power, f"e{power}")
        )

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
    fits = any(reading.low <= count <= reading.high for reading in with_fewer_digits(figure))
    return "trailing zeros" if fits else None


def with_fewer_digits(figure: Figure) -> Iterator[Figure]:
    """The same figure if trailing zeros only fill places, one more of them each time; at least two digits stay significant.

    >>> [(reading.low, reading.high) for reading in with_fewer_digits(parse_figure("6800K"))]
    [(6795000, 6804999), (6750000, 6849999)]
    """
    step = figure.step * 10
    while figure.value >= 10 * step and figure.value % step == 0:
        yield msgspec.structs.replace(figure, step=step)
        step *= 10


def cut_interval(figure: Figure) -> Interval | None:
    """The counts that print as the figure only if they are cut instead of rounded; None where each digit of a count is significant.

    >>> cut_interval(parse_figure("161K"))
    (161500, 161999)
    """
    return (figure.high + 1, figure.value + figure.step - 1) if figure.step > 1 and figure.rounding != "cut" else None


def interval_in_1024(figure: Figure) -> Interval | None:
    """The counts that round to the figure if its thousands are 1024; None where it has no K, M or G.

    >>> interval_in_1024(parse_figure("11.2M"))  # 11.15 and 11.25 times 1,048,576
    (11691623, 11796479)
    """
    power = _SUFFIXES.get(figure.suffix.strip().lower(), 0) // 3
    if not power:
        return None
    scale, parts = 1024**power, 2 * 10**figure.decimals
    return -(-(2 * figure.units - 1) * scale // parts), -(-(2 * figure.units + 1) * scale // parts) - 1


def parse_figure(text: str, *, rounding: Rounding = "half up", digits: int | None = None) -> Figure:
    """Read a published figure. `digits`: how many of its digits are significant, all of them by default.

    Raises:
        FigureError: it is not a figure, no whole number of parameters is printed like that (`11.36` without its M), or the digits that
            are said not to be significant are not zeros.
    """
    printed = _NOUN.sub("", text.strip())
    if bound := _BOUND.fullmatch(printed):
        number = bound["over"] or bound["under"]
        raise FigureError(
            f"{text!r} is a bound, which many counts are within; write the figure itself, such as {number!r}"
        )
    match = _FIGURE.fullmatch(printed)
    if match is None and (comma := _DECIMAL_COMMA.fullmatch(text.strip())):
        raise FigureError(f"{text!r} is not a figure; did you mean {comma[1]}.{comma[2]}?")
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


def parse_positive(text: str) -> Figure:
    """Read a figure that is not zero.

    Raises:
        FigureError: as `parse_figure`, or it is zero or negative.
    """
    if text.strip().startswith(("-", "−")):
        raise FigureError(f"{text!r} is negative; {EXPECTED}")
    figure = parse_figure(text)
    if figure.value == 0:
        raise FigureError(f"{text!r} is zero, and everything without parameters has zero; {EXPECTED}")
    return figure


def _with_digits(figure: Figure, digits: int) -> Figure:
    step = figure.unit * 10 ** max(0, len(str(figure.units)) - digits)
    if figure.value % step:
        raise FigureError(f"{figure.text!r} has more than {digits} significant digits")
    return msgspec.structs.replace(figure, step=step)
