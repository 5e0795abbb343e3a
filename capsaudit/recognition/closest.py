"""The variant that a model is closest to, among all families."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from capsaudit.catalogue import Variant
from capsaudit.families import family_of
from capsaudit.inventory import Inventory
from capsaudit.recognition import baseline, capsnet, efficient_capsnet
from capsaudit.recognition.base import Match

Recogniser = Callable[[Inventory, Sequence[tuple[Variant, Any]]], Match | None]
"""From a model, and variants of one family with their specs, to the variant that it is closest to."""

RECOGNISERS: dict[str, Recogniser] = {
    "efficient-capsnet": efficient_capsnet.closest,
    "capsnet": capsnet.closest,
    "baseline": baseline.closest,
}
"""By family. The first that explains every value is believed, or else the first that finds a network at all."""


def closest(inventory: Inventory, catalogue: Sequence[Variant]) -> Match | None:
    """The variant from which the fewest changed knobs lead to the model; None where its tensors match no known architecture."""
    count, first = inventory.trainable(), None
    for family, recognise in RECOGNISERS.items():
        relatives = [(variant, variant.spec) for variant in catalogue if family_of(variant.spec).name == family]
        match = recognise(inventory, relatives) if relatives else None
        if match is not None and match.unexplained(count) == 0:
            return match
        first = first or match
    return first
