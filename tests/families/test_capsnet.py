"""The capsule network in closed form, against integers worked out by hand."""

import pytest
from msgspec.structs import replace

from capsaudit.arithmetic import Shape
from capsaudit.catalogue import load_variant
from capsaudit.errors import FileError
from capsaudit.families import impossible, layers, total
from capsaudit.families.capsnet import CAPSNET, CapsNet, Coupling, Logits, PrimaryCaps, digit_caps_formula
from capsaudit.formula import Number
from capsaudit.knobs import flatten, to_data
from capsaudit.spec import Convolution
from tests.expected import CONV1, DIGIT_CAPS, FC1, FC2, FC3, PRIMARY_CAPS


def paper(*settings: str) -> CapsNet:
    spec = load_variant("paper", settings=settings).spec
    assert isinstance(spec, CapsNet)
    return spec


@pytest.mark.parametrize(
    ("layer", "formula", "parameters"),
    [
        ("conv1", "(9·9·1 + 1)·256", CONV1),
        ("primary_caps", "(9·9·256 + 1)·8·32", PRIMARY_CAPS),
        ("digit_caps", "1152·10·8·16", DIGIT_CAPS),
        ("fc1", "(160 + 1)·512", FC1),
        ("fc2", "(512 + 1)·1024", FC2),
        ("fc3", "(1024 + 1)·784", FC3),
    ],
)
def test_layers_of_the_paper(layer: str, formula: str, parameters: int) -> None:
    rows = {row.name: row for row in layers(paper())}
    assert (str(rows[layer].formula), rows[layer].formula.value) == (formula, parameters)


def test_shapes_of_the_paper() -> None:
    """28 − 9 + 1 = 20; ⌊(20 − 9)/2⌋ + 1 = 6; 6·6·32 = 1152 capsules of 8."""
    assert [(row.input_shape, row.output_shape) for row in layers(paper())] == [
        ((1, 28, 28), (256, 20, 20)),
        ((256, 20, 20), (1152, 8)),
        ((1152, 8), (10, 16)),
        ((160,), (512,)),
        ((512,), (1024,)),
        ((1024,), (784,)),
    ]


@pytest.mark.parametrize(
    ("variant", "settings", "parameters"),
    [
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
def test_other_interpretations(variant: str, settings: list[str], parameters: int) -> None:
    assert total(load_variant(variant, settings=settings).spec) == parameters


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["conv1.kernel=29"], "conv1.kernel (=29) is larger than its input (=28×28)"),
        (["primary_caps.kernel=21"], "primary_caps.kernel (=21) is larger than its input (=20×20)"),
        (["image.height=20", "conv1.kernel=13"], "primary_caps.kernel (=9) is larger than its input (=8×16)"),
        (["conv1.kernel=31", "conv1.padding=1"], "conv1.kernel (=31) is larger than its input (=28×28 padded by 1)"),
    ],
)
def test_impossible_shapes_are_explained_by_their_knobs(settings: list[str], message: str) -> None:
    with pytest.raises(FileError) as caught:
        load_variant("paper", settings=settings)
    assert message in str(caught.value)


def test_a_kernel_as_large_as_its_input_is_possible() -> None:
    spec = paper("conv1.kernel=20", "primary_caps.kernel=9")
    assert impossible(spec) is None
    assert [row.output_shape for row in layers(spec)[:2]] == [
        (256, 9, 9),
        (32, 8),
    ]  # 28 − 20 + 1 = 9; 9 − 9 + 1 = 1 place


@pytest.mark.parametrize(
    ("bias", "logits", "coupling", "formula", "trainable"),
    [
        (False, "zero", "computed", "1152·10·8·16", 1_474_560),
        (False, "frozen", "computed", "1152·10·8·16", 1_474_560),
        (False, "trainable", "computed", "(1152·8·16 + 1152)·10", 1_486_080),
        (False, "trainable", "trainable", "(1152·8·16 + 1152 + 1152)·10", 1_497_600),
        (True, "zero", "computed", "(1152·8·16 + 16)·10", 1_474_720),
        (True, "zero", "trainable", "(1152·8·16 + 16 + 1152)·10", 1_486_240),
    ],
)
def test_digit_caps_class_by_class(
    bias: bool, logits: Logits, coupling: Coupling, formula: str, trainable: int
) -> None:
    digit = replace(paper().digit_caps, bias=bias, logits=logits, coupling=coupling)
    found = digit_caps_formula(digit, matrices=Number(1152), capsules=1152, dimension_in=8)
    assert (str(found), found.value) == (formula, trainable)


def test_tensors_of_digit_caps() -> None:
    """With everything there is: W, a bias, logits, coefficients."""
    row = layers(paper("digit_caps.bias=true", "digit_caps.logits=frozen", "digit_caps.coupling=trainable"))[2]
    assert [(p.name, p.shape, p.trainable) for p in row.parameters] == [
        ("weight", (1152, 10, 8, 16), True),
        ("bias", (10, 16), True),
        ("logits", (1152, 10), False),
        ("coupling", (1152, 10), True),
    ]
    assert row.frozen_formula is not None
    assert (str(row.frozen_formula), row.frozen_formula.value) == ("1152·10", 11_520)
    assert (row.bare, row.computed, row.buffers) == (True, (), ())


def test_what_routing_computes_is_known_though_not_counted() -> None:
    row = layers(paper())[2]
    assert [(t.name, t.count, t.trainable) for t in row.computed] == [
        ("logits", 11_520, False),
        ("coupling", 11_520, False),
    ]
    assert sum(tensor.count for tensor in row.parameters) == row.formula.value == DIGIT_CAPS


@pytest.mark.parametrize(
    ("shared", "shape"), [("none", (1152, 10, 8, 16)), ("grid", (32, 10, 8, 16)), ("all", (10, 8, 16))]
)
def test_w_shared_over_nothing_the_grid_or_all_capsules(shared: str, shape: Shape) -> None:
    assert layers(paper(f"digit_caps.shared_w={shared}"))[2].parameters[0].shape == shape


def test_primary_caps_is_a_convolution_of_all_its_capsules() -> None:
    primary = PrimaryCaps(types=32, dimension=8, kernel=9, stride=2, padding="valid", bias=False)
    assert primary.convolution == Convolution(channels=256, kernel=9, stride=2, padding="valid", bias=False)


def test_capsules_may_be_stated_as_the_grid_that_they_come_from() -> None:
    spec = paper()
    rows = {row.name: row for row in layers(spec)}
    assert list(CAPSNET.stated_shapes(spec, rows["primary_caps"])) == [(32, 6, 6, 8)]
    assert list(CAPSNET.stated_shapes(spec, rows["digit_caps"])) == [(32, 6, 6, 8)]
    assert list(CAPSNET.stated_shapes(spec, rows["fc1"])) == [(10, 16), (1, 28, 28)]


def test_classes_are_those_of_digit_caps() -> None:
    assert CAPSNET.classes(paper()) == 10
    assert CAPSNET.classes(paper("digit_caps.classes=5")) == 5


def test_scopes_name_knobs_that_exist() -> None:
    known = set(flatten(to_data(paper())))
    known |= {knob.partition(".")[0] for knob in known}
    for scope in CAPSNET.scopes(paper(), {}).values():
        assert {knob for knob in scope if not knob.startswith("counting.")} <= known


@pytest.mark.parametrize("iterations", [1, 100])
def test_iterations_within_their_limits(iterations: int) -> None:
    assert paper(f"digit_caps.iterations={iterations}").digit_caps.iterations == iterations


@pytest.mark.parametrize("iterations", [0, 101])
def test_iterations_beyond_their_limits(iterations: int) -> None:
    with pytest.raises(FileError, match=f"is {iterations}; expected an integer from 1 to 100"):
        paper(f"digit_caps.iterations={iterations}")
