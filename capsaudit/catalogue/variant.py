"""A variant: one interpretation of a network, the source of each value, and what was stated about it."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from capsaudit.published import Figure, Rounding, parse_figure
from capsaudit.spec import Data, Spec

Digits = Annotated[int, Meta(ge=1, le=40, description="an integer from 1 to 40")]
RoundingName = Annotated[Rounding, Meta(description='"half up" or "cut"')]


class StatedTable(Struct, frozen=True, forbid_unknown_fields=True):
    """What a source prints about this network, as the file has it: figures as printed, by layer and in total.

    `must_agree`: whether `check` fails where the count disagrees. A figure that is known to be wrong is recorded with false. `rounding` and
    `digits`: how the source prints its figures, where it does not round half up or where only so many digits are significant.
    """

    source: str
    total: str | None = None
    layers: dict[str, str] = {}
    evidence: str | None = None
    """How sure we are that the source prints this, and how we know."""
    must_agree: bool = True
    rounding: RoundingName = "half up"
    digits: Digits | None = None

    def parse(self, text: str) -> Figure:
        """One of its figures.

        Raises:
            FigureError: it cannot be read.
        """
        return parse_figure(text, rounding=self.rounding, digits=self.digits)


class Stated(Struct, frozen=True, kw_only=True):
    """What a source prints about this network, its figures parsed."""

    source: str
    total: Figure | None = None
    layers: dict[str, Figure] = {}
    evidence: str | None = None
    must_agree: bool = True


class ExpectedLayer(Struct, frozen=True, forbid_unknown_fields=True):
    """What a layer must come to, worked out by hand: its output shape and its numbers of values."""

    output: tuple[int, ...]
    trainable: int
    frozen: int = 0
    buffers: int = 0


class Expected(Struct, frozen=True, forbid_unknown_fields=True):
    """What `check` asserts beside the stated figures.

    Exact counts and shapes, worked out by hand, and in `knobs` a second entry for the settings that no count and no shape
    depends on (routing iterations, dropout).
    """

    input: tuple[int, ...]
    total: int
    frozen: int = 0
    layers: dict[str, ExpectedLayer] = {}
    knobs: Data = {}


class Header(Struct, frozen=True, forbid_unknown_fields=True):
    """What a variant file says beside its knobs."""

    summary: str
    extends: str | None = None
    family: str | None = None
    data: Literal["digits", "multimnist"] | None = None
    sources: dict[str, str] = {}
    stated: StatedTable | None = None
    expected: Expected | None = None


class Variant(Struct, frozen=True):
    """One interpretation of a network. `sources` holds those of all ancestors, by knob or group of knobs."""

    id: str
    summary: str
    parent: str | None
    depth: int
    spec: Spec
    sources: dict[str, str]
    stated: Stated | None = None
    expected: Expected | None = None
    data: str = "digits"
    """What it is trained on: single `digits`, or `multimnist`, two of them overlaid."""
    file: str | None = None
    """What messages call the file that it is from, and its path; None where it is not from a file."""
    path: Path | None = None

    def source(self, knob: str) -> str | None:
        """Where the value of `knob` comes from: its own source, or that of the group it belongs to."""
        while knob:
            if knob in self.sources:
                return self.sources[knob]
            knob = knob.rpartition(".")[0]
        return None
