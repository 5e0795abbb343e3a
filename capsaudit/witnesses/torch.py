"""The witness that builds: the parameters and buffers of the torch module itself. The module lives on device meta and allocates nothing."""

from __future__ import annotations

from torch import nn

from capsaudit.models import build
from capsaudit.spec import Spec
from capsaudit.witnesses.counts import LayerCount, TensorCount, WitnessCount


def count(spec: Spec) -> WitnessCount:
    """Count what `named_parameters` and `named_buffers` yield, which is each tied tensor once."""
    model = build(spec, device="meta")
    layers: dict[str, dict[str, TensorCount]] = {}
    for path, parameter in model.named_parameters():
        *_, layer, name = path.split(".")
        tensor = TensorCount(parameter.numel(), tuple(parameter.shape), parameter.requires_grad)
        layers.setdefault(layer, {})[name] = tensor
    buffers: dict[str, dict[str, int]] = {}
    for path, buffer in model.named_buffers():
        *_, layer, name = path.split(".")
        buffers.setdefault(layer, {})[name] = buffer.numel()
    return WitnessCount(
        trainable=_total(model, trainable=True),
        frozen=_total(model, trainable=False),
        layers={name: _layer(layers.get(name, {}), buffers.get(name, {})) for name in {**layers, **buffers}},
    )


def _layer(tensors: dict[str, TensorCount], buffers: dict[str, int]) -> LayerCount:
    return LayerCount(
        trainable=sum(tensor.count for tensor in tensors.values() if tensor.trainable),
        frozen=sum(tensor.count for tensor in tensors.values() if not tensor.trainable),
        buffers=buffers,
        tensors=tensors,
    )


def _total(model: nn.Module, *, trainable: bool) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad == trainable)
