"""What each family of capsule networks gives: the stages of its reference, and the search for what a model computes at them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from capsaudit.recognition.base import RecognisedNetwork

if TYPE_CHECKING:
    from torch import nn

    from capsaudit.parity.calls import Call


NOT_STATED = "not stated"
"""What is shown of the reference where its paper leaves a choice."""


class Stage(NamedTuple):
    """What the reference computes: any of `accepted`, of which the first is shown; none if it is not known. `source`: where the paper says
    so, or nothing. `alike`: whether all that is accepted is the same, but for the order of channels.
    """

    name: str
    accepted: tuple[str, ...]
    source: str = ""
    alike: bool = False

    def of(self, model: str | None) -> Stage:
        """The same stage, with what another model computes there as its reference."""
        if model is None:
            return Stage(self.name, ())
        return Stage(self.name, (model, *self.accepted) if self.alike and model in self.accepted else (model,))


class Found(Protocol):
    """The readings of a model: what it may compute, by stage, such that all values that were recorded are explained."""

    @property
    def gains(self) -> int:
        """At how many sizes of the weights the readings fit."""

    @property
    def precision(self) -> Literal["float64", "float32"]:
        """The floating-point numbers that the model ran with."""

    @property
    def has_labels(self) -> bool:
        """Whether forward was given labels."""

    def names(self, stage: str) -> list[str]:
        """What the readings that fit say of a stage, each once."""

    def is_open(self, stage: str) -> bool:
        """Whether a stage that no reading names was reached: what is before it was found, and nothing that is known fits."""

    def unseen(self, stage: str) -> str:
        """Why a stage was not seen."""

    def nearest(self, stage: str) -> tuple[str, float] | None:
        """What comes nearest at a stage where nothing that is known fits, and its relative error."""

    def error(self, stage: str, reference: str, *, agrees: bool) -> float | None:
        """The relative error of what the reference does at this stage; where it agrees, that of the values that were found."""


class Method(NamedTuple):
    """How behaviour is determined in a family: `stages` of a spec, and what is `found` in a module that is called in a way that works."""

    stages: Callable[[Any], Sequence[Stage]]
    found: Callable[[nn.Module, RecognisedNetwork, Call], Found]
