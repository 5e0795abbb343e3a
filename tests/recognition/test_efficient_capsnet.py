"""Efficient-CapsNets are recognised by the shapes of their tensors, also as other people write them."""

from pathlib import Path

import pytest
import torch
from msgspec.structs import replace
from torch import nn

from capsaudit import api
from capsaudit.catalogue import load_variant
from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.inspection.load import inventory_of
from capsaudit.recognition.base import Match
from capsaudit.recognition.efficient_capsnet import closest
from capsaudit.spec import Image


class TheirNet(nn.Module):
    """Written in another way: numbered layers, W with an axis of one, log priors without one."""

    def __init__(self, classes: int = 10, *, priors: bool = True, width: int = 32) -> None:
        super().__init__()
        channels = [1, width, 64, 64, 128]
        kernels, strides = [5, 3, 3, 3], [1, 1, 1, 2]
        stages: list[nn.Module] = []
        for place in range(4):
            stages += [nn.Conv2d(channels[place], channels[place + 1], kernels[place], strides[place]), nn.ReLU()]
            stages.append(nn.BatchNorm2d(channels[place + 1]))
        self.stages = nn.Sequential(*stages)
        self.depthwise = nn.Conv2d(128, 128, 9, groups=128)
        self.W = nn.Parameter(torch.empty(1, classes, 16, 8, 16))
        if priors:
            self.B = nn.Parameter(torch.empty(classes, 16))


@pytest.mark.parametrize("variant", ["efficient-capsnet", "efficient-capsnet-decoder"])
def test_its_own_modules_are_named(variant: str) -> None:
    result = api.audit(api.build(variant))
    assert (result.recognised, result.closest) == ("efficient-capsnet", variant)
    assert result.verdict == "unstated"
    assert result.assumed == ()


def test_a_module_that_somebody_else_wrote() -> None:
    result = api.audit(TheirNet())
    assert (result.closest, result.difference, result.explanations) == ("efficient-capsnet", 0, ())
    assert {layer.name: layer.trainable for layer in result.layers}["digit_caps"] == 20_640  # 10·16·8·16 + 10·16


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 1, 3, 2), (2, 3, 0, 1), (1, 2, 0, 3)])
@pytest.mark.parametrize("classes", [5, 10])
def test_w_with_its_axes_in_another_order(order: tuple[int, ...], classes: int) -> None:
    """[16, 10, 8, 16], [10, 16, 16, 8], [8, 16, 10, 16], [16, 8, 10, 16]; log priors [16, 10]."""
    net = TheirNet(classes)
    net.W, net.B = nn.Parameter(torch.empty(classes, 16, 8, 16).permute(order)), nn.Parameter(torch.empty(16, classes))
    result = api.audit(net)
    assert (result.closest, result.unexplained) == ("efficient-capsnet", 0)
    assert [step.knob for step in result.explanations] == ([] if classes == 10 else ["digit_caps.classes"])


@pytest.mark.parametrize(
    ("net", "knob", "difference"),
    [
        pytest.param(TheirNet(priors=False), "digit_caps.logits", -160, id="10·16 log priors"),
        pytest.param(TheirNet(classes=5), "digit_caps.classes", -5 * (16 * 8 * 16 + 16), id="five classes fewer"),
        pytest.param(
            TheirNet(width=16), "layers.1.channels", -16 * 26 - 16 * 2 - 16 * 9 * 64, id="16 channels of conv1 fewer"
        ),
    ],
)
def test_what_differs_is_named(net: TheirNet, knob: str, difference: int) -> None:
    result = api.audit(net)
    assert result.closest == "efficient-capsnet"
    assert [(step.knob, step.difference) for step in result.explanations] == [(knob, difference)]
    assert result.unexplained == 0


def test_a_state_dict_alone_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save(TheirNet().state_dict(), path)
    result = api.audit_target(str(path))
    assert (result.closest, result.difference) == ("efficient-capsnet", 0)
    assert {"layers.*.stride", "primary_caps.stride"} <= set(result.assumed)


@pytest.mark.parametrize("change", ["no depthwise", "no norm", "other capsules", "decoder of 50 values"])
def test_other_networks_are_not_taken_for_one(change: str) -> None:
    net = TheirNet()
    match change:
        case "no depthwise":
            net.depthwise = nn.Conv2d(128, 128, 9)
        case "no norm":
            net.stages = nn.Sequential(*(part for part in net.stages if not isinstance(part, nn.BatchNorm2d)))
        case "other capsules":
            net.W = nn.Parameter(torch.empty(1, 10, 17, 8, 16))
        case "decoder of 50 values":
            net.decoder = nn.Sequential(nn.Linear(50, 512), nn.Linear(512, 784))
    assert api.audit(net).recognised != "efficient-capsnet"


def test_a_written_variant_passes_its_own_check(tmp_path: Path) -> None:
    path, target = tmp_path / "theirs.toml", tmp_path / "theirs.py"
    target.write_text('import capsaudit\n\n\ndef net():\n    return capsaudit.build("efficient-capsnet-decoder")\n')
    api.audit_target(f"{target}:net", write_variant=path)
    assert api.check(path).agrees


def test_another_decoder_is_named_by_its_layers() -> None:
    """As the authors' code for smallNORB has one: 64 values, enlarged, and four convolutions."""
    net = TheirNet()
    net.generator = nn.Sequential(
        *(nn.Linear(160, 64), nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 64, 3), nn.Conv2d(64, 128, 3)),
        *(nn.Conv2d(128, 128, 3), nn.Conv2d(128, 1, 3)),
    )
    result = api.audit(net)
    values = [161 * 64, 64 * 10, 128 * (64 * 9 + 1), 128 * (128 * 9 + 1), 128 * 9 + 1]
    assert (result.closest, result.explanations, result.unexplained) == ("efficient-capsnet", (), sum(values))
    assert result.beyond == ("generator.0", "generator.2", "generator.3", "generator.4", "generator.5")
    assert [layer.trainable for layer in result.layers[-5:]] == values


def test_a_normalisation_more_is_named_by_its_layer() -> None:
    net = TheirNet()
    net.norm = nn.BatchNorm2d(128)
    result = api.audit(net)
    assert (result.closest, result.unexplained, result.beyond) == ("efficient-capsnet", 2 * 128, ("norm",))


def test_an_image_that_is_not_square_is_known_where_the_model_was_run() -> None:
    """28×30 pixels: 24×26, 22×24, 20×22, then in steps of two 9×10 places, and 1×2 of 16 capsules behind a kernel of 9."""
    net = TheirNet()
    net.W, net.B = nn.Parameter(torch.empty(10, 32, 8, 16)), nn.Parameter(torch.empty(10, 32))
    variant = load_variant("efficient-capsnet")
    assert isinstance(variant.spec, EfficientCapsNet)
    inventory = replace(inventory_of(net), examples=((1, 28, 30),))
    match = closest(inventory, [(variant, variant.spec)])
    assert isinstance(match, Match)
    assert (match.network.spec.image, match.misfit) == (Image(channels=1, height=28, width=30), 0)


def test_a_w_with_capsules_of_equal_dimensions_is_no_convolution() -> None:
    """W of [10, 8, 16, 16]: 8·10·(16·16 + 1) values in place of 16·10·(8·16 + 1)."""
    net = TheirNet()
    net.W, net.B = nn.Parameter(torch.empty(10, 8, 16, 16)), nn.Parameter(torch.empty(10, 8))
    result = api.audit(net)
    assert (result.closest, result.unexplained) == ("efficient-capsnet", 0)
    assert [(step.knob, step.difference) for step in result.explanations] == [
        ("primary_caps.dimension", 80 * 257 - 160 * 129)
    ]
