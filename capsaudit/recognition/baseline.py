"""Recognising a plain convolutional network: a chain of convolutions, then a chain of fully connected layers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from capsaudit.catalogue import Variant
from capsaudit.families import sides
from capsaudit.families.baseline import Baseline, BaselineLayer, FullyConnected
from capsaudit.inventory import Inventory
from capsaudit.recognition.bar import MOST_CHANGED_KNOBS
from capsaudit.recognition.base import Match, NoMatch, RecognisedNetwork, best
from capsaudit.recognition.roles import Group, as_padding, chain, groups_of, is_convolution, is_linear
from capsaudit.spec import Image, Padding

_LARGEST_IMAGE = 512


def closest(inventory: Inventory, relatives: Sequence[tuple[Variant, Baseline]]) -> Match | NoMatch:
    """The closest of these variants. Where there is a choice, few knobs may differ."""
    match = best(Match(variant, each) for variant, spec in relatives for each in _networks(inventory, spec))
    if match is None:
        return NoMatch("its convolutions, and then its fully connected layers, do not form one chain of as many layers")
    if len(relatives) > 1 and match.changes > MOST_CHANGED_KNOBS:
        return NoMatch(f"{match.changes} knobs differ from the closest variant, more than {MOST_CHANGED_KNOBS}")
    return match


def _networks(inventory: Inventory, like: Baseline) -> Iterator[RecognisedNetwork]:
    """The model as a network like `like`, with as many convolutions and none left over; pooling, which has no parameters, is as there.

    One for each padding that its convolutions or `like` have, where an image exists that the first fully connected layer fits.
    """
    groups = groups_of(inventory)
    convolutions = [group for group in groups if is_convolution(group)]
    connected = [group for group in groups if is_linear(group)]
    if len(convolutions) != len(like.layers) or not connected or not (_chained(convolutions) and _chained(connected)):
        return
    for padding in dict.fromkeys((_padding(convolutions, inventory), like.padding)):
        spec = _spec(convolutions, connected, inventory, like, padding)
        if spec is not None:
            named = {f"conv{n}": group.tensors for n, group in enumerate(convolutions, start=1)}
            named |= {f"fc{n}": group.tensors for n, group in enumerate(connected, start=1)}
            taken = {tensor.name for tensors in named.values() for tensor in tensors}
            unassigned = tuple(t for group in groups for t in group.tensors if t.name not in taken)
            yield RecognisedNetwork(spec, named, unassigned, ("layers.*.pool", "fully_connected.dropout"))


def _chained(groups: Sequence[Group]) -> bool:
    return list(chain(groups)) == list(groups)


def _padding(convolutions: Sequence[Group], inventory: Inventory) -> Padding:
    """The padding of all convolutions: half a kernel is what SAME comes to at stride 1."""
    known = [inventory.geometry.get(group.tensors[0].layer, (1, 0))[1] for group in convolutions]
    if all(padding == group.weight[2] // 2 for padding, group in zip(known, convolutions, strict=True)):
        return "same"
    return "valid" if len(set(known)) > 1 else as_padding(known[0])


def _spec(
    convolutions: Sequence[Group], connected: Sequence[Group], inventory: Inventory, like: Baseline, padding: Padding
) -> Baseline | None:
    layers = tuple(
        BaselineLayer(
            channels=group.weight[0],
            kernel=group.weight[2],
            stride=inventory.geometry.get(group.tensors[0].layer, (as_there.stride, 0))[0],
            pool=as_there.pool,
        )
        for group, as_there in zip(convolutions, like.layers, strict=True)
    )
    widths = [group.weight[0] for group in connected]
    head = FullyConnected(hidden=tuple(widths[:-1]), classes=widths[-1], dropout=like.fully_connected.dropout)
    channels, wanted = convolutions[0].weight[1], connected[0].weight[1]
    fitting = [
        spec
        for side in sorted(range(1, _LARGEST_IMAGE), key=lambda side: abs(side - like.image.height))
        if _flat(
            spec := Baseline(
                image=Image(channels=channels, height=side, width=side),
                padding=padding,
                layers=layers,
                fully_connected=head,
            )
        )
        == wanted
    ]
    return fitting[0] if fitting else None


def _flat(spec: Baseline) -> int:
    """How many values the last convolution gives; 0 where the network is impossible."""
    places = list(sides(spec))
    possible = all(side >= 1 for pair in places for side in pair)
    return math.prod(places[-1]) * spec.layers[-1].channels if possible else 0
