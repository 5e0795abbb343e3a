"""Models named and explained. Every difference is derived beside it."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import capsaudit
from capsaudit import api
from capsaudit.catalogue import load_all, load_variant
from capsaudit.errors import CapsauditError
from capsaudit.recognition.roles import W, readings_of
from tests.examples import capsnets
from tests.examples.classifier import SmallClassifier

IMAGE = (torch.zeros(1, 1, 28, 28),)
SHIPPED = [variant.id for variant in load_all()]


@pytest.mark.parametrize(
    ("model", "size", "closest", "total"),
    [
        pytest.param(capsnets.EightConvolutions, 28, "paper", 8_215_568, id="8 of 32, W [10, 1152, 8, 16]"),
        pytest.param(capsnets.OneConvolution, 28, "trainable-logits", 8_227_088, id="1 of 256, W [1, 1152, 10, 16, 8], b trained"),
        pytest.param(capsnets.ThirtyTwoConvolutions, 28, "selected-decoder", 8_141_840, id="32 of 8, W [1152, 8, 160], 16 inputs"),
        pytest.param(capsnets.LargerWithBias, 36, "multimnist-released-code", 11_361_968, id="36×36, a bias"),
    ],
)  # fmt: skip
def test_named(model: type[nn.Module], size: int, closest: str, total: int) -> None:
    result = api.audit(model(), inputs=(torch.zeros(1, 1, size, size),))
    assert (result.closest, result.trainable, result.difference) == (closest, total, 0)
    assert (result.explanations, result.unexplained, result.verdict) == ((), 0, "agrees")
    assert result.warnings == ()
    assert sum(layer.trainable for layer in result.layers) == total


def test_other_widths_of_the_decoder() -> None:
    """161·522 + 523·1176 + 1177·784 instead of 161·512 + 513·1024 + 1025·784."""
    difference = 161 * 522 + 523 * 1176 + 1177 * 784 - (161 * 512 + 513 * 1024 + 1025 * 784)
    result = api.audit(capsnets.OtherWidths(), inputs=IMAGE)
    (step,) = result.explanations
    assert (result.closest, result.difference, result.unexplained) == ("paper", difference, 0)
    assert (step.knob, step.after, step.difference) == ("decoder.hidden", [522, 1176], difference)
    assert result.verdict == "disagrees"


@pytest.mark.parametrize(
    ("model", "knob", "difference"),
    [
        (capsnets.OneConvolution, "digit_caps.logits", 1152 * 10),
        (capsnets.ThirtyTwoConvolutions, "decoder.input", -9 * 16 * 512),
    ],
)
def test_held_against_the_paper(model: type[nn.Module], knob: str, difference: int) -> None:
    result = api.audit(model(), against="paper")
    assert [(step.knob, step.difference) for step in result.explanations] == [(knob, difference)]
    assert (result.difference, result.unexplained, result.verdict) == (difference, 0, "disagrees")


def test_what_no_knob_explains_is_told() -> None:
    """A layer of 5·7 + 7 beside the network."""
    model = capsnets.EightConvolutions()
    model.extra = nn.Linear(5, 7)
    result = api.audit(model)
    assert (result.closest, result.unexplained, result.difference) == ("paper", 42, 42)
    assert result.layers[-1].name == "extra"
    assert result.layers[-1].difference == 42


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_variant_is_recognised_from_its_module(name: str) -> None:
    result = api.audit(capsaudit.build(name, device="meta"))
    assert (result.closest, result.explanations, result.unexplained) == (name, (), 0)


@given(
    st.sampled_from([6, 8, 16]),
    st.integers(2, 12),
    st.sampled_from([8, 12, 16, 24]),
    st.sampled_from([(), (64,), (300, 200)]),
    st.sampled_from(["zero", "frozen", "trainable"]),
)
@settings(max_examples=15, deadline=None)
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


def test_w_in_any_order_of_axes() -> None:
    for shape in ((10, 1152, 8, 16), (1, 1152, 10, 16, 8), (1152, 10, 8, 16, 1), (8, 16, 1152, 10)):
        assert readings_of(shape)[W(1152, 10, 8, 16)] == 0


def test_no_capsule_network() -> None:
    result = api.audit(SmallClassifier())
    assert (result.closest, result.difference, result.verdict) == (None, None, "unstated")
    assert (result.trainable, result.buffers) == (4 * 10 + 8 + 10 * 2705, 4 + 4 + 1)
    with pytest.raises(CapsauditError, match="make no network of the family of paper"):
        api.audit(SmallClassifier(), against="paper")


def test_a_written_variant_is_just_that_model(tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    target = f"{capsnets.__file__}:OtherWidths"
    api.audit_target(target, write_variant=path)
    assert api.count(path, witnesses=["formula"]).trainable == api.audit_target(target).trainable
    assert api.check(path, witnesses=["formula"]).agrees
    assert load_variant(path).spec == load_variant("paper", settings=["decoder.hidden=522,1176"]).spec


def test_a_model_that_no_variant_can_say_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "odd.py"
    file.write_text(
        Path(capsnets.__file__).read_text()
        + "\n\ndef odd():\n    m = EightConvolutions()\n    m.extra = nn.Linear(5, 7)\n    return m\n"
    )
    with pytest.raises(CapsauditError, match="no variant file can say what it is: no knob accounts for extra"):
        api.audit_target(f"{file}:odd", write_variant=tmp_path / "odd.toml")
    assert not (tmp_path / "odd.toml").exists()


def test_a_state_dict_is_named_as_well(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(capsnets.OneConvolution().state_dict(), path)
    result = api.audit_target(str(path))
    assert (result.closest, result.unexplained) == ("trainable-logits", 0)
    assert "conv1.stride" in result.assumed


def test_assert_counts() -> None:
    model = capsnets.EightConvolutions()
    api.assert_counts(model, {"total": "8.2M", "conv_layer": 20_992, "decoder.*": 1_411_344, "route_weights": "1.47M"})
    with pytest.raises(
        AssertionError, match=r"(?s)conv_layer: stated 20993, but conv_layer has 20,992 .*total +8,215,568"
    ):
        api.assert_counts(model, {"conv_layer": 20_993})
    with pytest.raises(AssertionError, match="nothing is called 'convlayer'; did you mean 'conv_layer'"):
        api.assert_counts(model, {"convlayer": 20_992})
    with pytest.raises(CapsauditError, match="nothing is stated"):
        api.assert_counts(model, {})


def test_a_notebook_shows_an_audit() -> None:
    shown = capsaudit.audit(SmallClassifier())._repr_html_()
    assert "27,098" in shown
    assert "<table>" in shown


def baseline(width: int = 328) -> nn.Module:
    """The paper's baseline for MNIST, as people write it."""
    return nn.Sequential(
        *(nn.Conv2d(1, 256, 5, padding=2), nn.ReLU(), nn.Conv2d(256, 256, 5, padding=2), nn.ReLU()),
        *(nn.Conv2d(256, 128, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(28 * 28 * 128, width), nn.ReLU()),
        *(nn.Linear(width, 192), nn.ReLU(), nn.Dropout(), nn.Linear(192, 10)),
    )


def test_a_baseline_is_named_too() -> None:
    """30 units more in the first layer: 30·(100,352 + 1) + 30·192."""
    with torch.device("meta"):
        same, wider = api.audit(baseline()), api.audit(baseline(358))
    assert (same.closest, same.trainable, same.unexplained, same.verdict) == ("baseline-mnist", 35_445_522, 0, "agrees")
    assert [(s.knob, s.difference) for s in wider.explanations] == [("fully_connected.hidden", 30 * 100_353 + 30 * 192)]
    assert (wider.closest, wider.unexplained) == ("baseline-mnist", 0)


def test_any_two_convolutions_are_not_called_a_baseline() -> None:
    lenet = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Flatten(), nn.Linear(16 * 25, 120), nn.Linear(120, 10)
    )
    assert api.audit(lenet).closest is None


def test_a_baseline_can_be_written(tmp_path: Path) -> None:
    """81·1·256 weights instead of 25·1·256: another first kernel."""
    file = tmp_path / "cnn.py"
    file.write_text(
        "import torch\nfrom torch import nn\ndef make():\n  with torch.device('meta'):\n    return nn.Sequential("
        "nn.Conv2d(1, 256, 9, padding=4), nn.Conv2d(256, 256, 5, padding=2), nn.Conv2d(256, 128, 5, padding=2), "
        "nn.Flatten(), nn.Linear(100352, 328), nn.Linear(328, 192), nn.Linear(192, 10))\n"
    )
    result = api.audit_target(f"{file}:make", write_variant=tmp_path / "cnn.toml")
    assert [(step.knob, step.difference) for step in result.explanations] == [("layers.1.kernel", 56 * 256)]
    assert api.count(tmp_path / "cnn.toml", witnesses=["formula"]).trainable == 35_445_522 + 56 * 256
    assert api.check(tmp_path / "cnn.toml", witnesses=["formula"]).agrees
