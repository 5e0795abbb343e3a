"""Plain convolutional networks recognised in somebody's module. Every difference is derived beside it."""

from pathlib import Path

import pytest
import torch
from torch import nn

from capsaudit import api
from capsaudit.catalogue import Variant, load_all, load_variant
from capsaudit.families.baseline import Baseline
from capsaudit.inspection.load import inventory_of
from capsaudit.recognition.base import Match, NoMatch
from capsaudit.recognition.baseline import closest


def baseline(width: int = 328) -> nn.Module:
    """The paper's baseline for MNIST, as people write it."""
    return nn.Sequential(
        *(nn.Conv2d(1, 256, 5, padding=2), nn.ReLU(), nn.Conv2d(256, 256, 5, padding=2), nn.ReLU()),
        *(nn.Conv2d(256, 128, 5, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(28 * 28 * 128, width), nn.ReLU()),
        *(nn.Linear(width, 192), nn.ReLU(), nn.Dropout(), nn.Linear(192, 10)),
    )


def test_the_paper_s_baseline_is_recognised_and_a_wider_one_explained() -> None:
    """30 units more in the first layer: 30·(100,352 + 1) + 30·192."""
    with torch.device("meta"):
        same, wider = api.audit(baseline()), api.audit(baseline(358))
    assert (same.closest, same.trainable, same.unexplained, same.verdict) == (
        "baseline-mnist",
        35_445_522,
        0,
        "unstated",
    )
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


def relatives(*names: str) -> list[tuple[Variant, Baseline]]:
    found = [load_variant(name) for name in names] if names else load_all()
    return [(variant, variant.spec) for variant in found if isinstance(variant.spec, Baseline)]


def test_pooling_and_dropout_leave_no_trace_and_are_as_in_the_variant() -> None:
    with torch.device("meta"):
        match = closest(inventory_of(baseline()), relatives())
    assert isinstance(match, Match)
    assert match.variant.id == "baseline-mnist"
    assert match.network.spec == load_variant("baseline-mnist").spec
    assert match.network.assumed == ("layers.*.pool", "fully_connected.dropout")


@pytest.mark.parametrize(("padding", "pixels", "expected"), [(2, 28, "same"), (0, 16, "valid"), (1, 22, 1)])
def test_padding_is_read_off_the_module(padding: int, pixels: int, expected: object) -> None:
    """28 − 3·4 = 16 pixels are left without padding, 28 − 3·2 = 22 with one pixel of it; with two, half of the kernel, 28."""
    with torch.device("meta"):
        model = nn.Sequential(
            *(nn.Conv2d(1, 256, 5, padding=padding), nn.Conv2d(256, 256, 5, padding=padding)),
            *(nn.Conv2d(256, 128, 5, padding=padding), nn.Flatten(), nn.Linear(pixels**2 * 128, 328)),
            *(nn.Linear(328, 192), nn.Linear(192, 10)),
        )
        match = closest(inventory_of(model), relatives("baseline-mnist"))
    assert isinstance(match, Match)
    assert isinstance(match.network.spec, Baseline)
    assert match.network.spec.padding == expected
    assert match.network.spec.image.height == 28


def test_only_the_variant_that_is_asked_for_may_differ_in_many_knobs() -> None:
    """Any network of two convolutions could be made of any other; compared with one variant it is a network of its family."""
    model = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Flatten(), nn.Linear(16 * 25, 120), nn.Linear(120, 10)
    )
    inventory = inventory_of(model)
    refused = closest(inventory, relatives())
    assert isinstance(refused, NoMatch)
    assert refused.because.endswith("knobs differ from the closest variant, more than 3")
    alone = closest(inventory, relatives("baseline-multimnist"))
    assert isinstance(alone, Match)
    assert alone.changes > 3


def test_another_number_of_convolutions_is_another_network() -> None:
    with torch.device("meta"):
        found = closest(inventory_of(baseline()), relatives("baseline-multimnist"))
    assert isinstance(found, NoMatch)


@pytest.mark.parametrize("extra", [nn.Conv2d(128, 128, 1, device="meta"), nn.Linear(7, 10, device="meta")], ids=str)
def test_a_convolution_or_a_matrix_that_is_left_over_makes_it_another_network(extra: nn.Module) -> None:
    """Nothing marks a plain network but that it has nothing else; a normalisation changes little."""
    with torch.device("meta"):
        model = nn.Sequential(extra, baseline())
        normalised = nn.Sequential(nn.BatchNorm2d(1), baseline())
        behind = nn.Sequential(baseline(), extra)
    assert api.audit(model).recognised is None
    assert api.audit(behind).recognised is None
    assert (api.audit(normalised).recognised, api.audit(normalised).beyond) == ("baseline", ("0",))
