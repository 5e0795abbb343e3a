"""audit: somebody else's model, counted; the reading that it is, and what it differs in from the variant that it is closest to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from capsaudit.arithmetic import impossible, layers
from capsaudit.audited import POLICIES, STORED, AuditedTensor, Inventory
from capsaudit.auditing.naming.baselines import baseline_readings
from capsaudit.auditing.naming.reading import Reading, readings
from capsaudit.auditing.naming.roles import Roles, roles
from capsaudit.catalogue import Variant
from capsaudit.catalogue.target_claims import TargetClaims
from capsaudit.errors import CapsauditError
from capsaudit.knobs import NEUTRAL, changes
from capsaudit.results import AGREES, DISAGREES, UNSTATED, Audit, AuditedLayer, Step
from capsaudit.spec import Baseline, CapsNet
from capsaudit.validation import nearest
from capsaudit.verbs.explaining import explain, total
from capsaudit.verbs.holding import hold

_MOST = 0.99
"""Of more values than this some are zero by chance, or because biases begin so; that is no pruning."""


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


def audit(
    inventory: Inventory,
    catalogue: Sequence[Variant],
    *,
    against: Variant | None = None,
    claims: Sequence[TargetClaims] = (),
    policy: str = STORED,
) -> Audit:
    """Name the reading that a model is, explain what differs from `against` or from the closest variant, and judge claims about it.

    Raises:
        CapsauditError: an unknown policy, or `against` a variant although the tensors make no network of its family.
    """
    if policy not in POLICIES:
        raise CapsauditError(f"no policy {policy!r}; {nearest(policy, POLICIES)}")
    match = closest(inventory, (against,) if against else catalogue)
    if against is not None and match is None:
        raise CapsauditError(
            f"{inventory.target}: its tensors make no network of the family of {against.id}, so it cannot be held against {against.id}"
        )
    held = tuple(judged for file in claims for judged in hold(inventory, file))
    trainable = inventory.trainable(policy)
    result = Audit(
        target=inventory.target,
        policy=policy,
        trainable=trainable,
        frozen=inventory.frozen(policy),
        buffers=inventory.buffers(),
        bytes=sum(tensor.bytes for tensor in inventory.tensors),
        policies=_policies(inventory),
        layers=tuple(_layers(inventory, match, policy)),
        tensors=inventory.tensors,
        closest=match.variant.id if match else None,
        closest_total=total(match.variant.spec) if match else None,
        difference=trainable - total(match.variant.spec) if match else None,
        explanations=_explanations(match),
        unexplained=trainable - total(match.reading.spec) if match else None,
        assumed=match.reading.assumed if match else (),
        behaviour=(),
        warnings=inventory.findings,
        claims=held,
        notes=inventory.notes,
        verdict=UNSTATED,
    )
    return msgspec.structs.replace(result, verdict=_verdict(result))


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


def _explanations(match: Match | None) -> tuple[Step, ...]:
    if match is None:
        return ()
    steps = explain(match.variant, variant_of(match, "the model")).steps
    return tuple(step for step in steps if step.knob not in NEUTRAL)


def _policies(inventory: Inventory) -> dict[str, int]:
    """Trainable and frozen parameters together by each policy that makes a difference."""
    usual = inventory.trainable() + inventory.frozen()
    special = [tensor for tensor in inventory.tensors if tensor.counts and not tensor.buffer]
    counts = {name: usual + sum(tensor.by(name) - tensor.count for tensor in special) for name in POLICIES}
    if counts["nonzero"] > _MOST * usual:
        del counts["nonzero"]
    return {name: count for name, count in counts.items() if count != usual or name == STORED}


def _layers(inventory: Inventory, match: Match | None, policy: str) -> Iterator[AuditedLayer]:
    """The variant's layers with the tensors that are them; then what belongs to none of them, by the model's own layers."""
    if match is None:
        yield from _own_layers(inventory.tensors, policy)
        return
    expected = {row.name: row.formula.value for row in layers(match.variant.spec)}
    for name in dict.fromkeys((*match.reading.layers, *expected)):
        tensors = match.reading.layers.get(name, ())
        yield _layer(name, tensors, expected.get(name, 0), policy)
    known = {tensor.name for tensors in match.reading.layers.values() for tensor in tensors}
    yield from _own_layers([tensor for tensor in inventory.tensors if tensor.name not in known], policy, expected=0)


def _own_layers(tensors: Sequence[AuditedTensor], policy: str, expected: int | None = None) -> Iterator[AuditedLayer]:
    by_layer: dict[str, list[AuditedTensor]] = {}
    for tensor in tensors:
        by_layer.setdefault(tensor.layer, []).append(tensor)
    for name, found in by_layer.items():
        yield _layer(name, found, expected, policy)


def _layer(name: str, tensors: Sequence[AuditedTensor], expected: int | None, policy: str) -> AuditedLayer:
    trainable = frozen = buffers = 0
    for tensor in tensors:  # one pass: a file may have a hundred thousand layers
        if tensor.buffer:
            buffers += tensor.count
        elif tensor.trainable:
            trainable += tensor.by(policy)
        else:
            frozen += tensor.by(policy)
    return AuditedLayer(
        name=name,
        tensors=tuple([tensor.name for tensor in tensors]),
        trainable=trainable,
        frozen=frozen,
        buffers=buffers,
        expected=expected,
        difference=None if expected is None else trainable - expected,
    )


def _verdict(result: Audit) -> str:
    """Claims decide where there are any, else whether the model is just the variant that it is held against."""
    if result.claims:
        return AGREES if all(claim.verdict == AGREES for claim in result.claims) else DISAGREES
    if result.closest is None:
        return UNSTATED
    return AGREES if not result.explanations and not result.unexplained else DISAGREES
