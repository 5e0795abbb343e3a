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
    """Trainable and frozen values of a layer, values of its buffers (None where not reported), and its tensors of parameters by name.

    `notes` says what the witness could not distinguish.
    """

    trainable: int = 0
    frozen: int = 0
    buffers: int | None = None
    tensors: dict[str, TensorCount] = {}
    notes: tuple[str, ...] = ()


class WitnessCount(Struct, frozen=True):
    """Layers by name, and the witness's own totals. `refusal` is the reason where it could not count at all."""

    trainable: int = 0
    frozen: int = 0
    buffers: int | None = None
    layers: dict[str, LayerCount] = {}
    refusal: str | None = None
