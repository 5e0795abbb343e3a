"""The witness that counts by the closed forms of the arithmetic."""

from __future__ import annotations

from capsaudit.arithmetic import LayerArithmetic
from capsaudit.families import layers
from capsaudit.spec import Spec
from capsaudit.witnesses.counts import LayerCount, TensorCount, WitnessCount


def count(spec: Spec) -> WitnessCount:
    """What the formulas come to. Totals are those of the formulas, tensors those of the shapes."""
    counts = {layer.name: _layer(layer) for layer in layers(spec)}
    return WitnessCount(
        trainable=sum(layer.trainable for layer in counts.values()),
        frozen=sum(layer.frozen for layer in counts.values()),
        layers=counts,
    )


def _layer(layer: LayerArithmetic) -> LayerCount:
    return LayerCount(
        trainable=layer.formula.value,
        frozen=layer.frozen_formula.value if layer.frozen_formula else 0,
        buffers={buffer.name: buffer.count for buffer in layer.buffers},
        tensors={p.name: TensorCount(p.count, p.shape, p.trainable) for p in layer.parameters},
    )
