"""How the sizes of a network come about, as equations that a reader can follow by hand.

>>> from capsaudit.catalogue import load_variant
>>> found = derivations(load_variant("paper").spec)
>>> found["conv1"], found["primary_caps"]
(('20 = (28 − 9)/1 + 1',), ('6 = ⌊(20 − 9)/2⌋ + 1', '1152 = 6·6·32'))
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from capsaudit.arithmetic import LayerArithmetic, conv_output
from capsaudit.families import layers
from capsaudit.formula import Number, Product
from capsaudit.spec import Convolution, Spec

_DOWN = ("⌊", "⌋")


def derivations(spec: Spec) -> dict[str, tuple[str, ...]]:
    """The equations of each layer, from its input to its output."""
    rows = layers(spec)
    found = {row.name: list(_of_layer(row)) for row in rows}
    for before, row in pairwise(rows):
        if len(before.output_shape) > 1 and row.input_shape == (math.prod(before.output_shape),):
            found[row.name].append(_equation(row.input_shape[0], before.output_shape))
    if rows[-1].decoder:
        found[rows[-1].name].append(_equation(rows[-1].output_shape[0], rows[0].input_shape))
    return {name: tuple(equations) for name, equations in found.items()}


def _of_layer(row: LayerArithmetic) -> Iterator[str]:
    if row.conv is not None:
        yield from dict.fromkeys(text for size in row.input_shape[1:] for text in _side(size, row.conv, row.pool))
        if len(row.output_shape) == 2:
            height, width = (conv_output(size, row.conv) for size in row.input_shape[1:])
            yield _equation(row.output_shape[0], (height, width, row.conv.channels // row.output_shape[1]))
    elif len(row.output_shape) == 2:
        yield _per_class(row)


def _side(size: int, conv: Convolution, pool: int) -> Iterator[str]:
    """One side of a convolution's output, and what is left of it behind pooling."""
    output = conv_output(size, conv)
    if conv.padding == "same":
        yield f"{output} = {_divided(str(size), size, conv.stride, ('⌈', '⌉'))}"
    else:
        pixels = 0 if conv.padding == "valid" else conv.padding
        padded = f"{size} + 2·{pixels}" if pixels else f"{size}"
        yield f"{output} = {_divided(f'({padded} − {conv.kernel})', size + 2 * pixels - conv.kernel, conv.stride, _DOWN)} + 1"
    if pool > 1:
        yield f"{output // pool} = {_divided(str(output), output, pool, _DOWN)}"


def _divided(text: str, number: int, divisor: int, brackets: tuple[str, str]) -> str:
    """A fraction, in brackets that say how it is rounded where it is not whole."""
    opening, closing = brackets
    fraction = f"{text}/{divisor}"
    return f"{opening}{fraction}{closing}" if number % divisor else fraction


def _per_class(row: LayerArithmetic) -> str:
    """The share of one class in the parameters of a layer of class capsules."""
    classes, formula = row.output_shape[0], row.formula
    factors = list(formula.factors) if isinstance(formula, Product) else [formula]
    factors.remove(Number(classes))
    share = str(factors[0]) if len(factors) == 1 else str(Product(tuple(factors)))
    return f"{_number(formula.value // classes)} = {share} for each of {classes} classes"


def _equation(size: int, factors: tuple[int, ...]) -> str:
    return f"{_number(size)} = {'·'.join(map(str, factors))}"


def _number(size: int) -> str:
    """With separators from five digits on, as sources print them."""
    return f"{size:,}" if size >= 10_000 else str(size)
