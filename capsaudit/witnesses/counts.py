"""What a witness counts in a network."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.arithmetic import Shape


class TensorCount(Struct, frozen=True):
    """A tensor of parameters. What the witness does not report is None."""

    count: int
    shape: Shape | None = None
    trainable: bool | None = None


class LayerCount(Struct, frozen=True):
    """Trainable and frozen values of a layer, and by name its tensors of parameters and the values of its buffers (None where not reported).

    `notes` says what the witness could not distinguish.
    """

    trainable: int = 0
    frozen: int = 0
    tensors: dict[str, TensorCount] = {}
    buffers: dict[str, int] | None = None
    notes: tuple[str, ...] = ()


class WitnessCount(Struct, frozen=True):
    """Layers by name, and the witness's own totals."""

    trainable: int = 0
    frozen: int = 0
    layers: dict[str, LayerCount] = {}
