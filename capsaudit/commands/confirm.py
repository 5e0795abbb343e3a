"""The torch witness of an interpretation: the network is built on device meta and counted by the interpretation's conventions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from capsaudit.arithmetic import Parameter
from capsaudit.conventions import CONVENTIONS, is_counted
from capsaudit.families import layers
from capsaudit.interpretations.axes import applied
from capsaudit.knobs import KnobChange
from capsaudit.models.tracing import traced_shapes
from capsaudit.spec import Spec
from capsaudit.witnesses.torch import count


def confirm(start: Spec, changes: Sequence[KnobChange], total: int) -> bool:
    """Whether the built module comes to the same total.

    The tensors and their sizes are the module's own; which of them a convention counts is the one rule that both counts share, since it
    defines the convention. Values that are counted though they are no parameters are one for each pair of input and output capsule,
    with the shapes of a real forward pass.
    """
    spec, counting = applied(start, changes)
    rows = {row.name: row for row in layers(spec)}
    found = sum(
        tensor.count
        for layer, counted in count(spec).layers.items()
        for name, tensor in counted.tensors.items()
        if is_counted(rows[layer], Parameter(name, (), tensor.count, bool(tensor.trainable)), counting)
    )
    added = [layer for layer, row in rows.items() for knob in counting if CONVENTIONS[knob].adds(row)]
    shapes = traced_shapes(spec) if added else {}
    return found + sum(prod(capsules for capsules, _ in shapes[layer]) for layer in added) == total
