"""The witness that counts on paper: the closed forms of the arithmetic."""

from __future__ import annotations

from capsaudit.arithmetic import LayerArithmetic, layers
from capsaudit.spec import Spec
from capsaudit.witnesses.counts import SeenLayer, SeenParameter, Testimony


def testify(spec: Spec) -> Testimony:
    """What the formulas come to. Totals are those of the formulas, the tensors those of the shapes."""
    seen = {layer.name: _seen(layer) for layer in layers(spec)}
    return Testimony(
        trainable=sum(layer.trainable for layer in seen.values()),
        frozen=sum(layer.frozen for layer in seen.values()),
        layers=seen,
    )


def _seen(layer: LayerArithmetic) -> SeenLayer:
    return SeenLayer(
        trainable=layer.formula.value,
        frozen=layer.frozen_formula.value if layer.frozen_formula else 0,
        parameters={p.name: SeenParameter(p.count, p.shape, p.trainable) for p in layer.parameters},
    )
