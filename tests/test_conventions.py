"""Counting conventions: each of them on the paper's network, against numbers worked out by hand."""

import pytest

from capsaudit.arithmetic import LayerArithmetic, batch_norm
from capsaudit.catalogue import load_variant
from capsaudit.conventions import CONVENTIONS, PREFIX, READINGS, counted, is_counted
from capsaudit.families import layers
from tests.expected import CONV1, DIGIT_CAPS, FC1, FC2, FC3, PAIRS, PAPER, PRIMARY_CAPS

BIASES = 256 + 256 + 512 + 1024 + 784  # of the two convolutions and the three layers of the decoder


def count(variant: str, *others: str, settings: tuple[str, ...] = ()) -> int:
    """With the other setting of these conventions."""
    rows = layers(load_variant(variant, settings=settings).spec)
    counting = {f"{PREFIX}{name}": CONVENTIONS[f"{PREFIX}{name}"].other for name in others}
    return sum(tensor.count for _, tensor in counted(rows, counting))


@pytest.mark.parametrize(
    ("variant", "others", "expected"),
    [
        pytest.param("paper", [], PAPER, id="the usual one"),
        pytest.param("paper", ["bare_parameters"], PAPER - DIGIT_CAPS, id="a tool that misses DigitCaps' W: 6,741,008"),
        pytest.param("paper", ["biases"], PAPER - BIASES, id="weights only"),
        pytest.param("paper", ["decoder"], CONV1 + PRIMARY_CAPS + DIGIT_CAPS, id="without the decoder"),
        pytest.param("paper", ["buffers"], PAPER + PAIRS, id="the logits b, a constant zero"),
        pytest.param("paper", ["coupling"], PAPER + PAIRS, id="the coefficients c, which routing computes"),
        pytest.param("paper", ["buffers", "coupling"], PAPER + 2 * PAIRS, id="both, as the article counts"),
        pytest.param("frozen-logits", [], PAPER, id="frozen values are not counted"),
        pytest.param("frozen-logits", ["frozen"], PAPER + PAIRS, id="frozen values are"),
        pytest.param("frozen-logits", ["buffers"], PAPER, id="frozen logits are no buffer"),
        pytest.param("frozen-logits", ["frozen", "bare_parameters"], PAPER - DIGIT_CAPS, id="frozen, but in a bare layer"),
        pytest.param("released-code", ["biases"], PAPER - BIASES, id="DigitCaps' bias is one, too"),
        pytest.param("paper", ["decoder", "biases"], PAPER - FC1 - FC2 - FC3 - 512, id="the convolutions' biases alone"),
        pytest.param("paper", ["rounding"], PAPER, id="rounding changes no count"),
    ],
)  # fmt: skip
def test_what_a_convention_counts(variant: str, others: list[str], expected: int) -> None:
    assert count(variant, *others) == expected


def test_running_statistics_are_counted_where_a_tool_adds_them() -> None:
    """A mean and a variance for each of 32 channels; the number of batches is no value of the network."""
    rows = [batch_norm("bn1", (32, 24, 24))]
    assert sum(tensor.count for _, tensor in counted(rows, {})) == 64
    assert sum(tensor.count for _, tensor in counted(rows, {"counting.running_statistics": "counted"})) == 64 + 64


def applying(variant: str) -> set[str]:
    rows = layers(load_variant(variant).spec)
    return {knob.removeprefix(PREFIX) for knob, convention in CONVENTIONS.items() if convention.applies(rows)}


@pytest.mark.parametrize(
    ("variant", "applies"),
    [
        ("paper", {"bare_parameters", "biases", "decoder", "buffers", "coupling", "rounding", "thousands"}),
        ("paper-no-decoder", {"bare_parameters", "biases", "buffers", "coupling", "rounding", "thousands"}),
        ("frozen-logits", {"bare_parameters", "biases", "decoder", "frozen", "coupling", "rounding", "thousands"}),
        ("article", {"bare_parameters", "biases", "decoder", "rounding", "thousands"}),
        ("baseline-mnist", {"biases", "rounding", "thousands"}),
    ],
)
def test_a_convention_applies_where_it_makes_a_difference(variant: str, applies: set[str]) -> None:
    assert applying(variant) == applies


@pytest.mark.parametrize("variant", ["paper", "frozen-logits", "article", "baseline-mnist", "paper-no-decoder"])
def test_a_convention_that_applies_changes_the_count_and_another_does_not(variant: str) -> None:
    usual = count(variant)
    for knob in CONVENTIONS.keys() - {*READINGS}:
        name = knob.removeprefix(PREFIX)
        assert (count(variant, name) != usual) == (name in applying(variant))


def test_rounding_and_biases_always_apply() -> None:
    """Whether there is any bias is up to several knobs, and every choice of them must stay one interpretation of its own."""
    assert all(CONVENTIONS[knob].applies(()) for knob in READINGS)
    assert CONVENTIONS["counting.biases"].applies(())


def test_what_is_left_out_names_its_tensor() -> None:
    row: LayerArithmetic = layers(load_variant("paper").spec)[0]
    weight, bias = row.parameters
    assert is_counted(row, weight, {})
    assert is_counted(row, weight, {"counting.biases": "left out"})
    assert not is_counted(row, bias, {"counting.biases": "left out"})


def test_every_convention_has_two_settings_and_a_knob_of_its_own() -> None:
    assert all(knob == convention.knob for knob, convention in CONVENTIONS.items())
    assert all(knob.startswith(PREFIX) and c.usual != c.other for knob, c in CONVENTIONS.items())
