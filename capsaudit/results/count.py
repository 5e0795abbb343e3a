"""What `count` returns."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.arithmetic import Parameter, Shape
from capsaudit.results.base import DISAGREES, Result


class Layer(Struct, frozen=True, kw_only=True):
    """A layer as counted. Shapes are channels first and without the batch; `witnesses` gives each one's trainable count.

    `disagreements`: where witnesses differ. `because`: why the count is not the stated one. `notes`: what a witness cannot tell.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    parameters: tuple[Parameter, ...]
    formula: str
    frozen_formula: str | None
    trainable: int
    frozen: int
    stated: str | None
    prints_as: str | None
    verdict: str
    witnesses: dict[str, int | None]
    disagreements: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Count(Result, frozen=True, kw_only=True):
    """A variant, layer by layer. `prints_as` is the total at the stated precision; the rest is as in `Layer`."""

    variant: str
    summary: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    trainable: int
    frozen: int
    stated: str | None
    stated_source: str | None
    prints_as: str | None
    verdict: str
    witnesses: dict[str, int | None]
    disagreements: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Nothing disagrees, neither a stated figure nor a witness, in no layer and not in the total."""
        return all(verdict != DISAGREES for verdict in (self.verdict, *(layer.verdict for layer in self.layers)))


class StatedFigure(Struct, frozen=True, kw_only=True):
    """A figure that some variant's source states, and the compared variants whose totals print as it."""

    stated: str
    about: str
    source: str
    printed_by: tuple[str, ...]


class Comparison(Result, frozen=True, kw_only=True):
    """Several variants side by side. `layers` names every layer that any of them has."""

    layers: tuple[str, ...]
    variants: tuple[Count, ...]
    figures: tuple[StatedFigure, ...]

    @property
    def agrees(self) -> bool:
        """No variant disagrees."""
        return all(counted.agrees for counted in self.variants)


class Listed(Struct, frozen=True, kw_only=True):
    """A variant in the list: what it is, what it changes in its parent, its total and the figure stated for it."""

    id: str
    summary: str
    extends: str | None
    changes: tuple[str, ...]
    trainable: int
    frozen: int
    stated: str | None
    stated_source: str | None
    verdict: str


class Listing(Result, frozen=True, kw_only=True):
    """The variants that there are."""

    variants: tuple[Listed, ...]
