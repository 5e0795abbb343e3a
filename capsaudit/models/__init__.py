"""Networks in torch, built from a spec; one file a family. They share no counting code with the arithmetic."""

from __future__ import annotations

from typing import Any

from capsaudit.families import family_of
from capsaudit.models import baseline, capsnet, efficient_capsnet
from capsaudit.models.network import Network, Output
from capsaudit.spec import Spec

__all__ = ["Network", "Output", "build"]

MODELS: dict[str, Any] = {
    "capsnet": capsnet.CapsNet,
    "baseline": baseline.Baseline,
    "efficient-capsnet": efficient_capsnet.EfficientCapsNet,
}
"""The module of each family, built from a spec and a device."""


def build(spec: Spec, *, device: str = "cpu") -> Network:
    """The network that a spec describes, freshly initialised. On device `meta` it has shapes but no values, of whatever size."""
    network: Network = MODELS[family_of(spec).name](spec, device=device)
    return network
