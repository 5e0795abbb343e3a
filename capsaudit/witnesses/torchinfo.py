"""The external witness: what torchinfo reports of the built module.

Only its parameter counts are used. Without an input it runs nothing and reports no shapes; it distinguishes trainable from frozen
by layer, not by tensor, and does not count buffers.
"""

from __future__ import annotations

import torchinfo
from torchinfo.enums import ColumnSettings
from torchinfo.layer_info import LayerInfo

from capsaudit.models import build
from capsaudit.spec import Spec
from capsaudit.witnesses.counts import LayerCount, TensorCount, WitnessCount


def count(spec: Spec) -> WitnessCount:
    """Count what `torchinfo.summary` counts."""
    report = torchinfo.summary(build(spec, device="meta"), verbose=0)
    leaves = [row for row in report.summary_list if row.is_leaf_layer]
    return WitnessCount(
        trainable=report.trainable_params,
        frozen=report.total_params - report.trainable_params,
        layers={row.var_name: _layer(row) for row in leaves if row.num_params},
    )


def _layer(row: LayerInfo) -> LayerCount:
    frozen = row.num_params - row.trainable_params
    note = f"torchinfo reports {frozen:,} frozen values here, but not in which tensor"
    return LayerCount(
        trainable=row.trainable_params,
        frozen=frozen,
        tensors={name: TensorCount(_printed(columns)) for name, columns in row.inner_layers.items()},
        notes=(note,) if frozen and row.trainable_params else (),
    )


def _printed(columns: dict[ColumnSettings, str]) -> int:
    """torchinfo keeps the count of a tensor only as the text that it prints: `├─20,736`."""
    return int(columns[ColumnSettings.NUM_PARAMS].lstrip("├└─").replace(",", ""))
