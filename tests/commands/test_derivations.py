"""Equations: each one holds, its right side evaluated here, and its left side is a number of the layer."""

import re

import pytest

from capsaudit.catalogue import load_variant
from capsaudit.commands.derivations import derivations
from capsaudit.families import family_of, layers
from tests.expected import TOTALS


def value(text: str) -> float:
    """The right side as a person reads it: ⌊ ⌋ rounds down, ⌈ ⌉ up."""
    plain = text.partition(" for each")[0].replace("·", "*").replace("−", "-")
    plain = re.sub("⌊([^⌋]*)⌋", r"floor(\1)", re.sub("⌈([^⌉]*)⌉", r"ceil(\1)", plain))
    return float(eval(plain, {"__builtins__": {}, "floor": lambda x: x // 1, "ceil": lambda x: -(-x // 1)}))


@pytest.mark.parametrize("name", TOTALS)
def test_every_equation_holds_and_is_about_its_layer(name: str) -> None:
    spec = load_variant(name).spec
    found = derivations(spec)
    for row in layers(spec):
        shares = [row.formula.value / row.output_shape[0]] if row.name == "digit_caps" else []
        sizes = {*row.input_shape, *row.output_shape, *(row.pool * size for size in row.output_shape), *shares}
        sizes |= {side for pair in family_of(spec).sides(spec) for side in pair}
        for equation in found[row.name]:
            left, _, right = equation.partition(" = ")
            number = int(left.replace(",", ""))
            assert value(right) == number, equation
            assert number in sizes, equation


@pytest.mark.parametrize("name", TOTALS)
def test_every_size_of_a_convolution_has_an_equation(name: str) -> None:
    spec = load_variant(name).spec
    for row in layers(spec):
        if row.conv is not None and len(row.output_shape) == 3:
            lefts = {int(equation.partition(" = ")[0]) for equation in derivations(spec)[row.name]}
            assert set(row.output_shape[1:]) <= lefts


def test_the_articles_numbers() -> None:
    assert derivations(load_variant("article").spec) == {
        "conv1": ("20 = (28 − 9)/1 + 1",),
        "primary_caps": ("6 = ⌊(20 − 9)/2⌋ + 1", "1152 = 6·6·32"),
        "digit_caps": ("149,760 = 1152·8·16 + 1152 + 1152 for each of 10 classes",),
        "fc1": ("160 = 10·16",),
        "fc2": (),
        "fc3": ("784 = 1·28·28",),
    }


@pytest.mark.parametrize(
    ("variant", "settings", "layer", "equations"),
    [
        pytest.param("baseline-multimnist", [], "conv2", ("18 = 18/1", "9 = 18/2"), id="pooling"),
        pytest.param("paper", ["primary_caps.padding=same"], "primary_caps", ("10 = 20/2", "3200 = 10·10·32"), id="same"),
        pytest.param("paper", ["conv1.stride=3", "conv1.padding=same", "primary_caps.kernel=3"], "conv1", ("10 = ⌈28/3⌉",), id="rounded up"),
        pytest.param("paper", ["conv1.padding=2"], "conv1", ("24 = (28 + 2·2 − 9)/1 + 1",), id="pixels"),
        pytest.param("paper", ["image.width=32"], "conv1", ("20 = (28 − 9)/1 + 1", "24 = (32 − 9)/1 + 1"), id="not square"),
        pytest.param("selected-decoder", [], "fc1", (), id="nothing to multiply"),
        pytest.param("paper", ["image.height=100", "image.width=100"], "fc3", ("10,000 = 1·100·100",), id="five digits"),
        pytest.param("shared-w-all", [], "digit_caps", ("128 = 8·16 for each of 10 classes",), id="shared W"),
        pytest.param("baseline-mnist", [], "fc1", ("100,352 = 128·28·28",), id="flattened"),
    ],
)  # fmt: skip
def test_other_networks(variant: str, settings: list[str], layer: str, equations: tuple[str, ...]) -> None:
    assert derivations(load_variant(variant, settings=settings).spec)[layer] == equations
