"""Values of networks by name; each expected one is derived beside it."""

import pytest

from capsaudit.catalogue import load_all, load_variant
from capsaudit.commands.network_values import values_of
from capsaudit.spec import Value
from tests.expected import DIGIT_CAPS, FC1, PAIRS


@pytest.mark.parametrize(
    ("variant", "name", "value"),
    [
        ("paper", "conv1.kernel", 9),
        ("paper", "conv1.bias", True),
        ("paper", "encoder", ["conv1", "primary_caps", "digit_caps"]),
        ("paper", "decoder layers", ["fc1", "fc2", "fc3"]),
        ("paper-no-decoder", "decoder layers", []),
        ("paper", "fc1 parameters", FC1),
        ("article", "digit_caps parameters", DIGIT_CAPS + 2 * PAIRS),
        ("paper", "primary_caps capsules", 1152),  # 6·6·32
        ("paper", "primary_caps output of one of 32 types", "6×6×8"),
        ("cifar10", "primary_caps output of one of 64 types", "4×4×8"),  # ⌊(16 − 9)/2⌋ + 1 = 4
        ("paper", "digit_caps logits", "1152×10"),  # computed
        ("article", "digit_caps logits", "1152×10"),  # a parameter
        ("efficient-capsnet", "digit_caps capsules", 10),
    ],
)
def test_values(variant: str, name: str, value: Value) -> None:
    assert values_of(load_variant(variant).spec)[name] == value


@pytest.mark.parametrize("name", ["efficient-capsnet", "baseline-mnist"])
def test_only_capsules_of_types_have_an_output_of_one_type(name: str) -> None:
    assert not any("types" in each for each in values_of(load_variant(name).spec))


def test_every_shipped_network_has_values() -> None:
    assert all(values_of(variant.spec)["encoder"] for variant in load_all())
