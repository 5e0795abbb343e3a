"""What a witness says of a network."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.arithmetic import Shape


class SeenParameter(Struct, frozen=True):
    """A tensor of parameters. What the witness cannot tell is None."""

    count: int
    shape: Shape | None = None
    trainable: bool | None = None


class SeenLayer(Struct, frozen=True):
    """A layer's trainable and frozen values, and its tensors by name. `notes` says what the witness could not tell."""

    trainable: int
    frozen: int
    parameters: dict[str, SeenParameter]
    notes: tuple[str, ...] = ()


class Testimony(Struct, frozen=True):
    """Layers by name, and the witness's own totals. `unseen` is the reason where it could not count at all."""

    trainable: int = 0
    frozen: int = 0
    layers: dict[str, SeenLayer] = {}
    unseen: str | None = None
