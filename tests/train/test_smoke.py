"""Short runs: verdicts that can fail."""

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from capsaudit import api
from capsaudit.catalogue import load_variant, shipped
from capsaudit.data.digits import load_digits
from capsaudit.errors import DataError
from capsaudit.models import build
from capsaudit.results import BeforeAfter, Reason, Runs, RunVerdict, TrainedTensor
from capsaudit.train.plan import Plan
from capsaudit.train.smoke import GradientWatcher, judge_run, smoke
from tests.train.tiny import TINY, write_tiny


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny(tmp_path, "article")


def runs(path: Path, *settings: str, **plan: object) -> Runs:
    return api.train_smoke(load_variant(path, settings=settings), **{"steps": 60, **plan})  # type: ignore[arg-type]


def test_a_small_article_learns_and_everything_moves(tiny: Path) -> None:
    result = runs(tiny, steps=150, rate=0.003)
    (done,) = result.runs
    assert done.verdict == "learns", done.reasons
    assert done.accuracy.after > 0.5
    assert done.counted == done.updated == api.count(tiny).trainable == sum(p.count for p in done.parameters)
    assert result.agrees


def test_one_iteration_leaves_the_articles_logits_unreachable(tiny: Path) -> None:
    """c is the coupling of the first iteration, b the prior of the later ones; with one there are none."""
    (done,) = runs(tiny, "digit_caps.iterations=1").runs
    assert done.verdict == "unreachable"
    assert [p.name for p in done.parameters if not p.reached] == ["digit_caps.logits"]
    assert done.counted - done.updated == next(p.count for p in done.parameters if p.name == "digit_caps.logits")


def test_the_last_iteration_alone_leaves_the_first_coupling_unreachable(tiny: Path) -> None:
    (done,) = runs(tiny, "digit_caps.gradient=last").runs
    assert done.verdict == "unreachable"
    assert [p.name for p in done.parameters if not p.reached] == ["digit_caps.coupling"]


def test_a_rate_of_zero_does_not_learn(tiny: Path) -> None:
    (done,) = runs(tiny, rate=0.0).runs
    assert (done.verdict, done.updated) == ("does not learn", 0)


def test_without_any_loss_nothing_is_reached(tiny: Path) -> None:
    (done,) = runs(tiny, margin=False, reconstruction=False).runs
    assert done.verdict == "unreachable"
    (without,) = runs(tiny, reconstruction=False).runs
    assert {p.name for p in without.parameters if not p.reached} == {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"}


def test_a_loss_that_is_not_finite_stops_the_run(tiny: Path) -> None:
    (done,) = runs(tiny, rate=1e30).runs
    assert done.verdict == "does not learn"
    assert [why.code for why in done.reasons] == ["not finite"]
    assert done.steps == done.reasons[0].values["step"] < 60
    assert done.loss.last is None


def test_frozen_logits_stay_where_they_are(tmp_path: Path) -> None:
    (done,) = runs(write_tiny(tmp_path, "frozen-logits")).runs
    assert "digit_caps.logits" not in {p.name for p in done.parameters}
    assert done.counted == done.updated


def test_two_digits_are_learnt_apart(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text('data = "multimnist"\n' + TINY.format(parent="paper").replace("= 16", "= 20"))
    trained = smoke(load_variant(path), load_digits(), Plan(steps=20))
    assert "two of different classes overlaid" in trained.run.data
    assert trained.run.counted == trained.run.updated
    assert trained.run.loss.last < trained.run.loss.first  # type: ignore[operator]


@pytest.mark.parametrize("variant", sorted(shipped()))
def test_blank_images_and_zero_vectors_give_no_nan(variant: str) -> None:
    spec = load_variant(variant).spec
    if spec.image.height * spec.image.width > 800 and variant.startswith("baseline"):
        pytest.skip("a baseline has neither capsules nor squash; its size would only cost time")
    model = build(spec)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "bias" in name:
                parameter.zero_()  # so that blank images make zero vectors everywhere
    output = model(torch.zeros(2, spec.image.channels, spec.image.height, spec.image.width), torch.tensor([0, 1]))
    loss = output.scores.square().sum() + (0 if output.reconstruction is None else output.reconstruction.sum())
    loss.backward()
    assert output.scores.isfinite().all()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def tensor(name: str, count: int = 5, *, reached: bool = True, changed: int = 5) -> TrainedTensor:
    return TrainedTensor(
        name=name, count=count, updated=count if changed else 0, reached=reached, values_changed=changed
    )


GAIN = BeforeAfter(before=0.1, after=0.9)


@pytest.mark.parametrize(
    ("losses", "gain", "tensors", "verdict", "reason"),
    [
        pytest.param(
            [1.0, 0.5], GAIN, [tensor("w")], "learns", Reason("accuracy", {"before": 0.1, "after": 0.9}), id="learns"
        ),
        pytest.param(
            [1.0, math.nan], GAIN, [tensor("w")], "does not learn", Reason("not finite", {"step": 2}), id="NaN"
        ),
        pytest.param(
            [math.inf],
            GAIN,
            [tensor("w", reached=False)],
            "does not learn",
            Reason("not finite", {"step": 1}),
            id="infinite",
        ),
        pytest.param(
            [1.0],
            GAIN,
            [tensor("w"), tensor("b", 7, reached=False, changed=0), tensor("c", 3, reached=False)],
            "unreachable",
            Reason("unreachable", {"tensors": ["b", "c"], "count": 10}),
            id="unreachable",
        ),
        pytest.param(
            [1.0],
            GAIN,
            [tensor("w"), tensor("b", changed=0)],
            "does not learn",
            Reason("not updated", {"tensors": ["b"]}),
            id="not updated",
        ),
        pytest.param(
            [1.0],
            BeforeAfter(before=0.5, after=0.59),
            [tensor("w")],
            "does not learn",
            Reason("gained too little", {"before": 0.5, "after": 0.59, "least": 0.1}),
            id="too little",
        ),
        pytest.param(
            [1.0],
            BeforeAfter(before=0.5, after=0.25),
            [tensor("w")],
            "does not learn",
            Reason("gained too little", {"before": 0.5, "after": 0.25, "least": 0.1}),
            id="worse",
        ),
        pytest.param(
            [1.0],
            BeforeAfter(before=0.5, after=0.75),
            [tensor("w")],
            "learns",
            Reason("accuracy", {"before": 0.5, "after": 0.75}),
            id="enough",
        ),
    ],
)
def test_the_verdict_on_a_run(
    losses: list[float], gain: BeforeAfter, tensors: list[TrainedTensor], verdict: RunVerdict, reason: Reason
) -> None:
    assert judge_run(losses, gain, tensors) == (verdict, reason)


def test_what_a_gradient_reaches_and_what_changes_is_recorded() -> None:
    """A layer that is used, one that is not, and one whose gradient is zero."""
    model = nn.ModuleDict({name: nn.Linear(2, 2, bias=False) for name in ("used", "unused", "zero")})
    watcher = GradientWatcher(model)
    assert {row.name: row.reached for row in watcher.tensors()} == dict.fromkeys(
        ("used.weight", "unused.weight", "zero.weight"), False
    )
    (model["used"](torch.ones(1, 2)).sum() + 0 * model["zero"](torch.ones(1, 2)).sum()).backward()
    watcher.record_gradients()
    with torch.no_grad():
        next(model["used"].parameters())[0, 0] += 1
    found = {row.name: row for row in watcher.tensors()}
    assert {name: row.reached for name, row in found.items()} == {
        "used.weight": True,
        "unused.weight": False,
        "zero.weight": False,
    }
    assert (found["used.weight"].count, found["used.weight"].updated, found["used.weight"].values_changed) == (4, 4, 1)
    assert (found["unused.weight"].updated, found["unused.weight"].values_changed) == (0, 0)


def test_a_frozen_tensor_is_not_watched() -> None:
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    assert [row.name for row in GradientWatcher(model).tensors()] == ["weight"]


def test_the_images_are_described_as_the_network_sees_them(tiny: Path) -> None:
    (done,) = runs(tiny, "image.channels=3", "digit_caps.classes=5", steps=1).runs
    assert done.data == (
        "scikit-learn's 8×8 digits, resized to 16×16, training images shifted by up to 2 px, repeated over 3 channels, "
        "digits below 5 only"
    )


def test_two_digits_need_two_classes(tmp_path: Path) -> None:
    path = tmp_path / "tiny.toml"
    path.write_text('data = "multimnist"\n' + TINY.format(parent="paper"))
    variant = load_variant(path, settings=["digit_caps.classes=1"])
    with pytest.raises(DataError, match="two overlaid digits need images of at least two classes"):
        smoke(variant, load_digits(), Plan(steps=1))
