"""The witness from outside: what torchinfo reports of the built module.

Only its parameter counts are taken. Without an input it runs nothing, so it says nothing of shapes; it tells trainable from frozen
by layer, not by tensor.
"""

from __future__ import annotations

import torchinfo
from torchinfo.enums import ColumnSettings
from torchinfo.layer_info import LayerInfo

from capsaudit.models.network import build
from capsaudit.spec import Spec
from capsaudit.witnesses.counts import SeenLayer, SeenParameter, Testimony


def testify(spec: Spec) -> Testimony:
    """Count what `torchinfo.summary` counts."""
    model = build(spec, device="meta")
    report = torchinfo.summary(model, verbose=0)
    leaves = [row for row in report.summary_list if row.is_leaf_layer]
    return Testimony(
        trainable=report.trainable_params,
        frozen=report.total_params - report.trainable_params,
        layers={row.var_name: _seen(row) for row in leaves if row.num_params},
    )


def _seen(row: LayerInfo) -> SeenLayer:
    frozen = row.num_params - row.trainable_params
    note = f"torchinfo sees {frozen:,} frozen values here, but not which tensor holds them"
    return SeenLayer(
        trainable=row.trainable_params,
        frozen=frozen,
        parameters={name: SeenParameter(_printed(columns)) for name, columns in row.inner_layers.items()},
        notes=(note,) if frozen and row.trainable_params else (),
    )


def _printed(columns: dict[ColumnSettings, str]) -> int:
    """torchinfo keeps the count of a tensor only as the text that it prints: `├─20,736`."""
    return int(columns[ColumnSettings.NUM_PARAMS].lstrip("├└─").replace(",", ""))
