"""Shapes and parameters in closed form, against integers worked out by hand."""

import pytest

from capsaudit.catalogue import load_variant
from capsaudit.errors import FileError
from capsaudit.families import layers


def total(variant: str, *settings: str) -> int:
    return sum(layer.formula.value for layer in layers(load_variant(variant, settings=settings).spec))


@pytest.mark.parametrize(
    ("layer", "parameters"),
    [
        pytest.param("conv1", 20_992, id="(9·9·1 + 1)·256"),
        pytest.param("primary_caps", 5_308_672, id="(9·9·256 + 1)·8·32"),
        pytest.param("digit_caps", 1_474_560, id="1152·10·8·16"),
        pytest.param("fc1", 82_432, id="(160 + 1)·512"),
        pytest.param("fc2", 525_312, id="(512 + 1)·1024"),
        pytest.param("fc3", 803_600, id="(1024 + 1)·784"),
    ],
)
def test_layers_of_the_paper(layer: str, parameters: int) -> None:
    rows = {row.name: row for row in layers(load_variant("paper").spec)}
    assert rows[layer].formula.value == parameters


TOTALS = {
    "paper": 20_992 + 5_308_672 + 1_474_560 + 82_432 + 525_312 + 803_600,  # 8,215,568
    "article": 8_215_568 + 2 * 11_520,
    "trainable-logits": 8_215_568 + 11_520,
    "frozen-logits": 8_215_568,
    "paper-no-decoder": 20_992 + 5_308_672 + 1_474_560,
    "shared-w-grid": 8_215_568 - 1_474_560 + 32 * 10 * 8 * 16,
    "shared-w-all": 8_215_568 - 1_474_560 + 10 * 8 * 16,
    "selected-decoder": 8_215_568 - (160 - 16) * 512,
    "released-code": 8_215_568 + 160,
    "multimnist": 20_992 + 5_308_672 + 3200 * 1280 + 82_432 + 525_312 + 1025 * 1296,
    "multimnist-released-code": 11_361_808 + 160,
    "affnist": 20_992 + 5_308_672 + 4608 * 1280 + 82_432 + 525_312 + 1025 * 1600,
    "cifar10": 244 * 256 + 20_737 * 512 + 1024 * 1280 + 82_432 + 525_312 + 1025 * 1728,
    "cifar10-released-code": 244 * 256 + 20_737 * 512 + 9216 * 1280 + 160,
    "smallnorb": 163 * 256 + 5_308_672 + 2048 * 640 + 81 * 512 + 525_312 + 1025 * 2048,
    "svhn": 244 * 64 + 5185 * 96 + 1024 * 480 + 81 * 512 + 525_312 + 1025 * 3072,
    "baseline-mnist": 26 * 256 + 6401 * 256 + 6401 * 128 + 100_353 * 328 + 329 * 192 + 193 * 10,
    "baseline-multimnist": 82 * 512 + 12_801 * 256 + 20_737 * 1024 + 1025 * 10,
}


@pytest.mark.parametrize(("variant", "parameters"), TOTALS.items())
def test_totals(variant: str, parameters: int) -> None:
    assert total(variant) == parameters


@pytest.mark.parametrize(
    ("variant", "settings", "parameters"),
    [
        pytest.param("baseline-mnist", ["padding=valid"], 13_277_970, id="(16·16·128 + 1)·328 instead of 28·28·128"),
        pytest.param("baseline-multimnist", ["padding=valid"], 9_883_914, id="36→28→14→10→5: (5·5·256 + 1)·1024"),
        pytest.param("baseline-multimnist", ["layers.1.kernel=5"], 24_535_306, id="24,563,978 − (81 − 25)·512"),
        pytest.param("multimnist", ["digit_caps.logits=trainable"], 11_393_808, id="11,361,808 + 3200·10"),
        pytest.param(
            "multimnist",
            ["digit_caps.logits=trainable", "digit_caps.coupling=trainable"],
            11_425_808,
            id="11,361,808 + 2·3200·10",
        ),
        pytest.param("multimnist", ["decoder.input=selected"], 11_288_080, id="11,361,808 − 144·512"),
        pytest.param("multimnist", ["digit_caps.bias=true"], 11_361_968, id="11,361,808 + 160"),
        pytest.param("paper", ["image.size=36"], 11_361_808, id="the paper's network at 36×36"),
        pytest.param("paper", ["conv1.bias=false"], 8_215_568 - 256, id="no bias in the first convolution"),
        pytest.param("paper", ["primary_caps.padding=4"], 8_215_568 + 64 * 32 * 1280, id="10×10 instead of 6×6"),
        pytest.param("paper", ["decoder.hidden=[]"], 6_804_224 + 161 * 784, id="one layer from 160 to 784"),
    ],
)
def test_other_readings(variant: str, settings: list[str], parameters: int) -> None:
    assert total(variant, *settings) == parameters


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["conv1.kernel=29"], "conv1.kernel (=29) is larger than its input (=28×28)"),
        (["primary_caps.kernel=21"], "primary_caps.kernel (=21) is larger than its input (=20×20)"),
        (["image.height=20", "conv1.kernel=13"], "primary_caps.kernel (=9) is larger than its input (=8×16)"),
        (["conv1.kernel=31", "conv1.padding=1"], "conv1.kernel (=31) is larger than its input (=28×28 padded by 1)"),
    ],
)
def test_impossible_shapes_are_told_in_knobs(settings: list[str], message: str) -> None:
    with pytest.raises(FileError) as caught:
        load_variant("paper", settings=settings)
    assert message in str(caught.value)


def test_a_pool_larger_than_its_input_is_told() -> None:
    with pytest.raises(FileError, match=r"layers\.3\.pool \(=29\) is larger than its input \(=28×28\)"):
        load_variant("baseline-mnist", settings=["layers.3.pool=29"])


def test_a_kernel_as_large_as_its_input_is_possible() -> None:
    rows = layers(load_variant("paper", settings=["conv1.kernel=20", "primary_caps.kernel=9"]).spec)
    assert [row.output_shape for row in rows[:2]] == [(256, 9, 9), (32, 8)]  # 28 − 20 + 1 = 9; 9 − 9 + 1 = 1 place
