"""The variant that a model is closest to, among all families; or why it is close to none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from capsaudit.catalogue import Variant
from capsaudit.families import family_of
from capsaudit.inventory import Inventory
from capsaudit.recognition import baseline, capsnet, efficient_capsnet
from capsaudit.recognition.bar import below
from capsaudit.recognition.base import Match, NoMatch, best

Recogniser = Callable[[Inventory, Sequence[tuple[Variant, Any]]], Match | NoMatch]
"""From a model, and variants of one family with their specs, to the variant that it is closest to."""

RECOGNISERS: dict[str, Recogniser] = {
    "efficient-capsnet": efficient_capsnet.closest,
    "capsnet": capsnet.closest,
    "baseline": baseline.closest,
}
"""By family, in the order in which equal matches are preferred."""


def closest(inventory: Inventory, catalogue: Sequence[Variant]) -> Match | NoMatch:
    """Of the networks above the bar the one that fits the tensors best, and the variant from which the fewest changed knobs lead to it."""
    if all(len(tensor.shape) != 4 for tensor in inventory.tensors):
        return NoMatch("it has no convolution")  # quick also for a file of 100,000 tensors
    found = [_closest(inventory, catalogue, family) for family in RECOGNISERS]
    match = best(each for each in found if isinstance(each, Match))
    return match or next((each for each in found if isinstance(each, NoMatch)), NoMatch("there is no variant"))


def _closest(inventory: Inventory, catalogue: Sequence[Variant], family: str) -> Match | NoMatch | None:
    """Of one family; None without a variant of it."""
    relatives = [(variant, variant.spec) for variant in catalogue if family_of(variant.spec).name == family]
    match = RECOGNISERS[family](inventory, relatives) if relatives else None
    reason = below(match, inventory) if isinstance(match, Match) else None
    return match if reason is None else NoMatch(reason)
