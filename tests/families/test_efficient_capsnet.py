"""Efficient-CapsNet in closed form, against integers worked out by hand."""

import pytest

from capsaudit import api
from capsaudit.catalogue import load_variant
from capsaudit.errors import FileError
from capsaudit.families import FAMILIES, family_of, layers, total
from capsaudit.families.base import POSSIBLE
from capsaudit.families.efficient_capsnet import EFFICIENT_CAPSNET, EfficientCapsNet

CONVOLUTIONS = 832 + 18_496 + 36_928 + 73_856  # (5·5·1 + 1)·32; (3·3·32 + 1)·64; (3·3·64 + 1)·64; (3·3·64 + 1)·128
NORMS = 2 * (32 + 64 + 64 + 128)  # 576
DEPTHWISE = 128 * 9 * 9 + 128  # 10,496
DIGIT_CAPS = 10 * 16 * 8 * 16 + 10 * 16  # 20,640
DECODER = 161 * 512 + 513 * 1024 + 1025 * 784  # 1,411,344


def network(*settings: str) -> EfficientCapsNet:
    spec = load_variant("efficient-capsnet", settings=settings).spec
    assert isinstance(spec, EfficientCapsNet)
    return spec


def test_the_family_is_in_the_table() -> None:
    assert FAMILIES["efficient-capsnet"] is EFFICIENT_CAPSNET
    assert family_of(load_variant("efficient-capsnet").spec) is EFFICIENT_CAPSNET


def test_the_total_is_that_of_the_code() -> None:
    assert total(load_variant("efficient-capsnet").spec) == CONVOLUTIONS + NORMS + DEPTHWISE + DIGIT_CAPS == 161_824


def test_with_its_decoder() -> None:
    assert total(load_variant("efficient-capsnet-decoder").spec) == 161_824 + DECODER == 1_573_168


def test_all_three_witnesses_agree() -> None:
    counted = api.count("efficient-capsnet")
    assert counted.witnesses == {"formula": 161_824, "torch": 161_824, "torchinfo": 161_824}
    assert counted.buffers == NORMS + 4  # running means and variances, and a counter for each of four layers
    assert counted.verdict == "agrees"


def test_the_figure_is_cut_and_not_rounded() -> None:
    stated = load_variant("efficient-capsnet").stated
    assert stated is not None
    assert stated.total is not None
    assert (stated.total.low, stated.total.high) == (161_000, 161_999)


@pytest.mark.parametrize(
    ("settings", "parameters"),
    [
        pytest.param(("digit_caps.logits=zero",), 161_824 - 160, id="without log priors"),
        pytest.param(("primary_caps.bias=false",), 161_824 - 128, id="without the depthwise bias"),
        pytest.param(("layers.4.bias=false",), 161_824 - 128, id="without the bias of conv4"),
        pytest.param(
            ("image.size=36", "layers.3.stride=2", "primary_caps.kernel=5", "primary_caps.stride=2"),
            161_824 - 10_496 + 128 * 26,
            id="MultiMNIST: 36 → 32 → 30 → 14 → 6 → 1, depthwise 5×5",
        ),
    ],
)
def test_other_interpretations(settings: tuple[str, ...], parameters: int) -> None:
    assert total(load_variant("efficient-capsnet", settings=settings).spec) == parameters


def test_a_larger_image_has_capsules_at_several_places() -> None:
    rows = {row.name: row for row in layers(load_variant("efficient-capsnet", settings=["image.size=32"]).spec)}
    assert rows["primary_caps"].output_shape == (3 * 3 * 16, 8)  # 32 → 28 → 26 → 24 → 11 → 3


def test_capsules_may_be_stated_as_the_grid_that_they_are_cut_from() -> None:
    """3·3·16 capsules of 8 are 3×3×128 values; class capsules may be stated as the image that they are decoded to."""
    spec = network("image.size=32")
    stated = {row.name: EFFICIENT_CAPSNET.stated_shapes(spec, row) for row in layers(spec)}
    assert stated["primary_caps"] == stated["digit_caps"] == [(3, 3, 128)]
    assert stated["conv1"] == [(10, 16), (1, 32, 32)]


def test_one_coupling_coefficient_for_each_capsule_and_class_is_computed() -> None:
    (coupling,) = next(row.computed for row in layers(load_variant("efficient-capsnet").spec) if row.computed)
    assert (coupling.name, coupling.shape, coupling.trainable) == ("coupling", (10, 16), False)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("primary_caps.kernel=10", r"primary_caps.kernel \(=10\) is larger than its input \(=9×9\)"),
        ("primary_caps.dimension=7", r"primary_caps.dimension \(=7\) does not divide its channels \(=128\)"),
        ("layers.1.kernel=29", r"layers.1.kernel \(=29\) is larger than its input \(=28×28\)"),
    ],
)
def test_impossible_networks_are_refused(setting: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        load_variant("efficient-capsnet", settings=[setting])


def test_scopes_reach_as_deep_as_the_deepest_list_of_layers() -> None:
    """The first convolution depends on the channels of the image, each further one on those of the one before it."""
    spec = network()
    scopes = EFFICIENT_CAPSNET.scopes(spec, {})
    behind = {"primary_caps", "digit_caps", "fc", POSSIBLE}
    numbers = range(1, 5)
    parts = {part for n in numbers for part in (f"conv{n}.weight", f"conv{n}.bias", f"bn{n}")}
    assert set(scopes) == parts | behind
    before = ["image.channels", *(f"layers.{n}.channels" for n in numbers)]
    for n in numbers:
        assert scopes[f"conv{n}.weight"] == {before[n - 1], f"layers.{n}.channels", f"layers.{n}.kernel"}
    deeper = EFFICIENT_CAPSNET.scopes(spec, {"layers": [[{}] * 6, []]})
    assert deeper.keys() - scopes.keys() == {
        part for n in (5, 6) for part in (f"conv{n}.weight", f"conv{n}.bias", f"bn{n}")
    }


def test_reconcile_explains_its_figures() -> None:
    exact = api.reconcile("161,824", start="efficient-capsnet", witnesses=["formula"])
    assert (exact.explanations[0].changes, exact.explanations[0].variant) == ((), "efficient-capsnet")
    keras = api.reconcile("162,400", start="efficient-capsnet").explanations[0]  # 161,824 + 576
    assert [change.knob for change in keras.changes] == ["counting.running_statistics"]
    assert keras.confirmed is True


def test_explain_gives_the_decoder() -> None:
    (step,) = api.explain("efficient-capsnet", "efficient-capsnet-decoder").steps
    assert (step.knob, step.difference) == ("decoder", DECODER)


def test_the_claims_of_its_source_are_judged() -> None:
    verdicts = {claim.id: claim for claim in api.claims("efficient-capsnet").claims}
    assert verdicts["efficient-capsnet-mnist"].verdict == "agrees"
    assert verdicts["efficient-capsnet-code"].exact == 161_824
    other = verdicts["efficient-capsnet-of-capsnet"]
    assert (other.verdict, other.true_of) == ("misattributed", ("paper-no-decoder", "shared-w-grid"))
    assert sum(claim.verdict != "agrees" for claim in verdicts.values()) == 1
