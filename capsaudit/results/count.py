"""What `count`, `compare` and `variants` return."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.arithmetic import Parameter, Shape
from capsaudit.published import Verdict
from capsaudit.results.base import Reason, Result


class Layer(Struct, frozen=True, kw_only=True):
    """A layer as counted. Shapes are channels first and without the batch; `witnesses` gives the trainable count of each.

    `derivations`: how its sizes come about, and the share of one class, as equations. `rounds_to`: the count at the precision of the stated
    figure. `reasons`: why the count does not agree. `disagreements`: where witnesses differ. `notes`: what a witness cannot see.
    """

    name: str
    input_shape: Shape
    output_shape: Shape
    parameters: tuple[Parameter, ...]
    derivations: tuple[str, ...]
    formula: str
    frozen_formula: str | None
    trainable: int
    frozen: int
    buffers: int
    stated: str | None
    rounds_to: str | None
    verdict: Verdict
    witnesses: dict[str, int | None]
    disagreements: tuple[Reason, ...] = ()
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()


class Count(Result, frozen=True, kw_only=True):
    """A variant, layer by layer. `rounds_to` is the total at the precision of the stated figure; the rest is as in `Layer`."""

    variant: str
    summary: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    trainable: int
    frozen: int
    buffers: int
    stated: str | None
    stated_source: str | None
    rounds_to: str | None
    verdict: Verdict
    witnesses: dict[str, int | None]
    disagreements: tuple[Reason, ...] = ()
    reasons: tuple[Reason, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """No stated figure and no witness disagrees, in any layer or in the total."""
        return all(
            verdict in ("agrees", "unstated") for verdict in (self.verdict, *(row.verdict for row in self.layers))
        )

    @property
    def all_disagreements(self) -> tuple[Reason, ...]:
        """Where witnesses differ, in the total and in any layer."""
        return (*self.disagreements, *(found for layer in self.layers for found in layer.disagreements))


class StatedFigure(Struct, frozen=True, kw_only=True):
    """A figure that some variant's source states, and the compared variants that agree with it, with their totals."""

    stated: str
    about: str
    source: str
    interval: tuple[int, int]
    agreeing: tuple[str, ...]


class Comparison(Result, frozen=True, kw_only=True):
    """Several variants side by side. `layers` names every layer that any of them has."""

    layers: tuple[str, ...]
    variants: tuple[Count, ...]
    figures: tuple[StatedFigure, ...]

    @property
    def agrees(self) -> bool:
        """No variant disagrees."""
        return all(counted.agrees for counted in self.variants)


class VariantSummary(Struct, frozen=True, kw_only=True):
    """A variant in the list: what it is, what it changes in its parent, its total and the figure stated for it."""

    id: str
    summary: str
    extends: str | None
    changes: tuple[str, ...]
    trainable: int
    frozen: int
    stated: str | None
    stated_source: str | None
    verdict: Verdict


class VariantList(Result, frozen=True, kw_only=True):
    """The shipped variants."""

    variants: tuple[VariantSummary, ...]
