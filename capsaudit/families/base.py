"""What every family of networks defines about itself: one value of `Family` in one file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from capsaudit.arithmetic import LayerArithmetic, Shape
from capsaudit.spec import Spec, Value

S = TypeVar("S", bound=Spec)

Values = Mapping[str, Sequence[Value]]
"""The values that knobs may have, by knob."""

POSSIBLE = "possible"
"""The entry of `scopes` for whether a network can exist."""


class Family(Struct, Generic[S], frozen=True, kw_only=True):
    """A family of networks.

    `name`: what variant files call it. `spec`: its knobs. `layers`: its layers in closed form, from the image on. `impossible`: why no such
    network can exist, in terms of its knobs, or None; only the first fault, since no shape behind it is known. `sides`: height and
    width behind each convolution and its pooling. `classes`: how many classes it has.
    """

    name: str
    spec: type[S]
    layers: Callable[[S], Iterable[LayerArithmetic]]
    impossible: Callable[[S], str | None]
    sides: Callable[[S], Iterator[tuple[int, int]]]
    classes: Callable[[S], int]
    scopes: Callable[[S, Values], dict[str, frozenset[str]]]
    """The knobs that each part of a count depends on, given the values that knobs may have beside those of the spec.

    A part is a tensor (`conv1.weight`), a layer (`conv1`) or all layers of a kind (`fc`); the name of a table includes all knobs in it.
    """
    stated_shapes: Callable[[S, LayerArithmetic], Sequence[Shape]]
    """Other ways to state the shapes of a layer: 1152 capsules of 8 values are also a grid of 6×6×32×8."""
    shares: Callable[[S, LayerArithmetic], Mapping[str, int]]
    """The equal shares that sources count of a layer, such as one class of ten: by name, how many there are."""
    knob_order: tuple[str, ...]
    """Groups of knobs in the order in which `explain` changes them."""
    layer_order: tuple[str, ...]
    """Kinds of layers, the number of a name left out, in the order in which tables list them."""
    uncounted_knobs: frozenset[str]
    """Knobs that no count and no shape depends on."""
