"""Counting conventions: what a count includes. They change no network, only the number that is stated.

The usual convention counts what is trained, each value once; a tool or an author may count otherwise, and then a published figure is true
of the count and not of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from msgspec import Struct

from capsaudit.arithmetic import LayerArithmetic, Parameter

PREFIX = "counting."
ROUNDING = "counting.rounding"
THOUSANDS = "counting.thousands"
READINGS = (ROUNDING, THOUSANDS)
"""Conventions by which a figure is printed. They change no count."""

_FROZEN = "counting.frozen"
_BIASES = "counting.biases"

Counting = Mapping[str, str]
"""Conventions other than the usual ones, by knob."""


class Convention(Struct, frozen=True, kw_only=True):
    """One way to count otherwise: its knob, the usual setting and the other one.

    `about`: the knob that decides whether it makes a difference: frozen values are only there where `digit_caps.logits` is frozen.
    `leaves_out`: tensors that it does not count. `adds`: tensors that are no parameters and that it counts.
    """

    knob: str
    usual: str
    other: str
    about: str | None = None
    leaves_out: Callable[[LayerArithmetic, Parameter], bool] = lambda _layer, _tensor: False
    adds: Callable[[LayerArithmetic], Sequence[Parameter]] = lambda _layer: ()

    def applies(self, rows: Sequence[LayerArithmetic]) -> bool:
        """Whether it makes a difference for these layers. A reading always may, and so may biases: which there are is up to several knobs."""
        if self.knob in (*READINGS, _BIASES):
            return True
        if self.knob == _FROZEN:
            return any(not tensor.trainable for row in rows for tensor in row.parameters)
        leaves_out = any(self.leaves_out(row, tensor) for row in rows for tensor in row.parameters)
        return leaves_out or any(map(self.adds, rows))


def _computed(name: str) -> Callable[[LayerArithmetic], Sequence[Parameter]]:
    return lambda layer: [tensor for tensor in layer.computed if tensor.name == name]


CONVENTIONS = {
    convention.knob: convention
    for convention in (
        Convention(
            knob="counting.bare_parameters",
            usual="counted",
            other="missed",
            leaves_out=lambda layer, _tensor: layer.bare,
        ),
        Convention(
            knob=_BIASES,
            usual="counted",
            other="left out",
            leaves_out=lambda _layer, tensor: tensor.name == "bias",
        ),
        Convention(
            knob="counting.decoder",
            usual="counted",
            other="left out",
            about="decoder",
            leaves_out=lambda layer, _tensor: layer.decoder,
        ),
        Convention(knob=_FROZEN, usual="left out", other="counted", about="digit_caps.logits"),
        Convention(
            knob="counting.buffers",
            usual="left out",
            other="counted",
            about="digit_caps.logits",
            adds=_computed("logits"),
        ),
        Convention(
            knob="counting.coupling",
            usual="left out",
            other="counted",
            about="digit_caps.coupling",
            adds=_computed("coupling"),
        ),
        Convention(
            knob="counting.running_statistics",
            usual="left out",
            other="counted",
            about="layers",
            adds=lambda layer: [buffer for buffer in layer.buffers if buffer.name.startswith("running_")],
        ),
        Convention(knob=ROUNDING, usual="half up", other="cut"),
        Convention(knob=THOUSANDS, usual="1000", other="1024"),
    )
}
"""Buffers are the logits b where they start from a constant zero; the coupling coefficients c are what routing computes; running statistics
are those of batch normalisation."""


def is_counted(layer: LayerArithmetic, tensor: Parameter, counting: Counting) -> bool:
    """Whether a tensor of parameters belongs to the count."""
    if not tensor.trainable and _FROZEN not in counting:
        return False
    return not any(CONVENTIONS[knob].leaves_out(layer, tensor) for knob in counting)


def counted(rows: Sequence[LayerArithmetic], counting: Counting) -> Iterator[tuple[str, Parameter]]:
    """Everything that belongs to the count, each tensor with the name of its layer."""
    for row in rows:
        yield from ((row.name, tensor) for tensor in row.parameters if is_counted(row, tensor, counting))
        yield from ((row.name, tensor) for knob in counting for tensor in CONVENTIONS[knob].adds(row))
