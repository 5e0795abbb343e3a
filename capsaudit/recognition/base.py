"""What recognition finds: a model as a network of some family, and the variant that it matches best; or why it is none."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.families import impossible, layers, total
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

    @property
    def misfit(self) -> int:
        """How many values of parameters have no layer, or are more or fewer than the network has in their layer."""
        expected = {row.name: sum(each.count for each in row.parameters) for row in layers(self.network.spec)}
        found = {name: _values(self.network.layers.get(name, ())) for name in expected}
        return _values(self.network.unassigned) + sum(abs(found[name] - count) for name, count in expected.items())

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


class NoMatch(Struct, frozen=True):
    """The tensors of a model form no network of a family; `because` says which condition is not met, as a clause."""

    because: str


def best(matches: Iterable[Match]) -> Match | None:
    """The one that fits the tensors best, then the one with the fewest changed knobs; of equal ones, the first."""
    possible = [(match.misfit, match) for match in matches if impossible(match.network.spec) is None]
    least = min((misfit for misfit, _ in possible), default=0)
    fitting = [match for misfit, match in possible if misfit == least]
    return min(fitting, key=lambda match: (match.changes, abs(match.difference)), default=None)


def _values(tensors: Iterable[InventoryTensor]) -> int:
    return sum(tensor.count for tensor in tensors if not tensor.buffer)
