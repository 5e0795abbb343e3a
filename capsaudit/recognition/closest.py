"""The variant that a model is closest to."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from capsaudit.arithmetic import impossible, total
from capsaudit.catalogue import Variant
from capsaudit.inventory import Inventory
from capsaudit.knobs import NEUTRAL, changes
from capsaudit.recognition.baseline import baseline_readings
from capsaudit.recognition.capsnet import Reading, readings
from capsaudit.recognition.roles import Roles, roles
from capsaudit.spec import Baseline, CapsNet

_FEW_CHANGES = 3


class Match(Struct, frozen=True):
    """A variant, and the model read as a network like it."""

    variant: Variant
    reading: Reading

    @property
    def changes(self) -> int:
        """How many knobs the model turns."""
        return sum(change.knob not in NEUTRAL for change in changes(self.variant.spec, self.reading.spec))

    @property
    def difference(self) -> int:
        """By how much its total differs."""
        return total(self.reading.spec) - total(self.variant.spec)


def closest(inventory: Inventory, catalogue: Sequence[Variant]) -> Match | None:
    """The variant from which the fewest knobs lead to the model; None where its tensors make no such network."""
    found = roles(inventory)
    if found is not None:
        return _closest_capsnet(found, inventory, catalogue)
    networks = [(variant, variant.spec) for variant in catalogue if isinstance(variant.spec, Baseline)]
    matches = [Match(variant, each) for variant, spec in networks for each in baseline_readings(inventory, spec)]
    best = _best(matches, inventory.trainable())
    few = best is not None and (best.changes <= _FEW_CHANGES or len(catalogue) == 1)
    return best if few else None  # any network of two convolutions can be made of any other


def _closest_capsnet(found: Roles, inventory: Inventory, catalogue: Sequence[Variant]) -> Match | None:
    networks = [(variant, variant.spec) for variant in catalogue if isinstance(variant.spec, CapsNet)]
    count = inventory.trainable()
    tried: list[Match] = []
    for w in found.readings:
        matches = [Match(variant, each) for variant, spec in networks for each in readings(found, w, inventory, spec)]
        best = _best(matches, count)
        if best is not None and _left(best, count) == 0:
            return best  # the likeliest reading of W that leaves nothing over
        tried += [best] if best is not None else []
    return _best(tried, count)


def _best(matches: Sequence[Match], count: int) -> Match | None:
    """The one that misses the model by least, then the one of the fewest knobs."""
    possible = [match for match in matches if impossible(match.reading.spec) is None]
    return min(possible, key=lambda m: (_left(m, count), m.changes, abs(m.difference)), default=None)


def _left(match: Match, count: int) -> int:
    """By how much the reading misses the model."""
    return abs(count - total(match.reading.spec))


def variant_of(match: Match, target: str) -> Variant:
    """The variant of exactly the model's reading."""
    return Variant(
        id=target,
        summary=f"the reading of {target}",
        parent=match.variant.id,
        depth=match.variant.depth + 1,
        spec=match.reading.spec,
        sources={change.knob: f"read off {target}" for change in changes(match.variant.spec, match.reading.spec)},
    )
