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
from capsaudit.witnesses import LayerCount
from capsaudit.witnesses.torch import count


def confirm(start: Spec, changes: Sequence[KnobChange], total: int) -> bool:
    """Whether the built module comes to the same total.

    The tensors and their sizes are the module's own; which of them a convention counts is the one rule that both counts share, since it
    defines the convention.
    """
    spec, counting = applied(start, changes)
    rows, counted = {row.name: row for row in layers(spec)}, count(spec).layers
    found = sum(
        tensor.count
        for layer in counted
        for name, tensor in counted[layer].tensors.items()
        if is_counted(rows[layer], Parameter(name, (), tensor.count, bool(tensor.trainable)), counting)
    )
    added = [
        (row.name, each.name) for row in rows.values() for knob in counting for each in CONVENTIONS[knob].adds(row)
    ]
    return found + sum(_added(spec, layer, name, counted[layer]) for layer, name in added) == total


def _added(spec: Spec, layer: str, name: str, counted: LayerCount) -> int:
    """Values of a buffer, or of what routing computes: one for each pair of capsules of a real forward pass."""
    if counted.buffers and name in counted.buffers:
        return counted.buffers[name]
    return prod(capsules for capsules, _ in traced_shapes(spec)[layer])
