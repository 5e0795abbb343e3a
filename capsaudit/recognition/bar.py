"""The bar: what a model must have to be called a network of any family. Below it nothing is recognised.

Most models are none of the shipped networks, so that is assumed until the tensors say otherwise: two square convolutions and a parameter
that belongs to no layer are in many models.
"""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.inventory import Inventory
from capsaudit.recognition.base import Match
from capsaudit.recognition.roles import Group, groups_of, is_bare, sizes

LEAST_SHARE = 1 / 3
"""The network must account for at least this share of a model's parameters: a decoder of another kind may have more values than all that
comes before it, but where two thirds are something else, the model is something else.

A value counts against the network if its tensor has no layer in the network, or if the network has more or fewer values in that layer.
"""

MOST_OTHER_LAYERS = 8
"""A model may have at most this many layers that the network does not have. A batch normalisation behind every layer, or a decoder of
transposed convolutions, are fewer; networks that only begin like one of these have dozens.
"""

MOST_CHANGED_KNOBS = 3
"""A plain convolutional network may differ from a variant in at most this many knobs, unless it is compared with that variant alone: any
two networks of as many convolutions are variants of each other, and no layer marks the paper's.
"""


_LARGEST_KERNEL = 11
"""In a file, a tensor alone of four axes, of which the last two are equal and no larger, may be a convolution without a bias."""


def below(match: Match, inventory: Inventory) -> str | None:
    """Why the model is not called a network of this family; None where it is."""
    return next(_failed(match, inventory), None)


def share(match: Match, inventory: Inventory) -> float:
    """The share of the model's parameters that the network accounts for: from 0, or 1 where every layer has exactly its values."""
    parameters = sum(tensor.count for tensor in inventory.tensors if not tensor.buffer)
    return max(0.0, 1 - match.misfit / parameters) if parameters else 0.0


def _failed(match: Match, inventory: Inventory) -> Iterator[str]:
    accounted, others = share(match, inventory), {tensor.layer for tensor in match.network.unassigned}
    if accounted < LEAST_SHARE:
        yield f"such a network accounts for only {100 * accounted:.0f} % of its values, fewer than {100 * LEAST_SHARE:.0f} %"
    if len(others) > MOST_OTHER_LAYERS:
        yield f"{len(others)} of its layers have no part in such a network, more than {MOST_OTHER_LAYERS}"
    for name in _second_transformations(match, inventory):
        yield f"{name} has no part in such a network, which has no parameter of three or more axes but W and its convolutions"


def _second_transformations(match: Match, inventory: Inventory) -> Iterator[str]:
    """Parameters like another W: capsule networks of other kinds have several, or one more that routes."""
    unassigned = {tensor.name for tensor in match.network.unassigned}
    for group in groups_of(inventory):
        if is_bare(group) and not _may_be_kernel(group):
            yield from (t.name for t in group.tensors if t.name in unassigned and len(sizes(t.shape)) >= 3)


def _may_be_kernel(group: Group) -> bool:
    shape, alone = group.weight, len(group.tensors) == 1 and not group.tensors[0].kind
    return alone and len(shape) == 4 and shape[2] == shape[3] <= _LARGEST_KERNEL
