"""The plain convolutional network in closed form, against integers worked out by hand."""

import pytest

from capsaudit.catalogue import load_variant
from capsaudit.errors import FileError
from capsaudit.families import impossible, layers, sides, total
from capsaudit.families.base import POSSIBLE
from capsaudit.families.baseline import BASELINE, Baseline
from capsaudit.spec import Convolution


def mnist(*settings: str) -> Baseline:
    spec = load_variant("baseline-mnist", settings=settings).spec
    assert isinstance(spec, Baseline)
    return spec


def test_layers_of_the_paper_s_baseline_for_mnist() -> None:
    """Same padding keeps 28×28, so the first fully connected layer takes 28·28·128 = 100,352 values."""
    assert [(row.name, row.output_shape, row.formula.value) for row in layers(mnist())] == [
        ("conv1", (256, 28, 28), 6_656),  # (5·5·1 + 1)·256
        ("conv2", (256, 28, 28), 1_638_656),  # (5·5·256 + 1)·256
        ("conv3", (128, 28, 28), 819_328),  # (5·5·256 + 1)·128
        ("fc1", (328,), 32_915_784),  # (100,352 + 1)·328
        ("fc2", (192,), 63_168),  # (328 + 1)·192
        ("fc3", (10,), 1_930),  # (192 + 1)·10
    ]


def test_pooling_halves_the_grid() -> None:
    """36 → 18 → 9."""
    spec = load_variant("baseline-multimnist").spec
    assert [row.output_shape for row in layers(spec)][:3] == [(512, 18, 18), (256, 9, 9), (1024,)]
    assert list(sides(spec)) == [(18, 18), (9, 9)]


@pytest.mark.parametrize(
    ("variant", "settings", "parameters"),
    [
        pytest.param("baseline-mnist", ["padding=valid"], 13_277_970, id="(16·16·128 + 1)·328 instead of 28·28·128"),
        pytest.param("baseline-multimnist", ["padding=valid"], 9_883_914, id="36→28→14→10→5: (5·5·256 + 1)·1024"),
        pytest.param("baseline-multimnist", ["layers.1.kernel=5"], 24_535_306, id="24,563,978 − (81 − 25)·512"),
        pytest.param("baseline-mnist", ["layers=[]"], 785 * 328 + 329 * 192 + 193 * 10, id="no convolution at all"),
        pytest.param("baseline-mnist", ["fully_connected.hidden=[]"], 2_464_640 + 100_353 * 10, id="one layer behind"),
    ],
)
def test_other_interpretations(variant: str, settings: list[str], parameters: int) -> None:
    assert total(load_variant(variant, settings=settings).spec) == parameters


def test_a_pool_larger_than_its_input_is_explained() -> None:
    with pytest.raises(FileError, match=r"layers\.3\.pool \(=29\) is larger than its input \(=28×28\)"):
        load_variant("baseline-mnist", settings=["layers.3.pool=29"])


def test_a_kernel_larger_than_what_is_left_is_explained() -> None:
    """28 → 24 → 20 without padding."""
    with pytest.raises(FileError, match=r"layers\.3\.kernel \(=21\) is larger than its input \(=20×20\)"):
        load_variant("baseline-mnist", settings=["padding=valid", "layers.3.kernel=21"])
    assert impossible(mnist("padding=valid", "layers.3.kernel=20")) is None


@pytest.mark.parametrize(("side", "left"), [("height", "4×14"), ("width", "14×4")])
def test_pooling_leaves_less_of_either_side(side: str, left: str) -> None:
    """36 − 8 = 28, half of which are 14; and 16 − 8 = 8, half of which are 4."""
    with pytest.raises(FileError, match=rf"layers\.2\.kernel \(=5\) is larger than its input \(={left}\)"):
        load_variant("baseline-multimnist", settings=["padding=valid", f"image.{side}=16"])


def test_layers_as_plain_convolutions_have_a_bias_and_the_padding_of_all() -> None:
    first = mnist("padding=2").convolutions[0]
    assert first == Convolution(channels=256, kernel=5, stride=1, padding=2, bias=True)


def test_scopes_reach_as_deep_as_the_deepest_list_of_layers() -> None:
    """A search may change the whole list: the parts of all layers that any of its values has must be there."""
    assert set(BASELINE.scopes(mnist(), {})) == {"conv1", "conv2", "conv3", "fc", POSSIBLE}
    deeper = BASELINE.scopes(mnist(), {"layers": [[{}] * 5, []]})
    assert set(deeper) == {"conv1", "conv2", "conv3", "conv4", "conv5", "fc", POSSIBLE}
    assert "layers.4.channels" in deeper["conv5"]
    assert "image.channels" in deeper["conv1"]


def test_classes_and_stated_shapes() -> None:
    assert BASELINE.classes(mnist()) == 10
    assert list(BASELINE.stated_shapes(mnist(), layers(mnist())[0])) == [(1, 28, 28)]
