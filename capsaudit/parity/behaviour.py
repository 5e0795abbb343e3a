"""The verdict of each stage: the readings that fit at every gain, beside what the reference says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from capsaudit.catalogue import Variant, load_all
from capsaudit.errors import CapsauditError
from capsaudit.families.capsnet import CapsNet
from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.inspection.foreign_errors import one_line
from capsaudit.inventory import Behaviour, BehaviourLoss, BehaviourStage, BehaviourVerdict, Inventory
from capsaudit.parity.base import NOT_STATED, Found, Method, Stage
from capsaudit.recognition.base import Match, NoMatch, RecognisedNetwork
from capsaudit.recognition.closest import closest
from capsaudit.spec import Spec

if TYPE_CHECKING:
    from torch import nn

    from capsaudit.inspection.modules.forward import Arguments
    from capsaudit.parity.calls import Call
    from capsaudit.parity.loss.function import Named


_LEFT_OUT = Behaviour(
    verdict="not run", reference=None, stages=(), because="the stages of its forward pass were left out"
)


def behaviour(
    module: nn.Module,
    inventory: Inventory,
    example: Arguments | None = None,
    *,
    against: Variant | None = None,
    stages: bool = True,
    properties: bool = False,
    methods: Sequence[str] = (),
    loss: Named | None = None,
    beside: Behaviour | None = None,
) -> Behaviour:
    """Whether a module, which is not changed, computes what the variant it is closest to, or `against`, computes, and its properties.

    Args:
        module: The model.
        inventory: Its tensors.
        example: Arguments that its forward takes; a capsule network may do without.
        against: The variant that it is compared with; the closest one by default.
        stages: Whether the stages of its forward pass are determined.
        properties: Whether its properties are tried also if it is no capsule network, or if the stages are left out.
        methods: Those that are called after forward, such as a `loss` that runs the decoder.
        loss: A function, or a method of the model, that is compared with the paper's loss.
        beside: What another model computes, which `against` is: it is the reference then, in place of the paper.

    Raises:
        CapsauditError: there is no such method or loss, or it does not run.
    """
    match = closest(inventory, (against,) if against else load_all())
    network = match.network if isinstance(match, Match) else None
    capsules = network if network and isinstance(network.spec, CapsNet | EfficientCapsNet) else None
    found = _determined(module, match, example, methods, loss, beside) if stages or capsules is None else _LEFT_OUT
    if not (properties or (stages and capsules)):
        return found
    from capsaudit.parity.properties import properties_of  # imports torch

    return msgspec.structs.replace(found, properties=properties_of(module, capsules, example))


def _determined(
    module: nn.Module,
    match: Match | NoMatch,
    example: Arguments | None,
    methods: Sequence[str],
    loss: Named | None,
    beside: Behaviour | None,
) -> Behaviour:
    method = _method(match.network.spec) if isinstance(match, Match) else None
    if not isinstance(match, Match) or method is None:
        return Behaviour(
            verdict="not recognised",
            reference=None,
            stages=(),
            because="its tensors form neither a capsule network of Sabour et al. 2017 nor an Efficient-CapsNet",
        )
    from capsaudit.parity.calls import example_batch
    from capsaudit.parity.prepare import call_of, with_methods

    try:
        call = call_of(module, match.network, example)
    except Exception as error:  # whatever a model does here, its parameters can be counted
        return _not_run(match.variant, error)
    call = with_methods(call, module, match.network, methods)
    terms = _terms(loss, module, match.network, call)
    try:
        found = method.found(module, match.network, call)
    except Exception as error:
        return _not_run(match.variant, error, terms)
    stages = method.stages(match.network.spec)
    if beside is not None:
        computed = {row.stage: row.model for row in beside.stages if row.verdict in ("agrees", "differs")}
        stages = [stage.of(computed.get(stage.name)) for stage in stages]
    rows = tuple(_row(stage, found) for stage in stages)
    rows = tuple(_with_candidates(row, module, match.network, methods) for row in rows)
    seen = [
        term for term in terms if term.verdict != "not seen"
    ] or terms  # a loss may have one term; one without any was not compared
    verdicts = [row.verdict for row in rows] + [term.verdict for term in seen]
    order: tuple[BehaviourVerdict, ...] = ("differs", "undetermined", "not seen", "agrees")
    verdict = next(each for each in order if each in verdicts)
    because = _because(stages, rows, seen)
    image = match.network.spec.image
    shape = image.channels, image.height, image.width
    if example is not None and example_batch(example, shape) is None:
        because += f"; determined with images of {'×'.join(map(str, shape))}: the given input has none"
    return Behaviour(
        verdict=verdict,
        reference=match.variant.id,
        stages=rows,
        because=because,
        precision=found.precision,
        loss=terms,
    )


def _terms(loss: Named | None, module: nn.Module, network: RecognisedNetwork, call: Call) -> tuple[BehaviourLoss, ...]:
    if loss is None:
        return ()
    from capsaudit.parity.loss.verdicts import loss_rows

    return loss_rows(loss, module, network, call)


def _not_run(reference: Variant, error: Exception, terms: tuple[BehaviourLoss, ...] = ()) -> Behaviour:
    because = str(error) if isinstance(error, CapsauditError) else one_line(error)
    return Behaviour(verdict="not run", reference=reference.id, stages=(), because=because, loss=terms)


def _with_candidates(
    row: BehaviourStage, module: nn.Module, network: RecognisedNetwork, called: Sequence[str]
) -> BehaviourStage:
    """A decoder that forward does not run may be run by a method: which ones could be called too."""
    from capsaudit.parity.methods import methods_that_use

    if row.stage != "decoder" or row.verdict != "not seen":
        return row
    tensor = network.layers["fc1"][0].name
    if not (names := [each for each in methods_that_use(module, tensor) if each not in called]):
        return row
    options = " or ".join(f"--method {name}" for name in names)
    because = f"{row.because}; {options} calls a method whose code uses {tensor.partition('.')[0]}"
    return msgspec.structs.replace(row, because=because)


def _method(spec: Spec) -> Method | None:
    """Imported when it is needed: with torch."""
    if isinstance(spec, CapsNet):
        from capsaudit.parity.capsnet import match as capsnet

        return Method(capsnet.stages_of, capsnet.found_in)
    if isinstance(spec, EfficientCapsNet):
        from capsaudit.parity.efficient_capsnet import match as efficient_capsnet

        return Method(efficient_capsnet.stages_of, efficient_capsnet.found_in)
    return None


def _row(stage: Stage, found: Found) -> BehaviourStage:
    """A stage is determined if all readings say the same of it."""
    names = found.names(stage.name)
    verdict: BehaviourVerdict
    model = " or ".join(names) or None
    reference = stage.accepted[0] if stage.accepted else "not known"
    if not stage.accepted:
        verdict, because = "undetermined", "what the other model computes there could not be determined"
    elif not names and found.is_open(stage.name):
        verdict, because = "undetermined", _nothing_fits(found.nearest(stage.name))
    elif not names:
        verdict, because = "not seen", found.unseen(stage.name)
    elif all(name in stage.accepted for name in names):
        verdict, because = (
            "agrees",
            "the values are equal" if reference != NOT_STATED else "the paper does not say",
        )
        model = names[0]
    elif len(names) > 1:
        verdict, because = "undetermined", "several fit alike"
    else:
        verdict, because = "differs", f"only this fits at each of {found.gains} sizes of the weights"
    if stage.name == "decoder" and verdict == "differs" and not found.has_labels:
        verdict, because = "undetermined", "forward takes no labels, so what is masked in training was not seen"
    return BehaviourStage(
        stage=stage.name,
        verdict=verdict,
        reference=reference,
        model=model,
        error=found.error(stage.name, reference, agrees=verdict == "agrees") if stage.accepted else None,
        because=because,
    )


def _nothing_fits(nearest: tuple[str, float] | None) -> str:
    nothing = "nothing that is known fits at every size of the weights"
    return (
        nothing
        if nearest is None
        else f"{nothing}; the nearest, {nearest[0]}, has a relative error of {nearest[1]:.2g}"
    )


def _because(stages: Sequence[Stage], rows: Sequence[BehaviourStage], terms: Sequence[BehaviourLoss]) -> str:
    """The first stage that differs, or what keeps the whole from being determined."""
    for stage, row in zip(stages, rows, strict=True):
        if row.verdict == "differs":
            where = f" ({stage.source})" if stage.source else ""
            return (
                f"{row.stage} is the first stage that differs: “{row.model}” in the model, “{row.reference}” in the reference{where}; "
                "what follows is judged from the model's own values"
            )
    if differing := next((term for term in terms if term.verdict == "differs"), None):
        return f"no stage is known to differ; the {differing.term} loss does: “{differing.model}” here, “{differing.reference}” in the paper"
    open_ = [row.stage for row in rows if row.verdict != "agrees"]
    open_ += [f"{term.term} loss" for term in terms if term.verdict != "agrees"]
    return f"no stage is known to differ; {', '.join(open_)} could not be determined" if open_ else "every stage agrees"
