"""What the verbs return: frozen values that know nothing of how they are shown. Field names are those of the JSON."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import msgspec
from msgspec import Struct

from capsaudit.arithmetic import Parameter, Shape
from capsaudit.audited import AuditedTensor, Finding

AGREES, DISAGREES, UNSTATED = "agrees", "disagrees", "unstated"
MISATTRIBUTED, UNDECIDED, CONTRADICTED = "misattributed", "undecided", "contradicted"
TELLING, MAY_BE_CHANCE, CHANCE_WOULD_DO = "telling", "may be chance", "chance would do"
MORE_THAN_NEEDED = "more than needed"


@singledispatch
def to_html(result: object) -> str:
    """How a notebook shows a result. The renderer registers itself here, so that results need not know it."""
    raise NotImplementedError(f"no renderer for {type(result).__name__} was imported")


class Result(Struct, frozen=True, kw_only=True):
    """A result of a verb; a notebook shows it as a table."""

    schema: int = 1

    def _repr_html_(self) -> str:
        return to_html(self)


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


class LayerDifference(Struct, frozen=True, kw_only=True):
    """What a step changes in one layer."""

    layer: str
    difference: int


class Step(Struct, frozen=True, kw_only=True):
    """One changed knob: the difference it makes where it stands in the order, and the running total.

    `alone`: the difference it makes when it is the only change to the starting variant; None where it cannot stand alone.
    """

    knob: str
    before: Any = msgspec.field(name="from")
    after: Any = msgspec.field(name="to")
    difference: int
    total: int
    layers: tuple[LayerDifference, ...]
    alone: int | None
    source: str | None


class Ledger(Result, frozen=True, kw_only=True):
    """The way from one variant's total to another's, knob by knob."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    start_total: int = msgspec.field(name="from_total")
    steps: tuple[Step, ...]
    difference: int
    order: str


class Failure(Struct, frozen=True, kw_only=True):
    """A statement that does not hold: what was expected where, and what was found."""

    variant: str
    layer: str | None
    what: str
    expected: Any
    found: Any


class Check(Result, frozen=True, kw_only=True):
    """The gate for CI. `checked` counts the statements that were compared; `variants` names where they stand."""

    agrees: bool
    checked: int
    failures: tuple[Failure, ...]
    variants: tuple[str, ...]


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


class Turned(Struct, frozen=True, kw_only=True):
    """A knob that an interpretation sets otherwise than the starting variant. `same_count`: what always comes to the same count."""

    knob: str
    before: Any = msgspec.field(name="from")
    after: Any = msgspec.field(name="to")
    far_fetched: int
    source: str
    same_count: str | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """An interpretation, what it comes to, and the shipped variant that is just that.

    `confirmed`: the built torch module comes to the same total; None where torch was not asked. `weight`: `telling`, `may be chance`,
    `chance would do`, or `more than needed` where an explanation before it makes some of its changes only.
    """

    changes: tuple[Turned, ...]
    total: int
    prints_as: str
    far_fetched: int
    weight: str
    variant: str | None
    confirmed: bool | None


class OfSoManyChanges(Struct, frozen=True, kw_only=True):
    """Interpretations with so many changes: how many explain the figure, and how many would if figures fell by chance."""

    changes: int
    found: int
    expected_by_chance: float


class Reconciliation(Result, frozen=True, kw_only=True):
    """The interpretations that print as a figure: all of them counted, the first of them shown.

    `interval`: the totals that print as the figure. `examined`: interpretations within the allowed number of changes; `impossible`:
    those among them that no network can have. `below` and `above`: the nearest, where none prints as the figure.
    """

    figure: str
    interval: tuple[int, int]
    start: str = msgspec.field(name="from")
    start_total: int = msgspec.field(name="from_total")
    space: str
    holds: int
    examined: int
    impossible: int
    complete: bool
    changes_at_most: int | None
    found: int
    by_changes: tuple[OfSoManyChanges, ...]
    explanations: tuple[Explanation, ...]
    shipped: tuple[Explanation, ...]
    below: Explanation | None
    above: Explanation | None

    @property
    def agrees(self) -> bool:
        """Something explains the figure."""
        return bool(self.found)


class Excluded(Struct, frozen=True, kw_only=True):
    """A value that no reading of all figures can have: which figures exclude it, and the total it would make of the first of them."""

    value: Any
    by: tuple[str, ...]
    total: int
    stated: str
    prints_as: str
    about: str
    source: str


class Question(Struct, frozen=True, kw_only=True):
    """An open question: the values of a knob that some reading of all figures has, and the others.

    `of`: the networks that it is asked of, where their answers need not be the same. `assumed`: what the variants say.
    """

    knob: str
    of: tuple[str, ...]
    assumed: Any
    allowed: tuple[Any, ...]
    excluded: tuple[Excluded, ...]

    @property
    def decided(self) -> bool:
        """One answer alone is left."""
        return len(self.allowed) == 1


class JointFigure(Struct, frozen=True, kw_only=True):
    """A figure, the network it is about, and the total that the variant comes to."""

    claim: str
    stated: str
    about: str
    total: int
    agrees: bool


class Joint(Result, frozen=True, kw_only=True):
    """What a source's figures say together about the questions that its text leaves open."""

    sources: tuple[str, ...]
    claims: tuple[str, ...]
    satisfied: bool
    figures: tuple[JointFigure, ...]
    examined: int
    satisfying: int
    questions: tuple[Question, ...] = msgspec.field(name="knobs")

    @property
    def agrees(self) -> bool:
        """Some reading satisfies all figures."""
        return self.satisfied


class Claimed(Struct, frozen=True, kw_only=True):
    """A claim of a source, judged. `exact`: what the network it is about comes to. `true_of`: the variants it is true of."""

    id: str
    source: str
    place: str
    evidence: str | None
    statement: str | None
    stated: str | None
    about: str
    layer: str | None
    verdict: str
    exact: int | None
    true_of: tuple[str, ...]
    because: str


class Claims(Result, frozen=True, kw_only=True):
    """The claims of several sources with their verdicts."""

    claims: tuple[Claimed, ...]

    @property
    def agrees(self) -> bool:
        """Every claim holds, or is at least not shown to be wrong."""
        return all(claim.verdict in (AGREES, UNDECIDED) for claim in self.claims)


class AuditedLayer(Struct, frozen=True, kw_only=True):
    """A layer of a model: its tensors, and beside them what the variant has there."""

    name: str
    tensors: tuple[str, ...]
    trainable: int
    frozen: int
    buffers: int
    expected: int | None
    difference: int | None


class AuditedClaim(Struct, frozen=True, kw_only=True):
    """A claim about a model, judged; `file` and `line` say where it is made."""

    layer: str | None
    stated: str
    count: str
    policy: str
    found: int
    prints_as: str
    verdict: str
    because: str
    source: str
    file: str
    line: int


class Audit(Result, frozen=True, kw_only=True):
    """Somebody's model: what it holds, the variant that it is closest to, and what differs.

    `policies`: all its parameters by each policy that makes a difference. `explanations`: the knobs that lead from the variant to the
    model; `unexplained`: what they do not account for. `assumed`: knobs that no tensor tells.
    """

    target: str
    policy: str
    trainable: int
    frozen: int
    buffers: int
    bytes: int
    policies: dict[str, int]
    layers: tuple[AuditedLayer, ...]
    tensors: tuple[AuditedTensor, ...]
    closest: str | None
    closest_total: int | None
    difference: int | None
    explanations: tuple[Step, ...]
    unexplained: int | None
    assumed: tuple[str, ...]
    behaviour: tuple[str, ...]
    warnings: tuple[Finding, ...]
    claims: tuple[AuditedClaim, ...]
    notes: tuple[str, ...]
    verdict: str

    @property
    def agrees(self) -> bool:
        """Every claim holds, or else the model is just the variant."""
        return self.verdict == AGREES


class Report(Result, frozen=True, kw_only=True):
    """What `report` did. `stale`: the files that were missing or not what they should be; with `checked` nothing was written."""

    folder: str
    files: tuple[str, ...]
    stale: tuple[str, ...]
    checked: bool

    @property
    def agrees(self) -> bool:
        """Nothing is stale, or is so no longer."""
        return not (self.checked and self.stale)


class FirstLast(Struct, frozen=True, kw_only=True):
    """A loss at a run's first step and at its last; None where it was not finite."""

    first: float | None
    last: float | None


class BeforeAfter(Struct, frozen=True, kw_only=True):
    """Accuracy on held-out images before and after a run, from 0 to 1."""

    before: float
    after: float


class Moved(Struct, frozen=True, kw_only=True):
    """A tensor of parameters in a run. `updated` is its count where the optimiser moved it, else 0; `reached` says whether a gradient
    other than zero came to it; `values_moved` how many of its values differ from the start.
    """

    name: str
    count: int
    updated: int
    reached: bool
    values_moved: int


class Run(Struct, frozen=True, kw_only=True):
    """A short training run. `counted` is what `count` counts as trainable, `updated` what was moved of it."""

    variant: str
    data: str
    seed: int
    steps: int
    batch_size: int
    loss: FirstLast
    accuracy: BeforeAfter
    images_per_second: float
    peak_memory_bytes: int
    parameters: tuple[Moved, ...]
    counted: int
    updated: int
    verdict: str
    because: str
    losses: tuple[float | None, ...]
    device: str


class Runs(Result, frozen=True, kw_only=True):
    """Runs of several variants, in order. `interrupted`: there would have been more."""

    runs: tuple[Run, ...]
    interrupted: bool = False

    @property
    def agrees(self) -> bool:
        """Every run learnt, and everything counted as trainable was moved."""
        return bool(self.runs) and all(run.verdict == "learns" and run.updated == run.counted for run in self.runs)
