"""audit: somebody else's model, counted; the variant that it is closest to, and what differs from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from capsaudit.catalogue import Variant, load_all
from capsaudit.catalogue.model_claims import ModelClaims, load_model_claims, load_models
from capsaudit.commands.adapter import adapted, read_configuration
from capsaudit.commands.explain import explain
from capsaudit.commands.model_claims import judge_claims
from capsaudit.commands.write_claims import expect_new_file, write_claims
from capsaudit.commands.write_variant import write_variant
from capsaudit.errors import CapsauditError
from capsaudit.families import UNCOUNTED_KNOBS, family_of, layers, total
from capsaudit.inspection.load import Watcher, load
from capsaudit.inspection.process import Child
from capsaudit.inspection.python.arguments import parse_kwargs
from capsaudit.inspection.targets import Target, parse_target
from capsaudit.inventory import NONZERO, POLICIES, STORED, Behaviour, Inventory, InventoryTensor, expect_policy
from capsaudit.parity.behaviour import behaviour as behaviour_of
from capsaudit.recognition.base import Match, NoMatch
from capsaudit.recognition.closest import closest
from capsaudit.results import Audit, AuditedLayer, Audits, Step

if TYPE_CHECKING:
    from torch import nn

_NEARLY_ALL = 0.99
"""If more values than this are not zero, the zeros are chance, or biases that begin as zero, and no pruning."""


def audit(
    inventory: Inventory,
    catalogue: Sequence[Variant],
    *,
    against: Variant | None = None,
    claims: Sequence[ModelClaims] = (),
    policy: str = STORED,
) -> tuple[Audit, Match | None]:
    """Find the variant that a model is, explain what differs from `against` or from the closest variant, and judge claims about it.

    Raises:
        CapsauditError: an unknown policy, a claim about what the model does not have, or `against` a variant although the tensors form no
            network of its family or are one shard of several.
    """
    expect_policy(policy)
    if against is not None and inventory.incomplete:
        raise CapsauditError(f"{inventory.target}: {inventory.incomplete}; only a whole network is compared")
    found = closest(inventory, (against,) if against else catalogue)
    if against is not None and isinstance(found, NoMatch):
        raise CapsauditError(
            f"{inventory.target}: its tensors match no {family_of(against.spec).name} network, "
            f"so it cannot be compared with {against.id}: {found.because}"
        )
    match = found if isinstance(found, Match) else None
    trainable = inventory.trainable(policy)
    beyond = tuple(_beyond(inventory, match, policy)) if match else ()
    result = Audit(
        target=inventory.target,
        policy=policy,
        trainable=trainable,
        frozen=inventory.frozen(policy),
        buffers=inventory.buffers(),
        bytes=sum(tensor.bytes for tensor in inventory.tensors),
        policies=_policies(inventory),
        layers=(*_layers(inventory, match, policy), *beyond),
        tensors=inventory.tensors,
        against=against.id if against else None,
        recognised=family_of(match.variant.spec).name if match else None,
        closest=match.variant.id if match else None,
        closest_total=total(match.variant.spec) if match else None,
        difference=trainable - total(match.variant.spec) if match else None,
        explanations=_explanations(match),
        unexplained=trainable - total(match.network.spec) if match else None,
        beyond=tuple(layer.name for layer in beyond),
        assumed=match.network.assumed if match else (),
        behaviour=inventory.behaviour,
        warnings=inventory.findings,
        claims=judge_claims(
            inventory, [claim for file in claims for claim in file.claims], match.network.layers if match else {}
        ),
        notes=inventory.notes,
        verdict="unstated",
    )
    return msgspec.structs.replace(result, verdict=_verdict(result)), match


def audit_module(
    model: nn.Module,
    name: str,
    inputs: tuple[Any, ...] | None,
    kwargs: Mapping[str, Any] | None,
    *,
    against: Variant | None,
    claims: Sequence[str | Path],
    policy: str,
    behaviour: bool = True,
    properties: bool = False,
    methods: Sequence[str] = (),
    loss: str | Callable[..., object] | None = None,
) -> Audit:
    """A module in memory. `behaviour`: whether it is determined, if there are inputs; `properties`: those of any model; `methods`: those that
    are called after forward; `loss`: a function, or the name of one or of a method.

    Raises:
        CapsauditError: as `audit`, or it cannot be run, or there are no inputs to try properties on.
    """
    from capsaudit.inspection.module import inspect_module
    from capsaudit.inspection.modules.forward import Arguments

    files = [*map(load_model_claims, claims)]
    inventory = inspect_module(model, name, inputs=inputs, kwargs=kwargs, nonzero=_is_nonzero_asked_for(policy, files))
    if (behaviour or properties) and (inputs is not None or kwargs is not None):
        example = Arguments(tuple(inputs or ()), kwargs or {})
        found = behaviour_of(
            model,
            inventory,
            example,
            against=against,
            stages=behaviour,
            properties=properties,
            methods=methods,
            loss=_named(loss),
        )
        inventory = msgspec.structs.replace(inventory, behaviour=found)
    _expect_tried(inventory, properties=properties)
    _expect_behaviour(inventory, methods, loss)
    return audit(inventory, load_all(), against=against, claims=files, policy=policy)[0]


def _is_nonzero_asked_for(policy: str | None, files: Sequence[ModelClaims]) -> bool:
    """By the policy of the audit or of a claim: to count zeros, every value has to be read."""
    return NONZERO in (policy, *(claim.selection.policy for file in files for claim in file.claims))


class Options(Struct, frozen=True, kw_only=True):
    """How a target is built, run and counted. A file of claims may set these too; what is given here takes precedence."""

    kwargs: Sequence[str] | Mapping[str, object] = ()
    inputs: Sequence[str] = ()
    policy: str | None = None
    timeout: float
    behaviour: bool = True
    properties: bool = False
    methods: Sequence[str] = ()
    loss: str | None = None
    part: str | None = None
    base: str | None = None


def audit_target(
    target: str | ModelClaims,
    options: Options,
    *,
    against: Variant | str | None,
    claims: Sequence[str | Path],
    write_to: Path | None = None,
    claims_to: Path | None = None,
    watch: Watcher = lambda *_: None,
    child: Child | None = None,
) -> Audit:
    """A target by name, or the target of claims, or of a file of them, whose paths are relative to its folder. `against` may be a target too.

    `write_to` names the file for its variant, `claims_to` that for its counts. `watch` is called with the target and what is being done with
    it. `child`: the process to load it in.

    Raises:
        CapsauditError: as `audit`, or it cannot be loaded or run, or its variant or its claims cannot be written.
    """
    if claims_to is not None:
        expect_new_file(claims_to)
    files, folder = [*map(load_model_claims, claims)], None
    if isinstance(target, str) and target.endswith(".toml"):
        target = load_model_claims(target)
    if isinstance(target, ModelClaims):
        files, folder, options, target = [target, *files], target.path.parent, _with(options, target), target.target
    adapter = read_configuration((folder or Path()) / target) if options.base else None
    beside: Behaviour | None = None
    if isinstance(against, str):
        against, beside = _other(against, options, watch)
    inventory = load(
        target,
        kwargs=options.kwargs,
        inputs=options.inputs,
        timeout=options.timeout,
        folder=folder,
        watch=watch,
        part=options.part,
        nonzero=_is_nonzero_asked_for(options.policy, files),
        child=child,
        examine=partial(
            behaviour_of,
            against=against,
            stages=options.behaviour,
            properties=options.properties,
            methods=options.methods,
            loss=_named(options.loss),
            beside=beside,
        )
        if options.behaviour or options.properties
        else None,
    )
    _expect_tried(inventory, properties=options.properties)
    _expect_behaviour(inventory, options.methods, options.loss)
    result, match = audit(inventory, load_all(), against=against, claims=files, policy=options.policy or STORED)
    if adapter is not None and options.base is not None:
        base = load(options.base, timeout=options.timeout, watch=watch)
        result = msgspec.structs.replace(result, adapted=adapted(inventory, adapter, base))
    if write_to is not None:
        write_variant(match, inventory, write_to)
    if claims_to is not None:
        kwargs = options.kwargs if isinstance(options.kwargs, Mapping) else parse_kwargs(options.kwargs)
        write_claims(
            inventory,
            claims_to,
            kwargs=kwargs,
            inputs=options.inputs,
            policy=result.policy,
            part=options.part,
            folder=folder,
        )
    return result


def _other(target: str, options: Options, watch: Watcher) -> tuple[Variant, Behaviour | None]:
    """Another target to compare with: its network as a variant, and what it computes.

    Raises:
        CapsauditError: it cannot be loaded, or its tensors form no network of a known family.
    """
    examine = behaviour_of if options.behaviour else None
    shapes = options.inputs if parse_target(target).kind.startswith("python") else ()
    inventory = load(target, inputs=shapes, timeout=options.timeout, examine=examine, watch=watch)
    match = closest(inventory, load_all())
    if isinstance(match, NoMatch):
        raise CapsauditError(f"{target}: its tensors form no network to compare with: {match.because}")
    return match.as_variant(target), inventory.behaviour


def _expect_tried(inventory: Inventory, *, properties: bool) -> None:
    if properties and inventory.behaviour is None:
        raise CapsauditError(
            f"{inventory.target}: properties need an input to run the model on; pass one (--input 1,28,28), "
            "or name a function that returns the model and its example inputs"
        )


def _named(loss: str | Callable[..., object] | None) -> Target | str | Callable[..., object] | None:
    """A text with a colon names a function in Python code, whose path is relative to the current directory here; another one a method."""
    if not isinstance(loss, str) or ":" not in loss:
        return loss
    parsed = parse_target(loss)
    if parsed.kind == "python file":
        return msgspec.structs.replace(parsed, source=str(Path.cwd() / parsed.source))
    return parsed


def _expect_behaviour(inventory: Inventory, methods: Sequence[str], loss: object) -> None:
    """What is asked for beside forward needs a model that is a capsule network and runs."""
    found = inventory.behaviour
    if not (methods or loss) or (found and (found.stages or found.loss)):
        return
    what = "the loss" if loss else f"the method {methods[0]}"
    because = "it was not run; pass its input, such as --input 1,28,28, and leave out --no-behaviour"
    raise CapsauditError(f"{inventory.target}: {what} was not called: {found.because if found else because}")


def audit_targets(targets: Sequence[str], options: Options, *, watch: Watcher = lambda *_: None) -> Audits:
    """Several targets, each compared with what is stated about it. One that cannot be audited does not hide the others.

    Raises:
        CapsauditError: none of them could be audited.
    """
    found = [each for target in targets for each in audit_models(target, options, watch=watch)]
    audits = tuple(each for each in found if isinstance(each, Audit))
    faults = [fault for each in found if isinstance(each, CapsauditError) for fault in each.faults]
    faults += [_nothing_stated(audit.target) for audit in audits if audit.verdict == "unstated"]
    if not audits:
        raise CapsauditError(*faults)
    return Audits(audits=audits, faults=tuple(faults))


def audit_models(target: str, options: Options, *, watch: Watcher = lambda *_: None) -> list[Audit | CapsauditError]:
    """A target, or every model of a file of claims, one after the other in one process; the error of one that cannot be audited."""
    try:
        models = load_models(target) if target.endswith(".toml") else (target,)
    except CapsauditError as error:
        return [error]
    folder = models[0].path.parent if isinstance(models[0], ModelClaims) else None
    with Child(folder) as child:
        return [_audited(model, options, child, watch) for model in models]


def _audited(model: str | ModelClaims, options: Options, child: Child, watch: Watcher) -> Audit | CapsauditError:
    try:
        return audit_target(model, options, against=None, claims=(), watch=watch, child=child)
    except CapsauditError as error:
        return error


def _nothing_stated(target: str) -> str:
    return (
        f"{target}: nothing is stated about it; write its counts into a file, which then is a target in its place: "
        f"capsaudit audit {target} --write-claims net.claims.toml"
    )


def _with(options: Options, named: ModelClaims) -> Options:
    return msgspec.structs.replace(
        options,
        kwargs=options.kwargs or named.model.kwargs,
        inputs=options.inputs or named.inputs,
        policy=options.policy or named.policy,
        part=options.part or named.model.part,
    )


def _explanations(match: Match | None) -> tuple[Step, ...]:
    if match is None:
        return ()
    steps = explain(match.variant, match.as_variant("the model")).steps
    return tuple(step for step in steps if step.knob not in UNCOUNTED_KNOBS)


def _policies(inventory: Inventory) -> dict[str, int]:
    """Trainable and frozen parameters together by each policy that makes a difference."""
    usual = inventory.trainable() + inventory.frozen()
    special = [tensor for tensor in inventory.tensors if tensor.counts and not tensor.buffer]
    counts = {name: usual + sum(tensor.by(name) - tensor.count for tensor in special) for name in POLICIES}
    if counts["nonzero"] > _NEARLY_ALL * usual:
        del counts["nonzero"]
    return {name: count for name, count in counts.items() if count != usual or name == STORED}


def _layers(inventory: Inventory, match: Match | None, policy: str) -> Iterator[AuditedLayer]:
    """The variant's layers with the model's tensors for them; without a variant, the model's own layers."""
    if match is None:
        yield from _own_layers(inventory.tensors, policy)
        return
    expected = {row.name: row.formula.value for row in layers(match.variant.spec)}
    for name in dict.fromkeys((*match.network.layers, *expected)):
        yield _layer(name, match.network.layers.get(name, ()), expected.get(name, 0), policy)


def _beyond(inventory: Inventory, match: Match, policy: str) -> Iterator[AuditedLayer]:
    """What belongs to no layer of the network, by the model's own layers."""
    known = {tensor.name for tensors in match.network.layers.values() for tensor in tensors}
    yield from _own_layers([tensor for tensor in inventory.tensors if tensor.name not in known], policy, expected=0)


def _own_layers(tensors: Sequence[InventoryTensor], policy: str, expected: int | None = None) -> Iterator[AuditedLayer]:
    by_layer: dict[str, list[InventoryTensor]] = {}
    for tensor in tensors:
        by_layer.setdefault(tensor.layer, []).append(tensor)
    for name, found in by_layer.items():
        yield _layer(name, found, expected, policy)


def _layer(name: str, tensors: Sequence[InventoryTensor], expected: int | None, policy: str) -> AuditedLayer:
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
        kind=kinds.pop() if len(kinds := {tensor.kind for tensor in tensors}) == 1 else "",
        tensors=tuple([tensor.name for tensor in tensors]),
        trainable=trainable,
        frozen=frozen,
        buffers=buffers,
        expected=expected,
        difference=None if expected is None else trainable - expected,
    )


def _verdict(result: Audit) -> Literal["agrees", "disagrees", "unstated"]:
    """Every claim must agree, and the model be `against` where it is compared with it; to find the closest variant decides nothing."""
    if not result.claims and result.against is None:
        return "unstated"
    agrees = all(claim.verdict == "agrees" for claim in result.claims)
    return "agrees" if agrees and (result.against is None or result.is_variant) else "disagrees"
