"""What recognition finds: a model as a network of some family, and the variant that it matches best."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.families import impossible, total
from capsaudit.inventory import InventoryTensor
from capsaudit.knobs import changes, counted_changes
from capsaudit.spec import Spec


class RecognisedNetwork(Struct, frozen=True):
    """A model as a network of some family: the spec that its tensors give.

    `layers`: which of its tensors belong to which layer; `unassigned`: those that belong to none. `assumed`: knobs that cannot be inferred
    from the tensors, taken from the variant that the model is compared with.
    """

    spec: Spec
    layers: dict[str, tuple[InventoryTensor, ...]]
    unassigned: tuple[InventoryTensor, ...]
    assumed: tuple[str, ...]


class Match(Struct, frozen=True):
    """A variant, and the model as a network of its family."""

    variant: Variant
    network: RecognisedNetwork

    @property
    def changes(self) -> int:
        """How many knobs differ from the variant."""
        return len(counted_changes(self.variant.spec, self.network.spec))

    @property
    def difference(self) -> int:
        """By how much its total differs from the variant's."""
        return total(self.network.spec) - total(self.variant.spec)

    def unexplained(self, count: int) -> int:
        """How many of the model's trainable values the network does not account for, or accounts for too many."""
        return abs(count - total(self.network.spec))

    def as_variant(self, target: str) -> Variant:
        """The network as a variant of its own."""
        made = changes(self.variant.spec, self.network.spec)
        return Variant(
            id=target,
            summary=f"the network of {target}",
            parent=self.variant.id,
            depth=self.variant.depth + 1,
            spec=self.network.spec,
            sources={change.knob: f"inferred from {target}" for change in made},
        )


def best(matches: Sequence[Match], count: int) -> Match | None:
    """The one that leaves least of the model's count unexplained, then the one with the fewest changed knobs."""
    possible = [match for match in matches if impossible(match.network.spec) is None]
    return min(possible, key=lambda m: (m.unexplained(count), m.changes, abs(m.difference)), default=None)
