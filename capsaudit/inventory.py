"""The inventory of a model: its tensors, and the findings of a forward pass. Frozen structs, as in `results`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from capsaudit.arithmetic import Shape
from capsaudit.validation import expect_known

FindingKind = Literal["hidden", "no gradient", "unused", "state changed", "uncounted", "not probed", "packed"]

Counted = Literal["trainable", "frozen", "parameters", "buffers", "all"]
"""The values that a count is about. `parameters`: trainable and frozen together; `all`: buffers too."""

Side = Literal["trainable", "frozen", "buffers"]

STORED, LOGICAL = "stored", "logical"
NONZERO = "nonzero"

POLICIES = {
    STORED: "each tensor once, by its shape, including packed quantised weights",
    LOGICAL: "a packed quantised weight as the values that it stands for, without what unpacks it",
    "parameters": "what parameters() yields: without packed quantised weights",
    "per name": "a tensor under two names counts twice",
    "effective": "a parametrised or pruned weight as its layer uses it",
    NONZERO: "values that are not zero, counted where this policy is asked for or torch pruned the model",
    "storage": "values in distinct memory: views of one tensor count once, a sparse tensor by its entries",
    "reals": "a complex value counts as two",
}
"""Counting policies. `stored` is the default; the others are reported where they give another number."""


def expect_policy(name: str) -> None:
    """Check the name of a policy.

    Raises:
        CapsauditError: there is no such policy.
    """
    expect_known("policy", name, POLICIES)


class InventoryTensor(Struct, frozen=True, kw_only=True):
    """A tensor of a model, under one of its names.

    Attributes:
        name: The dotted path, such as `conv1.weight`.
        layer: The path of the module that owns the tensor; empty for the root.
        kind: The class of that module; empty if only a file is known.
        shape: The shape as torch reports it.
        count: The number of values stored; 0 if `same_as` is set.
        trainable: Whether it is a parameter that requires a gradient.
        buffer: Whether it is a buffer, not a parameter.
        dtype: The name that torch gives it, without the prefix `torch.`.
        bytes: Its memory; a byte that several tensors share is attributed to one of them.
        same_as: The first name of the same tensor, if this is another one.
        counts: The counts of other policies, where they differ from `count`.
        note: A remark on how it was counted.
    """

    name: str
    layer: str
    kind: str
    shape: Shape
    count: int
    trainable: bool
    buffer: bool
    dtype: str
    bytes: int
    same_as: str | None = None
    counts: dict[str, int] = {}
    note: str | None = None

    @property
    def side(self) -> Side:
        """Which of the three counts it belongs to."""
        return "buffers" if self.buffer else "trainable" if self.trainable else "frozen"

    def by(self, policy: str) -> int:
        """The number of values by a policy."""
        return self.counts.get(policy, self.count) if self.counts else self.count


class Finding(Struct, frozen=True, kw_only=True):
    """A property of a model that its parameter count does not show.

    Attributes:
        kind: The kind of finding.
        path: The path of the tensor; empty if the finding concerns the whole model or a tensor without a name.
        message: The finding in one sentence.
        count: The number of values concerned; 0 if there is none to give.
    """

    kind: FindingKind
    path: str
    message: str
    count: int = 0


BehaviourVerdict = Literal["agrees", "differs", "undetermined", "not seen"]
"""Of a stage. `undetermined`: several alternatives fit alike, or none does; `not seen`: the forward pass does not show it."""


class BehaviourStage(Struct, frozen=True, kw_only=True):
    """A stage of the forward pass: what the reference computes there, and what the model computes.

    Attributes:
        stage: Its name, such as `softmax`.
        verdict: Whether they are the same.
        reference: What the reference computes.
        model: What the model computes; null if nothing that is known fits.
        error: The relative error of what the reference computes there; null if there are no values to compare.
        because: The reason of the verdict, as a clause.
    """

    stage: str
    verdict: BehaviourVerdict
    reference: str
    model: str | None
    error: float | None
    because: str


class BehaviourProperty(Struct, frozen=True, kw_only=True):
    """A property that needs no reference, such as that two runs agree.

    Attributes:
        property: Its name, such as `repeatable`.
        holds: Whether the model has it; null if that could not be tried.
        because: What was measured, or why it could not be tried.
    """

    property: str
    holds: bool | None
    because: str


class BehaviourLoss(Struct, frozen=True, kw_only=True):
    """A term of a loss function beside the paper's: the margin loss (Sabour et al. 2017, eq. 4) or the reconstruction loss (section 4.1).

    Attributes:
        term: Which of the two.
        verdict: Whether they have the same values; `not seen` if the loss does not depend on what the term is of.
        reference: The paper's.
        model: The model's; null if nothing that is known fits.
        factor: How many times the paper's it is; null if it is another function, or if that depends on the number of images.
        error: The relative error to the paper's values; null if there are none to compare.
        because: The reason of the verdict, as a clause.
    """

    term: Literal["margin", "reconstruction"]
    verdict: BehaviourVerdict
    reference: str
    model: str | None
    factor: float | None
    error: float | None
    because: str


class Behaviour(Struct, frozen=True, kw_only=True):
    """Whether a model computes what its reference computes, stage by stage in the order of the forward pass.

    Attributes:
        verdict: `differs` if any stage or term of the loss does; `not run` if its forward could not be run or its stages were left out,
            `not recognised` if it is no capsule network. Properties do not change it.
        reference: The variant that it is compared with.
        stages: The stages; none if it was not run or not recognised.
        because: The first stage that differs, or why nothing was determined.
        precision: The floating-point numbers that the model ran with; null if it was not run.
        properties: What was tried without a reference; none for a model that is no capsule network, unless they were asked for.
        loss: The terms of a loss function, if one was named.
    """

    verdict: BehaviourVerdict | Literal["not recognised", "not run"]
    reference: str | None
    stages: tuple[BehaviourStage, ...]
    because: str
    precision: Literal["float64", "float32"] | None = None
    properties: tuple[BehaviourProperty, ...] = ()
    loss: tuple[BehaviourLoss, ...] = ()


class Inventory(Struct, frozen=True, kw_only=True):
    """The tensors of a target, and what was found while reading and running it.

    Attributes:
        target: The target as the user named it.
        tensors: Every tensor under each of its names.
        findings: The findings of a forward pass.
        geometry: Stride and padding of each square convolution by layer path; empty if only a file is known.
        examples: The shapes of the inputs that it was run on, without the batch.
        notes: Remarks on how the target was read.
        behaviour: What its forward pass computes, if that was asked for.
        incomplete: That it is a part of a network, and where the whole is; None for whole ones.
    """

    target: str
    tensors: tuple[InventoryTensor, ...]
    findings: tuple[Finding, ...] = ()
    geometry: dict[str, tuple[int, int | str]] = {}
    examples: tuple[Shape, ...] = ()
    notes: tuple[str, ...] = ()
    behaviour: Behaviour | None = None
    incomplete: str | None = None

    def trainable(self, policy: str = STORED) -> int:
        """The number of trainable values by a policy."""
        return sum(tensor.by(policy) for tensor in self.tensors if tensor.trainable and not tensor.buffer)

    def frozen(self, policy: str = STORED) -> int:
        """The number of values in parameters that are not trained, by a policy."""
        return sum(tensor.by(policy) for tensor in self.tensors if not tensor.trainable and not tensor.buffer)

    def buffers(self) -> int:
        """The number of values in buffers."""
        return sum(tensor.count for tensor in self.tensors if tensor.buffer)
