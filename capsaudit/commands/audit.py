"""audit: somebody else's model, counted; the reading that it is, and what it differs in from the variant that it is closest to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from capsaudit.arithmetic import layers, total
from capsaudit.catalogue import Variant
from capsaudit.catalogue.model_claims import TargetClaims
from capsaudit.commands.explain import explain
from capsaudit.commands.model_claims import hold
from capsaudit.errors import CapsauditError
from capsaudit.inventory import POLICIES, STORED, AuditedTensor, Inventory
from capsaudit.knobs import NEUTRAL
from capsaudit.recognition.closest import Match, closest, variant_of
from capsaudit.results import AGREES, DISAGREES, UNSTATED, Audit, AuditedLayer, Step
from capsaudit.validation import nearest

_MOST = 0.99
"""Of more values than this some are zero by chance, or because biases begin so; that is no pruning."""


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
