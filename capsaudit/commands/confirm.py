"""The torch witness of an interpretation: the network is built on device meta and counted by the interpretation's conventions."""

from __future__ import annotations

from collections.abc import Sequence

from capsaudit.conventions import counted_in, is_counted
from capsaudit.interpretations.axes import applied
from capsaudit.models.tracing import traced_shapes
from capsaudit.results import Turned
from capsaudit.spec import CapsNet, Spec
from capsaudit.witnesses.torch import testify


def confirm(start: Spec, turns: Sequence[Turned], total: int) -> bool:
    """Whether the built module comes to the same total.

    The tensors and their sizes are the module's own; which of them a convention counts is the one rule that both roads share, for it is
    what the convention means. What is counted in though it is no parameter has the shape of a real forward pass: capsules in, classes out.
    """
    spec, counting = applied(start, turns)
    tensors = [
        (layer, name, seen) for layer, row in testify(spec).layers.items() for name, seen in row.parameters.items()
    ]
    found = sum(
        seen.count
        for layer, name, seen in tensors
        if is_counted(layer, name, trainable=bool(seen.trainable), counting=counting)
    )
    if isinstance(spec, CapsNet) and {"counting.buffers", "counting.coupling"} & counting.keys():
        (capsules, _), (classes, _) = traced_shapes(spec)["digit_caps"]
        found += sum(count for _, count in counted_in(capsules=capsules, classes=classes, counting=counting))
    return found == total
