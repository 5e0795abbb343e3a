"""The verdict of each stage: the readings that fit at every gain, beside what the reference says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from capsaudit.catalogue import Variant, load_all
from capsaudit.errors import CapsauditError
from capsaudit.families.capsnet import CapsNet
from capsaudit.inspection.foreign_errors import one_line
from capsaudit.inventory import Behaviour, BehaviourStage, BehaviourVerdict, Inventory
from capsaudit.recognition.base import Match
from capsaudit.recognition.closest import closest

if TYPE_CHECKING:
    from torch import nn

    from capsaudit.parity.match import Found

_PLACES = ("channels of one place", "channels of one place, taken at equal distances")

_EQUATIONS = {
    "conv1": "section 4",
    "primary_caps.layout": "section 4",
    "primary_caps.squash": "eq. 1",
    "votes": "eq. 2",
    "softmax": "eq. 3",
    "agreement": "procedure 1, line 7",
    "iterations": "procedure 1, line 3",
    "digit_caps.squash": "eq. 1",
    "output": "section 3",
    "decoder": "section 4.1",
}
"""Where the paper says what a stage computes."""


class Stage(NamedTuple):
    """What the reference computes: any of these, of which the first is shown."""

    name: str
    accepted: tuple[str, ...]


def behaviour(module: nn.Module, inventory: Inventory, *, against: Variant | None = None) -> Behaviour:
    """Whether a module, which is not changed, computes what the variant it is closest to, or `against`, computes."""
    match = closest(inventory, (against,) if against else load_all())
    if not isinstance(match, Match) or not isinstance(match.network.spec, CapsNet):
        return Behaviour(
            verdict="not recognised",
            reference=None,
            stages=(),
            because="its tensors form no capsule network of Sabour et al. 2017",
        )
    from capsaudit.parity.match import found_in

    try:
        found = found_in(module, match.network)
    except Exception as error:  # whatever a model does here, its parameters can be counted
        because = str(error) if isinstance(error, CapsauditError) else one_line(error)
        return Behaviour(verdict="not run", reference=match.variant.id, stages=(), because=because)
    rows = tuple(_row(stage, found) for stage in _stages(match.network.spec))
    verdicts = [row.verdict for row in rows]
    order: tuple[BehaviourVerdict, ...] = ("differs", "undetermined", "not seen", "agrees")
    verdict = next(each for each in order if each in verdicts)
    return Behaviour(verdict=verdict, reference=match.variant.id, stages=rows, because=_because(rows))


def _stages(spec: CapsNet) -> list[Stage]:
    """What the reference computes, stage by stage."""
    digit = spec.digit_caps
    softmax = "over the classes and none of the above" if digit.none_of_the_above else "over the classes"
    stages = [
        Stage("conv1", ("ReLU",)),
        Stage("primary_caps.layout", _PLACES),
        Stage("primary_caps.squash", ("eq. 1",)),
        Stage("votes", ("û = W u",)),
        *([Stage("bias", ("added to s",))] if digit.bias else []),
        *([Stage("logits", ("stored",))] if digit.logits != "zero" else []),
        Stage("softmax", (softmax,)),
        *([Stage("agreement", ("added, each image by itself",))] if digit.iterations > 1 else []),
        Stage("iterations", (str(digit.iterations),)),
        Stage("digit_caps.squash", ("eq. 1",)),
        Stage("output", ("lengths",)),
    ]
    if spec.decoder:
        stages.append(Stage("decoder", (f"{spec.decoder.input} by the target",)))
    return stages


def _row(stage: Stage, found: Found) -> BehaviourStage:
    """A stage is determined if all readings say the same of it."""
    names = found.names(stage.name)
    verdict: BehaviourVerdict
    model = " or ".join(names) or None
    if not names and found.is_open(stage.name):
        verdict, because = "undetermined", "nothing that is known fits at every size of the weights"
    elif not names:
        verdict, because = "not seen", found.unseen(stage.name)
    elif all(name in stage.accepted for name in names):
        verdict, because = "agrees", "the values are equal"
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
        reference=stage.accepted[0],
        model=model,
        error=found.error(stage.name, stage.accepted[0], agrees=verdict == "agrees"),
        because=because,
    )


def _because(rows: Sequence[BehaviourStage]) -> str:
    """The first stage that differs, or what keeps the whole from being determined."""
    for row in rows:
        if row.verdict == "differs":
            where = f" ({_EQUATIONS[row.stage]})" if row.stage in _EQUATIONS else ""
            return (
                f"{row.stage} is the first stage that differs: the model's is {row.model}, the reference's {row.reference}{where}; "
                "what follows is judged from the model's own values"
            )
    open_ = [row.stage for row in rows if row.verdict != "agrees"]
    return f"no stage differs; {', '.join(open_)} could not be determined" if open_ else "every stage agrees"
