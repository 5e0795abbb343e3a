"""The witness that builds: the parameters of the torch module itself. Nothing is allocated: the module lives on device meta."""

from __future__ import annotations

from torch import nn

from capsaudit.models.network import build
from capsaudit.spec import Spec
from capsaudit.witnesses.counts import SeenLayer, SeenParameter, Testimony


def testify(spec: Spec) -> Testimony:
    """Count what `named_parameters` yields, which is each tied tensor once."""
    model = build(spec, device="meta")
    layers: dict[str, dict[str, SeenParameter]] = {}
    for path, parameter in model.named_parameters():
        *_, layer, name = path.split(".")
        seen = SeenParameter(parameter.numel(), tuple(parameter.shape), parameter.requires_grad)
        layers.setdefault(layer, {})[name] = seen
    return Testimony(
        trainable=_total(model, trainable=True),
        frozen=_total(model, trainable=False),
        layers={layer: _seen(parameters) for layer, parameters in layers.items()},
    )


def _seen(parameters: dict[str, SeenParameter]) -> SeenLayer:
    return SeenLayer(
        trainable=sum(parameter.count for parameter in parameters.values() if parameter.trainable),
        frozen=sum(parameter.count for parameter in parameters.values() if not parameter.trainable),
        parameters=parameters,
    )


def _total(model: nn.Module, *, trainable: bool) -> int:
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad == trainable)
