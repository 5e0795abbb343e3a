"""What `audit` returns."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from capsaudit.inventory import Behaviour, Counted, Finding, InventoryTensor
from capsaudit.published import Verdict
from capsaudit.results.base import Reason, Result
from capsaudit.results.explain import Step
from capsaudit.results.reconcile_model import ModelExplanation


class AuditedLayer(Struct, frozen=True, kw_only=True):
    """A layer of a model: its tensors, and beside them the count of the variant's layer. `kind`: the class of the module that has the
    tensors; empty if only a file is known, or if several classes have them.
    """

    name: str
    kind: str
    tensors: tuple[str, ...]
    trainable: int
    frozen: int
    buffers: int
    expected: int | None
    difference: int | None


class AuditedClaim(Struct, frozen=True, kw_only=True, rename={"excluded": "except"}):
    """A claim about a model with its verdict. `layer`: what it is about in one text, null for the whole model; `layers` and `except`: the
    patterns, as stated. `file` and `line` say where it is made. `explanations`: of a claim that disagrees, the ways to count the model that
    have its figure, with the fewest changes; `examined`: how many ways were tried, null where none was.
    """

    layer: str | None
    layers: tuple[str, ...]
    excluded: tuple[str, ...]
    stated: str
    count: Counted
    policy: str
    experts: str | None
    found: int
    rounds_to: str
    verdict: Verdict
    source: str
    file: str
    line: int
    reasons: tuple[Reason, ...]
    explanations: tuple[ModelExplanation, ...] = ()
    examined: int | None = None


class AdaptedModel(Struct, frozen=True, kw_only=True):
    """A model with a LoRA adapter in it, as PEFT counts it. `base`: the target that the adapter was added to, which has `base_parameters`.
    `parameters`: trainable and frozen ones of the two together.
    """

    base: str
    base_parameters: int
    trainable: int
    parameters: int


class Audit(Result, frozen=True, kw_only=True):
    """Somebody's model: what it contains, the variant that it is closest to, and what differs.

    `recognised`: the family of that variant. `policies`: all parameters by each policy that makes a difference. `explanations`: the changed
    knobs that lead from the variant to the model; `unexplained`: the difference that they do not account for. `beyond`: the model's own
    layers that have no part in the variant; they are the last of `layers`. `assumed`: knobs that cannot be inferred from the tensors.
    `behaviour`: whether it computes what the variant computes, and properties, which decide nothing; null if it was not run.
    `adapted`: an adapter's counts together with those of its base model, if one was named. `lists_tensors`: whether its tables list the
    tensors one by one, as the JSON always does. `depth`: how many parts of the names of layers its table shows; as many as there is room for
    if null.
    """

    target: str
    policy: str
    trainable: int
    frozen: int
    buffers: int
    bytes: int
    policies: dict[str, int]
    layers: tuple[AuditedLayer, ...]
    tensors: tuple[InventoryTensor, ...]
    against: str | None
    recognised: str | None
    closest: str | None
    closest_total: int | None
    difference: int | None
    explanations: tuple[Step, ...]
    unexplained: int | None
    beyond: tuple[str, ...]
    assumed: tuple[str, ...]
    behaviour: Behaviour | None
    warnings: tuple[Finding, ...]
    claims: tuple[AuditedClaim, ...]
    notes: tuple[str, ...]
    verdict: Literal["agrees", "disagrees", "unstated"]
    adapted: AdaptedModel | None = None
    lists_tensors: bool = False
    depth: int | None = None

    @property
    def has_its_tensors(self) -> bool:
        """Whether its parameters are exactly those of the closest variant."""
        more = self.layers[len(self.layers) - len(self.beyond) :]
        differs = self.explanations or self.unexplained or any(layer.trainable or layer.frozen for layer in more)
        return self.closest is not None and not differs

    @property
    def is_variant(self) -> bool:
        """Whether, besides, no stage of its behaviour differs from that variant's."""
        return self.has_its_tensors and (self.behaviour is None or self.behaviour.verdict != "differs")

    @property
    def agrees(self) -> bool:
        """Whether nothing disagrees. Where nothing was stated, nothing does."""
        return self.verdict != "disagrees"


class Audits(Result, frozen=True, kw_only=True):
    """Several models that are guarded together. `faults`: why a model could not be audited, or that nothing is stated about it."""

    audits: tuple[Audit, ...]
    faults: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether every model was compared, and agrees."""
        return not self.faults and all(audit.agrees for audit in self.audits)
