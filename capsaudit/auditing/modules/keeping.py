"""Whatever a forward does to a model is undone: values bit by bit, attributes, hooks, training modes, gradients, random state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from capsaudit.auditing.modules.attributes import Place, places
from capsaudit.auditing.modules.containers import KeptContainer, kept_containers
from capsaudit.auditing.modules.random_state import same_randomness
from capsaudit.auditing.modules.values import KeptTensors


class Kept:
    """A model as it was, while something is done to it."""

    def __init__(self, root: nn.Module, held: Sequence[Place]) -> None:
        self.root = root
        modules = [place.value for place in held if isinstance(place.value, nn.Module)]
        self.modes = [(module, module.training) for module in modules if hasattr(module, "training")]
        self.containers: list[KeptContainer] = kept_containers(held)
        self.tensors = KeptTensors(root, held)

    def restore(self) -> None:
        """Attributes first: they say which tensors are the model's."""
        for container in self.containers:
            container.restore()
        self.tensors.restore()
        _set(self.modes)


@contextmanager
def unchanged(root: nn.Module, held: Sequence[Place] | None = None) -> Iterator[Kept]:
    """The model in eval mode, and as before afterwards.

    The modes are set one by one: `eval()` is often overridden to fold weights, and does not reach modules in plain lists.
    """
    kept = Kept(root, places(root) if held is None else held)
    with same_randomness(), torch.inference_mode(False), torch.enable_grad():
        try:
            _set([(module, False) for module, _ in kept.modes])
            yield kept
        finally:
            kept.restore()


def _set(modes: Sequence[tuple[nn.Module, bool]]) -> None:
    """A scripted module that is frozen has no mode left, and is not among them."""
    for module, mode in modes:
        if module.training != mode:
            module.training = mode
