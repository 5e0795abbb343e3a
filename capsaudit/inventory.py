"""What an audit of somebody's model finds: its tensors one by one, warnings, and the reading that it is. Frozen values, as in `results`."""

from __future__ import annotations

from msgspec import Struct

from capsaudit.arithmetic import Shape

STORED = "stored"

POLICIES = {
    STORED: "every distinct value once, packed quantised weights among them",
    "parameters": "what parameters() yields: no packed weights",
    "per name": "a tensor under two names counts twice",
    "effective": "a parametrised or pruned weight as its layer uses it",
    "nonzero": "values that are not zero",
    "storage": "values of distinct memory: a view of another tensor counts once, a sparse tensor as its entries",
    "reals": "a complex value counts as two",
}
"""Ways to count that are all right at once. The first is the usual one; the others are told where they differ."""


class AuditedTensor(Struct, frozen=True, kw_only=True):
    """A tensor of a model, under one of its names.

    `layer`: the path of the module that holds it, empty for the root. `kind`: the module's class, empty where only a file is known.
    `count`: its values as stored; 0 where it is the `same_as` another row. `counts`: other policies, where they differ from `count`.
    `buffer`: no parameter. `bytes`: its memory, 0 where it is the same as another.
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

    def by(self, policy: str) -> int:
        """Its values by a policy."""
        return self.counts.get(policy, self.count) if self.counts else self.count


class Finding(Struct, frozen=True, kw_only=True):
    """Something that a count alone does not tell. `kind`: `hidden`, `no gradient`, `unused`, `state changed` or `not probed`.

    `path`: the tensor's, empty where it is about the whole model or a tensor without a name. `count`: the values concerned, where they are told.
    """

    kind: str
    path: str
    message: str
    count: int = 0


class Inventory(Struct, frozen=True, kw_only=True):
    """Everything that a target holds, and what was found on the way.

    `geometry`: stride and padding of each convolution by layer path, where a module tells them. `examples`: shapes of what it was run
    with, without the batch. `notes`: how the target was read.
    """

    target: str
    tensors: tuple[AuditedTensor, ...]
    findings: tuple[Finding, ...] = ()
    geometry: dict[str, tuple[int, int | str]] = {}
    examples: tuple[Shape, ...] = ()
    notes: tuple[str, ...] = ()

    def trainable(self, policy: str = STORED) -> int:
        """Trainable values by a policy."""
        return sum(tensor.by(policy) for tensor in self.tensors if tensor.trainable and not tensor.buffer)

    def frozen(self, policy: str = STORED) -> int:
        """Parameters that are not trained, by a policy."""
        return sum(tensor.by(policy) for tensor in self.tensors if not tensor.trainable and not tensor.buffer)

    def buffers(self) -> int:
        """Values of buffers."""
        return sum(tensor.count for tensor in self.tensors if tensor.buffer)
