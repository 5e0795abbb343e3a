"""What each stage can be shown to compute, by stage; N stands for a number that depends on the model."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache

import torch

from capsaudit import api
from capsaudit.catalogue import Variant
from capsaudit.families.capsnet import CapsNet
from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.inspection.module import inspect_module
from capsaudit.parity.base import Stage
from capsaudit.parity.capsnet import match as sabour
from capsaudit.parity.capsnet.gradient import GRADIENTS, NO_GRADIENT
from capsaudit.parity.capsnet.routing import class_squashes, first_sums
from capsaudit.parity.capsnet.stages import AGREEMENTS
from capsaudit.parity.decoder import decoder_errors
from capsaudit.parity.efficient_capsnet import match as mazzia
from capsaudit.parity.efficient_capsnet.convolutions import Convolutions
from capsaudit.parity.efficient_capsnet.routing import squashes, sums_of
from capsaudit.parity.efficient_capsnet.stages import Norm, activated
from capsaudit.parity.equations import OUTPUTS
from capsaudit.parity.front import fronts
from capsaudit.parity.prepare import BATCH, GAINS, Run, run_with
from capsaudit.parity.record import Recording
from capsaudit.recognition.base import Match, RecognisedNetwork
from capsaudit.recognition.closest import closest

BY_MODE, BY_LAYER = "…; in eval mode …", "… in convN"
"""What a name is of where the model does two things."""

_IN_LAYERS = re.compile(r" in conv\d(, conv\d)*")

Named = Iterable[tuple[str, str]]


def with_n(name: str) -> str:
    return re.sub(r"^\d+$|(?<=s/)\d+$|(?<=over the )\d+(?= )", "N", name)


def parts_of(name: str) -> set[str]:
    """The entries that explain a name: that of the whole, or those of its parts."""
    by_mode = [BY_MODE] if "; in eval mode " in name else []
    by_layer = [BY_LAYER] if _IN_LAYERS.search(name) else []
    return {with_n(name), *re.split(", |; ", _IN_LAYERS.sub("", name)), *by_mode, *by_layer}


@cache
def of_sabour() -> dict[str, set[str]]:
    """With all stages: two variants have a bias, trained logits and another input of the decoder."""
    more: dict[str, Collection[str]] = {
        "logits": [sabour._KEPT],
        "agreement": AGREEMENTS,
        "digit_caps.squash": class_squashes(10),
        "gradient": [*GRADIENTS, NO_GRADIENT],
    }
    small = ("image.size=24", "primary_caps.types=4", "conv1.channels=16")
    variants = (
        api.load_variant("trainable-logits", settings=(*small, "digit_caps.bias=true")),
        api.load_variant("selected-decoder", settings=small),
    )
    named: list[tuple[str, str]] = [(stage, name) for stage, names in more.items() for name in names]
    for variant in variants:
        assert isinstance(variant.spec, CapsNet)
        nothing = _unrecorded(_run_of(variant)[0])
        tried = fronts(nothing, sabour._primary(nothing), None, deviations=1)
        routed = first_sums(nothing, tried[0], None)
        named += _pairs([*(each.names for each in tried), *(each.names for each in routed)])
        named += _shared(nothing, sabour.stages_of(variant.spec))
    return _by_stage(named)


@cache
def of_mazzia() -> dict[str, set[str]]:
    """At more than one place, where layouts differ: 9 − 8 + 1 = 2, so 2·2 places of 32/8 capsules, which are 16 as for MNIST."""
    variant = api.load_variant("efficient-capsnet-decoder", settings=("layers.4.channels=32", "primary_caps.kernel=8"))
    assert isinstance(variant.spec, EfficientCapsNet)
    run, network = _run_of(variant)
    nothing = _unrecorded(run)
    primary = mazzia._primary(nothing, Convolutions(run, mazzia._epsilons(run.module, network)))
    tried = fronts(nothing, primary, None, deviations=1)
    routed = sums_of(nothing, tried[0], None)
    named = list(_pairs([*(each.names for each in tried), *(each.names for each in routed)]))
    named += [("digit_caps.squash", name) for name in squashes(run)]
    named += _shared(nothing, mazzia.stages_of(variant.spec))
    one = torch.ones(1)
    named += [("conv1", name) for name in (*activated(Norm(one, one, one, one)), BY_LAYER)]
    found = _by_stage(named)
    found["conv1"] = {part for name in found["conv1"] for part in name.split(", ")}
    return found


def _run_of(variant: Variant) -> tuple[Run, RecognisedNetwork]:
    module = api.build(variant)
    match = closest(inspect_module(module, "mine"), (variant,))
    assert isinstance(match, Match)
    return run_with(module, match.network, GAINS[0]), match.network


def _unrecorded(run: Run) -> Run:
    """As if nothing had been recorded, where everything is tried."""
    return run._replace(recording=Recording([], None, BATCH))


def _shared(run: Run, stages: Sequence[Stage]) -> Iterator[tuple[str, str]]:
    """What the reference says, and the stages that the families share."""
    for stage in stages:
        yield from ((stage.name, name) for name in stage.accepted)
    yield from (("output", name) for name in OUTPUTS)
    yield "decoder", BY_MODE
    for name, _ in decoder_errors(run, torch.zeros(BATCH, 10, 16).double()):
        yield from (("decoder", part) for part in name.split(", "))


def _pairs(names: Sequence[dict[str, str]]) -> Iterator[tuple[str, str]]:
    for each in names:
        yield from each.items()


def _by_stage(named: Named) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for stage, name in named:
        found.setdefault(stage, set()).add(with_n(name))
    return found
