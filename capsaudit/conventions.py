"""Counting conventions: what a count takes in and what it leaves out. They change no network, only the number that is printed.

The usual one counts what is trained, each value once; a tool or an author may count otherwise, and then a published figure is true
of the count and not of the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from capsaudit.arithmetic import LayerArithmetic
from capsaudit.spec import CapsNet, Spec

PREFIX = "counting."
ROUNDING = "counting.rounding"


class Convention(Struct, frozen=True):
    """One way to count otherwise: its knob, the usual setting and the other one.

    `about`: the knob that decides whether it makes a difference at all, as `applies` says of a spec: nothing frozen can be counted
    in where nothing is frozen.
    """

    knob: str
    usual: str
    other: str
    about: str | None
    applies: Callable[[Spec], bool]


CONVENTIONS = {
    convention.knob: convention
    for convention in (
        Convention("counting.bare_parameters", "counted", "missed", None, lambda spec: isinstance(spec, CapsNet)),
        Convention("counting.biases", "counted", "left out", None, lambda _: True),
        Convention(
            "counting.decoder",
            "counted",
            "left out",
            "decoder",
            lambda spec: isinstance(spec, CapsNet) and spec.decoder is not None,
        ),
        Convention(
            "counting.frozen", "left out", "counted", "digit_caps.logits", lambda spec: _logits(spec) == "frozen"
        ),
        Convention(
            "counting.buffers", "left out", "counted", "digit_caps.logits", lambda spec: _logits(spec) == "zero"
        ),
        Convention(
            "counting.coupling",
            "left out",
            "counted",
            "digit_caps.coupling",
            lambda spec: isinstance(spec, CapsNet) and spec.digit_caps.coupling == "computed",
        ),
        Convention(ROUNDING, "half up", "cut", None, lambda _: True),
    )
}
"""Bare parameters are those of DigitCaps, which no layer of torch's own holds. The buffers are the logits b, where they start from a
constant zero; the coupling coefficients c are what routing computes. Both are [capsules, classes]."""

Counting = Mapping[str, str]
"""Conventions other than the usual ones, by knob."""


def is_counted(layer: str, tensor: str, *, trainable: bool, counting: Counting) -> bool:
    """Whether a tensor of parameters belongs to the count.

    >>> is_counted("digit_caps", "weight", trainable=True, counting={})
    True
    >>> is_counted("digit_caps", "weight", trainable=True, counting={"counting.bare_parameters": "missed"})
    False
    """
    if not trainable and "counting.frozen" not in counting:
        return False
    if layer == "digit_caps" and "counting.bare_parameters" in counting:
        return False
    if layer.startswith("fc") and "counting.decoder" in counting:
        return False
    return not (tensor == "bias" and "counting.biases" in counting)


def counted_in(*, capsules: int, classes: int, counting: Counting) -> Iterator[tuple[str, int]]:
    """What is counted though it is no parameter: b as a buffer, c as computed; each one value for each pair of capsule and class."""
    for name in ("buffers", "coupling"):
        if PREFIX + name in counting:
            yield name, capsules * classes


def counted(rows: tuple[LayerArithmetic, ...], counting: Counting) -> Iterator[tuple[str, str, int]]:
    """Layer, tensor and count of all that belongs to the count."""
    for row in rows:
        for tensor in row.parameters:
            if is_counted(row.name, tensor.name, trainable=tensor.trainable, counting=counting):
                yield row.name, tensor.name, tensor.count
        if row.name == "digit_caps":
            extras = counted_in(capsules=row.input_shape[0], classes=row.output_shape[0], counting=counting)
            yield from ((row.name, name, count) for name, count in extras)


def _logits(spec: Spec) -> str | None:
    return spec.digit_caps.logits if isinstance(spec, CapsNet) else None
