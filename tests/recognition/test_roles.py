"""Roles of tensors, inferred from shapes alone."""

import msgspec
import pytest
import torch
from torch import nn

from capsaudit.arithmetic import Shape
from capsaudit.inspection.load import inventory_of
from capsaudit.inventory import Inventory
from capsaudit.recognition.roles import (
    Group,
    Roles,
    WeightLayout,
    chain,
    groups_of,
    is_bare,
    is_convolution,
    is_linear,
    layouts_of,
    roles,
    sizes,
)
from examples import capsnets

PAPER = WeightLayout(matrices=1152, classes=10, dimension_in=8, dimension=16)


def found(model: type[nn.Module]) -> Roles:
    with torch.device("meta"):
        return next(roles(inventory_of(model())))


@pytest.mark.parametrize(
    ("model", "primary", "channels", "w", "decoder"),
    [
        (capsnets.EightConvolutions, 16, 256, "route_weights", [160, 512, 1024]),
        (capsnets.OneConvolution, 2, 256, "W", [160, 512, 1024]),
        (capsnets.ThirtyTwoConvolutions, 64, 256, "digits.weight", [16, 512, 1024]),
    ],
)
def test_roles_do_not_depend_on_how_a_network_is_written(
    model: type[nn.Module], primary: int, channels: int, w: str, decoder: list[int]
) -> None:
    """Eight, one and thirty-two convolutions, each with a weight and a bias, are the same primary layer."""
    result = found(model)
    assert result.conv1.weight == (256, 1, 9, 9)
    assert (len(result.primary.tensors), result.primary_channels) == (primary, channels)
    assert result.w.name == w
    assert result.layout == PAPER
    assert [group.weight[1] for group in result.decoder] == decoder


def test_trained_logits_are_left_to_others() -> None:
    assert [tensor.name for tensor in found(capsnets.OneConvolution).others] == ["b"]
    assert found(capsnets.EightConvolutions).others == ()


@pytest.mark.parametrize("shape", [(10, 1152, 8, 16), (1, 1152, 10, 16, 8), (1152, 10, 8, 16, 1), (8, 16, 1152, 10)])
def test_w_in_any_order_of_axes(shape: tuple[int, ...]) -> None:
    assert layouts_of(shape)[PAPER] == 0


@pytest.mark.parametrize(
    ("shape", "layout", "splits"),
    [
        ((1152, 8, 160), PAPER, 1),  # 160 = 10·16
        ((11520, 8, 16), PAPER, 1),  # 11,520 = 1152·10
        ((10, 8, 16), WeightLayout(1, 10, 8, 16), 0),
        ((32, 10, 8, 16), WeightLayout(32, 10, 8, 16), 0),
        ((32, 6, 6, 10, 8, 16), PAPER, 0),  # type, row and column of a capsule
    ],
)
def test_axes_that_have_to_be_split_are_counted(shape: tuple[int, ...], layout: WeightLayout, splits: int) -> None:
    assert layouts_of(shape)[layout] == splits


def test_every_layout_has_as_many_values_as_the_tensor() -> None:
    for shape in ((1152, 8, 160), (10, 1152, 8, 16)):
        values = torch.Size(shape).numel()
        assert all(w.matrices * w.classes * w.dimension_in * w.dimension == values for w in layouts_of(shape))


@pytest.mark.parametrize("shape", [(1152, 8, 160), (11520, 8, 16), (10, 8, 16)])
def test_no_axis_is_split_into_one_and_itself(shape: tuple[int, ...]) -> None:
    """Neither a single class nor a capsule of one value."""
    assert all(min(w.classes, w.dimension_in, w.dimension) > 1 for w in layouts_of(shape))


def test_weights_of_one_module_are_told_apart_by_their_names() -> None:
    """Each with the bias whose name differs in the word for weight or bias alone; one weight has all vectors beside it."""
    model = nn.Module()
    for name, shape in (("conv1_w", (16, 1, 5, 5)), ("W2", (8, 3)), ("b2", (8,)), ("conv1_b", (16,))):
        model.register_parameter(name, nn.Parameter(torch.rand(shape)))
    model.one = nn.Module()
    model.one.register_parameter("W", nn.Parameter(torch.rand(3, 4, 5)))
    model.one.register_parameter("shift", nn.Parameter(torch.rand(5)))
    groups = [[tensor.name for tensor in group.tensors] for group in groups_of(inventory_of(model))]
    assert groups == [["conv1_w", "conv1_b"], ["W2", "b2"], ["one.W", "one.shift"]]


def test_groups_are_the_distinct_parameters_of_a_path() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    model.append(model[0])  # the same layer twice
    groups = groups_of(inventory_of(model))
    assert [[tensor.name for tensor in group.tensors] for group in groups] == [
        ["0.weight", "0.bias"],
        ["1.weight", "1.bias"],
    ]


def group(layer: nn.Module) -> Group:
    (only,) = groups_of(inventory_of(layer))
    return only


@pytest.mark.parametrize(
    ("layer", "convolution", "linear"),
    [
        (nn.Conv2d(1, 2, 3), True, False),
        (nn.Conv2d(1, 2, 3, bias=False), True, False),
        (nn.Conv2d(1, 2, (3, 5)), False, False),  # not square
        (nn.ConvTranspose2d(2, 2, 3), False, False),
        (nn.Linear(3, 4), False, True),
        (nn.Linear(3, 4, bias=False), False, True),
        (nn.Embedding(3, 4), False, False),  # a matrix without a bias that does not say it is one
        (nn.Bilinear(2, 3, 4), False, False),
    ],
)
def test_kinds_of_layers(layer: nn.Module, convolution: bool, linear: bool) -> None:
    assert (is_convolution(group(layer)), is_linear(group(layer))) == (convolution, linear)


class Conv2dCapsules(nn.Module):
    """Not every parameter of a class that is called so is the weight of a convolution."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.register_parameter(name, nn.Parameter(torch.empty(32, 10, 8, 16)))


@pytest.mark.parametrize(
    ("layer", "bare"),
    [
        (nn.Conv2d(2, 3, (3, 5)), False),
        (nn.Conv3d(2, 3, 3, bias=False), False),
        (nn.ConvTranspose2d(2, 5, 4), False),
        (nn.LayerNorm(3), False),
        (nn.Linear(3, 4), False),
        (nn.Embedding(3, 4), True),
        (nn.Bilinear(2, 3, 4), False),  # a bias as long as its first axis
        (Conv2dCapsules("W"), True),
        (Conv2dCapsules("weight"), False),
    ],
)
def test_parameters_of_no_usual_layer(layer: nn.Module, bare: bool) -> None:
    assert is_bare(group(layer)) is bare


def test_a_vector_beside_w_that_is_no_bias_leaves_it_bare() -> None:
    layer = Conv2dCapsules("W")
    layer.scale = nn.Parameter(torch.ones(32))
    assert is_bare(group(layer))


def test_without_its_class_a_bias_tells_a_convolution() -> None:
    """As in a file. A transposed one has a bias for its second axis."""
    for layer, bare in (
        (nn.Conv3d(2, 3, 3), False),
        (nn.ConvTranspose2d(2, 5, 4), False),
        (nn.Conv1d(2, 3, 3, bias=False), True),
    ):
        tensors = tuple(msgspec.structs.replace(tensor, kind="") for tensor in group(layer).tensors)
        assert is_bare(Group(tensors)) is bare


@pytest.mark.parametrize(("lengths", "bare"), [((3, 3), False), ((3, 4), True), ((3, 3, 3), True)])
def test_scale_and_shift_are_two_vectors_of_one_length(lengths: tuple[int, ...], bare: bool) -> None:
    layer = nn.ParameterList([torch.ones(length) for length in lengths])
    assert is_bare(group(layer)) is bare


def test_a_bias_may_come_before_its_weight() -> None:
    """As in a safetensors file, which many tools write in the order of the names."""
    reordered = Group(group(nn.Linear(3, 4)).tensors[::-1])
    assert [tensor.name for tensor in reordered.tensors] == ["bias", "weight"]
    assert reordered.weight == (4, 3)
    assert is_linear(reordered)


def without_decoder(*w: int) -> Inventory:
    """Convolutions for an image of one channel, which give 256 channels that are cut into capsules, and W."""
    with torch.device("meta"):
        model = nn.Sequential(
            nn.Conv2d(1, 256, 9), nn.Conv2d(256, 256, 9, stride=2), nn.ParameterList([torch.empty(w)])
        )
        return inventory_of(model)


@pytest.mark.parametrize(
    ("w", "layout"),
    [
        ((1152, 8, 160), PAPER),
        ((1152, 8, 180), WeightLayout(1152, 10, 8, 18)),  # and neither 9 of 20 nor 12 of 15
        ((1152, 8, 144), WeightLayout(1152, 9, 8, 16)),
    ],
)
def test_the_likeliest_layout_has_the_most_of_the_usual_sizes(w: tuple[int, ...], layout: WeightLayout) -> None:
    """Ten classes of 16 values, from capsules of 8."""
    assert next(roles(without_decoder(*w))).layout == layout


@pytest.mark.parametrize(
    ("examples", "found"),
    [((), False), (((1, 28, 28),), False), (((1, 24, 28),), True), (((1, 28, 28), (1, 24, 28)), True)],
)
def test_the_grid_of_capsules_is_square_where_no_other_image_is_known(examples: tuple[Shape, ...], found: bool) -> None:
    """768 matrices are 4·6 places of 32 types: of an image of 24×28 pixels."""
    inventory = msgspec.structs.replace(without_decoder(768, 10, 8, 16), examples=examples)
    assert bool([*roles(inventory)]) is found


@pytest.mark.parametrize("model", [capsnets.OneConvolution, capsnets.EightConvolutions])
def test_each_reading_is_given_once(model: type[nn.Module]) -> None:
    """Only so many are tried, so that the same ones again would take the place of others."""
    with torch.device("meta"):
        found = [*roles(inventory_of(model()))]
    assert all(each not in found[:place] for place, each in enumerate(found))


def test_a_chain_takes_what_the_one_before_gives() -> None:
    layers = [nn.Linear(3, 4), nn.Linear(5, 6), nn.Linear(4, 7), nn.Linear(7, 1)]
    assert [each.weight for each in chain([group(layer) for layer in layers])] == [(4, 3), (7, 4), (1, 7)]


def test_sizes_without_ones() -> None:
    assert sizes((1, 1152, 1, 8)) == (1152, 8)


def test_a_bias_is_a_vector_beside_a_weight() -> None:
    assert group(nn.Linear(3, 4)).has_bias
    assert not group(nn.Linear(3, 4, bias=False)).has_bias


def test_a_single_convolution_has_no_roles() -> None:
    assert not [*roles(inventory_of(nn.Conv2d(1, 2, 3)))]


def test_convolutions_without_a_w_have_no_roles() -> None:
    assert not [*roles(inventory_of(nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3), nn.Linear(3, 3))))]
