"""Capsule networks recognised in somebody's module, and explained. Every difference is derived beside it."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from torch import nn

import capsaudit
from capsaudit import api
from capsaudit.catalogue import Variant, load_variant
from capsaudit.families.capsnet import CapsNet
from capsaudit.inspection.load import inventory_of
from capsaudit.recognition.base import Match, NoMatch
from capsaudit.recognition.capsnet import closest
from examples import capsnets
from examples.classifier import SmallClassifier
from tests.zoo import modified

IMAGE = (torch.zeros(1, 1, 28, 28),)


@pytest.mark.parametrize(
    ("model", "size", "closest", "total"),
    [
        pytest.param(capsnets.EightConvolutions, 28, "paper", 8_215_568, id="8 of 32, W [10, 1152, 8, 16]"),
        pytest.param(capsnets.OneConvolution, 28, "trainable-logits", 8_227_088, id="1 of 256, W [1, 1152, 10, 16, 8], b trained"),
        pytest.param(capsnets.ThirtyTwoConvolutions, 28, "selected-decoder", 8_141_840, id="32 of 8, W [1152, 8, 160], 16 inputs"),
        pytest.param(capsnets.LargerWithBias, 36, "multimnist-released-code", 11_361_968, id="36×36, a bias"),
    ],
)  # fmt: skip
def test_models_written_in_other_ways_are_recognised(
    model: type[nn.Module], size: int, closest: str, total: int
) -> None:
    result = api.audit(model(), inputs=(torch.zeros(1, 1, size, size),))
    assert (result.closest, result.trainable, result.difference) == (closest, total, 0)
    assert (result.explanations, result.unexplained, result.verdict) == ((), 0, "unstated")
    assert result.warnings == ()
    assert sum(layer.trainable for layer in result.layers) == total


def test_other_widths_of_a_decoder_are_explained() -> None:
    """161·522 + 523·1176 + 1177·784 instead of 161·512 + 513·1024 + 1025·784."""
    difference = 161 * 522 + 523 * 1176 + 1177 * 784 - (161 * 512 + 513 * 1024 + 1025 * 784)
    result = api.audit(capsnets.OtherWidths(), inputs=IMAGE)
    (step,) = result.explanations
    assert (result.closest, result.difference, result.unexplained) == ("paper", difference, 0)
    assert (step.knob, step.after, step.difference) == ("decoder.hidden", [522, 1176], difference)
    assert result.verdict == "unstated"


@pytest.mark.parametrize(
    ("model", "knob", "difference"),
    [
        (capsnets.OneConvolution, "digit_caps.logits", 1152 * 10),
        (capsnets.ThirtyTwoConvolutions, "decoder.input", -9 * 16 * 512),
    ],
)
def test_compared_with_the_paper(model: type[nn.Module], knob: str, difference: int) -> None:
    result = api.audit(model(), against="paper")
    assert [(step.knob, step.difference) for step in result.explanations] == [(knob, difference)]
    assert (result.difference, result.unexplained, result.verdict) == (difference, 0, "disagrees")


def test_what_no_knob_explains_is_reported() -> None:
    """A layer of 5·7 + 7 beside the network."""
    model = capsnets.EightConvolutions()
    model.extra = nn.Linear(5, 7)
    result = api.audit(model)
    assert (result.closest, result.unexplained, result.difference) == ("paper", 42, 42)
    assert result.layers[-1].name == "extra"
    assert result.layers[-1].difference == 42


@given(
    st.sampled_from([6, 8, 16]),
    st.integers(2, 12),
    st.sampled_from([8, 12, 16, 24]),
    st.sampled_from([(), (64,), (300, 200)]),
    st.sampled_from(["zero", "frozen", "trainable"]),
)
@settings(max_examples=100, deadline=None)
def test_a_changed_network_is_explained_down_to_the_last_value(
    dimension: int, classes: int, out: int, hidden: tuple[int, ...], logits: str
) -> None:
    settings = [
        f"primary_caps.dimension={dimension}",
        f"digit_caps.classes={classes}",
        f"digit_caps.dimension={out}",
        f"decoder.hidden=[{', '.join(map(str, hidden))}]",
        f"digit_caps.logits={logits}",
    ]
    variant = load_variant("paper", settings=settings)
    result = api.audit(capsaudit.build(variant, device="meta"), against="paper")
    assert result.unexplained == 0
    assert sum(step.difference for step in result.explanations) == result.difference


def test_a_state_dict_is_recognised_as_well(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(capsnets.OneConvolution().state_dict(), path)
    result = api.audit_target(str(path))
    assert (result.closest, result.unexplained) == ("trainable-logits", 0)
    assert "conv1.stride" in result.assumed


def relative(name: str, *settings: str) -> tuple[Variant, CapsNet]:
    variant = load_variant(name, settings=settings)
    assert isinstance(variant.spec, CapsNet)
    return variant, variant.spec


def test_of_several_variants_the_one_with_the_fewest_changes_is_the_closest() -> None:
    """The paper's network is one change from `trainable-logits` and two from `article`."""
    inventory = inventory_of(capsaudit.build("paper", device="meta"))
    match = closest(inventory, [relative("article"), relative("trainable-logits")])
    assert isinstance(match, Match)
    assert (match.variant.id, match.changes) == ("trainable-logits", 1)


def test_what_cannot_be_inferred_from_tensors_is_as_in_the_variant() -> None:
    """Routing iterations leave no trace in the weights; strides and paddings do so in a module alone."""
    model = capsaudit.build("paper", device="meta")
    variant, spec = relative("paper", "digit_caps.iterations=5", "digit_caps.gradient=last")
    match = closest(inventory_of(model), [(variant, spec)])
    assert isinstance(match, Match)
    assert match.network.spec == spec
    assert match.network.assumed == ("digit_caps.iterations", "digit_caps.gradient")


def test_the_image_is_the_one_that_it_was_run_with_or_has_as_many_pixels_as_the_decoder_gives() -> None:
    with torch.device("meta"):
        larger = capsnets.LargerWithBias()
    match = closest(inventory_of(larger), [relative("paper")])
    assert isinstance(match, Match)
    assert (match.network.spec.image.height, match.network.spec.image.width) == (36, 36)


def test_without_a_decoder_the_image_has_as_many_capsules_as_w_has_matrices() -> None:
    """1152 capsules of 32 types are 6×6 places, which is 28×28 pixels and 27×27 as well: the nearer to the variant's is taken."""
    model = capsaudit.build("paper-no-decoder", device="meta")
    for start, side in (("paper-no-decoder", 28), ("multimnist", 28)):
        match = closest(inventory_of(model), [relative(start)])
        assert isinstance(match, Match)
        assert match.network.spec.image.height == side
        assert match.misfit == 0


def test_a_model_of_another_kind_is_no_capsule_network() -> None:
    assert isinstance(closest(inventory_of(SmallClassifier()), [relative("paper")]), NoMatch)


def without_decoder(*w: int, channels: int = 256) -> nn.Module:
    model = nn.Module()
    model.features = nn.Sequential(nn.Conv2d(1, 256, 9), nn.Conv2d(256, channels, 9, stride=2))
    model.w = nn.Parameter(torch.empty(w))
    return model


@pytest.mark.parametrize(
    ("w", "classes"),
    [
        ((1152, 8, 160), 10),  # 10 classes of 16, as the paper has them
        ((1152, 8, 112), 7),  # 7 of 16: one size differs
        ((1152, 8, 91), None),  # 7 of 13 or 13 of 7: nothing says which
        ((10, 8, 16), 10),  # one matrix for each class
        ((3, 4, 5), None),
    ],
)
def test_an_axis_of_w_is_split_only_where_something_confirms_it(w: tuple[int, ...], classes: int | None) -> None:
    with torch.device("meta"):
        result = closest(inventory_of(without_decoder(*w)), [relative("paper-no-decoder")])
    found = result.network.spec if isinstance(result, Match) else None
    assert (found.digit_caps.classes if isinstance(found, CapsNet) else None) == classes


def test_an_image_that_is_not_square_is_known_where_the_model_was_run() -> None:
    """24×28 pixels: ⌊(16 − 9)/2⌋ + 1 = 4 by 6 places of 32 capsules, and a decoder of 672."""
    variant, spec = relative("paper", "image.height=24")
    inventory = inventory_of(capsaudit.build(variant, device="meta"))
    assert isinstance(closest(inventory, [relative("paper")]), NoMatch)
    match = closest(replace(inventory, examples=((1, 24, 28),)), [relative("paper")])
    assert isinstance(match, Match)
    assert (match.network.spec, match.misfit) == (spec, 0)


def test_an_input_may_be_padded_before_its_convolution() -> None:
    """As TensorFlow's SAME does where torch cannot: 24 + 8 pixels give 24 places, 24 + 7 in steps of two ⌈24/2⌉ = 12.

    12·12·64 = 9216 capsules, for which a network without padding would need other types or W to be shared.
    """
    with torch.device("meta"):
        model = nn.Sequential(
            *(nn.ZeroPad2d(4), nn.Conv2d(3, 256, 9), nn.ReLU()),
            *(nn.ZeroPad2d((3, 4, 3, 4)), nn.Conv2d(256, 512, 9, stride=2)),
            nn.ParameterList([torch.empty(9216, 10, 8, 16), torch.empty(10, 16)]),
        )
    inventory = replace(inventory_of(model), examples=((3, 24, 24),))
    match = closest(inventory, [relative("cifar10-released-code"), relative("cifar10")])
    assert isinstance(match, Match)
    assert (match.variant.id, match.changes, match.misfit) == ("cifar10-released-code", 0, 0)
    assert isinstance(match.network.spec, CapsNet)
    convolutions = (match.network.spec.conv1, match.network.spec.primary_caps)
    assert [(each.stride, each.padding) for each in convolutions] == [(1, "same"), (2, "same")]


def test_an_input_may_be_padded_by_as_many_pixels_as_the_variant_has() -> None:
    """28 + 2·2 − 8 = 24 and ⌊(24 − 9)/2⌋ + 1 = 8: 8·8·32 = 2048 capsules."""
    with torch.device("meta"):
        model = nn.Sequential(nn.ZeroPad2d(2), without_decoder(2048, 10, 8, 16))
    inventory = replace(inventory_of(model), examples=((1, 28, 28),))
    match = closest(inventory, [relative("paper-no-decoder", "conv1.padding=2")])
    assert isinstance(match, Match)
    assert (match.changes, match.misfit) == (0, 0)


def test_logits_and_a_coupling_of_the_same_shape() -> None:
    """The article trains both: 2·11,520 values more than the paper's network."""
    model = capsnets.OneConvolution()
    model.c = nn.Parameter(torch.zeros(1, 1152, 10, 1))
    result = api.audit(model)
    assert (result.closest, result.difference, result.unexplained, result.beyond) == ("article", 0, 0, ())
    assert {layer.name: layer.tensors for layer in result.layers}["digit_caps"] == ("W", "b", "c")


def test_of_equal_convolutions_one_may_be_the_primary_layer() -> None:
    """Another 256·256·9·9 + 256 values beside it, of the same shape, are a layer of their own."""
    with torch.device("meta"):
        model = without_decoder(1152, 10, 8, 12)  # 512 channels cannot be cut into capsules of 12
        model.more = nn.Conv2d(256, 256, 9, padding=4)
        result = api.audit(model, against="paper-no-decoder")
    assert (result.beyond, result.unexplained) == (("more",), 256 * 256 * 81 + 256)


def test_logits_belong_to_the_capsules_that_w_has() -> None:
    """Another convolution leaves 5×5 places of 32 capsules where the paper has 6×6; one logit for each of these and class."""
    model = modified.smaller_grid()
    model.b = nn.Parameter(torch.zeros(800, 10))
    result = api.audit(model, against="paper")
    assert [step.knob for step in result.explanations] == ["digit_caps.logits"]
    assert result.beyond == ("conv_layer.2",)
