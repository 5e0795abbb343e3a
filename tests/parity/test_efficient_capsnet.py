"""Efficient-CapsNets: every deviation of the examples is named, none is invented, and the models stay as they are."""

import pytest
import torch
from torch import Tensor, nn

from capsaudit import api
from capsaudit.parity.efficient_capsnet.stages import (
    LOGITS,
    SOFTMAXES,
    SQUASHES,
    USUAL_SQUASHES,
    agreements,
    attention,
)
from capsaudit.parity.equations import LAYOUTS, OUTPUTS, PLACES, squashes_of
from tests.parity.efficient_examples import (
    CLEAN,
    DEVIATING,
    Example,
    LayerByLayer,
    LimitedAgreement,
    OfTheBatch,
    OneForward,
    Transposed,
    UnknownActivation,
    UnknownCoupling,
    UnknownCouplingOfSums,
    UnknownSquash,
)
from tests.parity.test_behaviour import behaviour_of, deviations


@pytest.mark.parametrize("example", DEVIATING)
def test_every_deviation_is_named_and_no_other(example: type[Example]) -> None:
    found = behaviour_of(example())
    assert found.verdict == "differs"
    assert deviations(found) == example.DEVIATIONS
    assert {row.verdict for row in found.stages} == {"agrees", "differs"}
    assert next(iter(example.DEVIATIONS)) in found.because


@pytest.mark.parametrize("example", [each for each in DEVIATING if each.__name__ != "EachImage"])
def test_what_the_reference_would_compute_is_far_from_what_the_model_does(example: type[Example]) -> None:
    rows = [row for row in behaviour_of(example()).stages if row.verdict == "differs"]
    assert all(row.error is not None and row.error > 1e-3 for row in rows)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("example", CLEAN)
def test_none_is_invented(example: type[Example], seed: int) -> None:
    torch.manual_seed(seed)
    found = behaviour_of(example())
    assert (found.verdict, deviations(found)) == ("agrees", {})
    assert all(row.error is not None and row.error < 1e-6 for row in found.stages)


class Composed(nn.Module):
    """A network whose stages compute what is named, of the tables; 16 capsules on a grid of 2×2."""

    def __init__(self, **names: str) -> None:
        super().__init__()
        convs = [nn.Conv2d(1, 8, 5), nn.Conv2d(8, 16, 3), nn.Conv2d(16, 16, 3), nn.Conv2d(16, 32, 3, 2)]
        norms = [nn.BatchNorm2d(conv.out_channels) for conv in convs]
        self.features = nn.Sequential(
            *(each for conv, norm in zip(convs, norms, strict=True) for each in (conv, nn.ReLU(), norm))
        )
        self.depthwise = nn.Conv2d(32, 32, 4, groups=32)
        self.W, self.b = nn.Parameter(torch.randn(10, 16, 8, 16)), nn.Parameter(torch.zeros(10, 16, 1))
        self.names = {stage: table[0] for stage, table in ALTERNATIVES.items()} | names

    def forward(self, x: Tensor) -> Tensor:
        names = self.names
        z = self.depthwise(self.features(x))
        u = z.flatten(1)[:, LAYOUTS[names["layout"]](torch.arange(128).view(32, 2, 2), 8)]
        u = squashes_of(16, SQUASHES, USUAL_SQUASHES)[names["primary"].replace("capsules", "classes")](u)
        hat = torch.einsum("bid,jide->bije", u, self.W)
        agreement = attention(hat) / agreements(16, 8, 16)[names["agreement"]]
        c = LOGITS[names["logits"]](SOFTMAXES[names["softmax"]], agreement, self.b.squeeze(-1).T)
        v = squashes_of(10, SQUASHES, USUAL_SQUASHES)[names["squash"]]((c.unsqueeze(-1) * hat).sum(1))
        return OUTPUTS[names["output"]](v)


STAGES = {"layout": "primary_caps.layout", "primary": "primary_caps.squash", "squash": "digit_caps.squash"}
ALTERNATIVES = {
    "layout": list(LAYOUTS),
    "primary": [name.replace("classes", "capsules") for name in squashes_of(16, SQUASHES, USUAL_SQUASHES)],
    "agreement": list(agreements(16, 8, 16)),
    "softmax": list(SOFTMAXES),
    "logits": list(LOGITS),
    "squash": list(squashes_of(10, SQUASHES, USUAL_SQUASHES)),
    "output": list(OUTPUTS),
}
HIDING = {"over a single value": {"agreement"}, "not applied": {"logits"}}
"""With these nothing depends on another stage: no softmax has a before and a behind."""


@pytest.mark.parametrize(
    ("stage", "name"), [(stage, name) for stage, table in ALTERNATIVES.items() for name in table[1:]]
)
def test_each_alternative_is_told_from_all_others(stage: str, name: str) -> None:
    torch.manual_seed(0)
    found = deviations(behaviour_of(Composed(**{stage: name})))
    hidden = HIDING.get(name, set())
    assert {each: model for each, model in found.items() if each not in hidden} == (
        {} if name in PLACES else {STAGES.get(stage, stage): name}
    )
    assert hidden <= set(found)


def test_the_stages_are_those_of_the_family() -> None:
    stages = [row.stage for row in behaviour_of(OneForward()).stages]
    before = ["conv1", "primary_caps.layout", "primary_caps.squash", "votes"]
    assert stages == [*before, "agreement", "softmax", "logits", "digit_caps.squash", "output", "decoder"]
    assert "decoder" not in [row.stage for row in behaviour_of(Transposed()).stages]


@pytest.mark.parametrize("variant", ["efficient-capsnet", "efficient-capsnet-decoder"])
def test_the_shipped_variants_agree(variant: str) -> None:
    found = behaviour_of(api.build(variant))
    assert (found.verdict, found.reference, deviations(found)) == ("agrees", variant, {})


def test_without_log_priors_there_is_no_such_stage() -> None:
    found = behaviour_of(api.build(api.load_variant("efficient-capsnet", settings=("digit_caps.logits=zero",))))
    assert found.verdict == "agrees"
    assert "logits" not in [row.stage for row in found.stages]


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 1, 3, 2), (3, 2, 1, 0)])
def test_the_order_of_the_axes_of_w_is_no_deviation(order: tuple[int, ...]) -> None:
    class Ordered(OneForward):
        def __init__(self) -> None:
            super().__init__()
            self.W = nn.Parameter(self.W.detach().permute(order).contiguous())
            self.b = nn.Parameter(self.b.detach().transpose(0, 1).contiguous())

        def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
            back = [order.index(axis) for axis in range(4)]
            hat = torch.einsum("bid,jide->bije", self.capsules(self.primary(self.features(x))), self.W.permute(back))
            c = ((hat * hat.sum(1, keepdim=True)).sum(-1, keepdim=True) / 4).softmax(2) + self.b
            s = (c * hat).sum(1)
            v = s / s.norm(dim=-1, keepdim=True) * -torch.expm1(-s.norm(dim=-1, keepdim=True))
            assert y is not None
            return v.norm(dim=-1), self.decoder(self.chosen(v, y))

    assert deviations(behaviour_of(Ordered())) == {}


def test_what_a_softmax_over_one_value_hides() -> None:
    """All coefficients are one, so the agreement is not seen; the normalisations have no running statistics."""
    found = behaviour_of(OfTheBatch())
    rows = {row.stage: row for row in found.stages if row.verdict != "agrees"}
    assert {stage: row.verdict for stage, row in rows.items()} == {
        "conv1": "differs",
        "agreement": "undetermined",
        "softmax": "differs",
    }
    assert rows["conv1"].model == "ReLU, BatchNorm with the statistics of the batch behind it"
    assert (rows["softmax"].model, rows["conv1"].error) == ("over a single value", None)


def verdicts(example: type[Example]) -> dict[str, str]:
    return {row.stage: row.verdict for row in behaviour_of(example()).stages}


@pytest.mark.parametrize("example", [UnknownCoupling, UnknownCouplingOfSums, LimitedAgreement])
def test_a_coupling_that_nothing_listed_explains(example: type[Example]) -> None:
    """Also where something fits at one size of the weights."""
    found = verdicts(example)
    assert [stage for stage, verdict in found.items() if verdict == "agrees"] == list(found)[:4]
    assert (found["agreement"], found["softmax"], found["output"]) == ("undetermined", "not seen", "not seen")


def test_a_class_squash_that_nothing_listed_explains() -> None:
    """The nearest is another squash, not the sums as they are: those were recorded whatever is made of them."""
    found = behaviour_of(UnknownSquash())
    rows = {row.stage: row for row in found.stages if row.verdict != "agrees"}
    assert {stage: row.verdict for stage, row in rows.items()} == {
        "digit_caps.squash": "undetermined",
        "output": "not seen",
    }
    assert "no squash" not in rows["digit_caps.squash"].because


def test_an_activation_that_nothing_listed_explains() -> None:
    """What comes behind the votes is judged from the model's own."""
    found = verdicts(UnknownActivation)
    assert {verdict for stage, verdict in found.items() if stage in ("conv1", "primary_caps.squash")} == {
        "undetermined"
    }
    assert {verdict for stage, verdict in found.items() if "primary" not in stage and stage != "conv1"} == {"agrees"}


class Hidden(LayerByLayer):
    """Votes and sums of one image at a time: none has the size of a batch before the class capsules are stacked."""

    class Digits(nn.Module):
        axis = 1

        def __init__(self) -> None:
            super().__init__()
            self.weight, self.prior = nn.Parameter(torch.randn(16, 10, 8, 16)), nn.Parameter(torch.zeros(16, 10))

        def forward(self, u: Tensor) -> Tensor:
            return torch.stack([self.one(each) for each in u])

        def one(self, u: Tensor) -> Tensor:
            hat = torch.einsum("id,ijde->ije", u, self.weight)
            c = ((hat * hat.sum(0)).sum(-1) / 4).softmax(self.axis) + self.prior
            s = (c.unsqueeze(-1) * hat).sum(0)
            n = s.norm(dim=-1, keepdim=True)
            capsules: Tensor = s * (1 - torch.exp(-n)) / n
            return capsules

    def __init__(self) -> None:
        super().__init__()
        self.digits = self.Digits()  # type: ignore[assignment]


def test_votes_and_sums_that_are_not_seen() -> None:
    model = Hidden()
    assert behaviour_of(model).verdict == "agrees"
    model.digits.axis = 0  # type: ignore[assignment]
    assert deviations(behaviour_of(model)) == {"softmax": "over the inputs"}


class TrainedByTarget(OneForward):
    """The target's capsule in training, the prediction's in eval mode, although there are labels."""

    def chosen(self, v: Tensor, y: Tensor) -> Tensor:
        return super().chosen(v, y if self.training else v.norm(dim=-1).argmax(1))


def test_the_decoder_in_training() -> None:
    """Batch normalisation by the statistics of the batch would change the capsules, and nothing could be told."""
    found = behaviour_of(TrainedByTarget())
    assert found.verdict == "agrees"
    assert found.stages[-1].model == "masked by the target; in eval mode masked by the prediction"


@pytest.mark.parametrize("example", [CLEAN[0], DEVIATING[0]])
def test_the_model_stays_as_it_is(example: type[Example]) -> None:
    """Statistics of normalisations and their number of batches too, in training mode too."""
    model = example()
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    behaviour_of(model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(part.training for part in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
