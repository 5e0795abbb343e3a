"""What is called a capsule network and what is not. Every difference is derived beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise, permutations
from math import isqrt
from operator import eq

import msgspec
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from capsaudit import api
from capsaudit.catalogue import load_all, load_variant
from capsaudit.commands.audit import audit
from capsaudit.errors import CapsauditError
from capsaudit.families.capsnet import CapsNet
from capsaudit.inspection.load import inventory_of
from capsaudit.inventory import Inventory
from capsaudit.recognition.base import Match, NoMatch
from capsaudit.recognition.closest import closest
from examples.capsnets import EightConvolutions
from tests.zoo import capsule_networks, modified


def as_file(inventory: Inventory) -> Inventory:
    """The same tensors as a file has them: no classes, no strides."""
    tensors = tuple(msgspec.structs.replace(tensor, kind="") for tensor in inventory.tensors)
    return msgspec.structs.replace(inventory, tensors=tensors, geometry={})


NORM = {"conv_layer.1": 2 * 256}
BETWEEN = {"conv_layer.2": 256 * 256 * 9 + 256}
TRANSPOSED = {
    "decoder.0": 161 * 32 * 49,
    "decoder.3": 32 * 8 * 16 + 8,
    "decoder.4": 2 * 8,
    "decoder.6": 8 * 16,
}


@pytest.mark.parametrize(
    ("model", "knobs", "beyond", "unexplained"),
    [
        pytest.param(modified.batch_norm, [], NORM, 512, id="batch normalisation"),
        pytest.param(modified.no_bias, ["primary_caps.bias", "conv1.bias"], {}, 0, id="no biases"),
        pytest.param(modified.linear, [], {"classifier": 17}, 17, id="a linear layer"),
        pytest.param(modified.convolution_between, [], BETWEEN, 590_080, id="a convolution behind conv1"),
        pytest.param(
            modified.smaller_grid, [], BETWEEN, 590_080 - 352 * 10 * 8 * 16, id="and 1152 − 800 capsules fewer"
        ),
        pytest.param(
            modified.convolution_before,
            [],
            {"conv_layer.0": 16 * 10},
            16 * 10 + (16 - 1) * 81 * 256,  # conv1 takes its 16 channels in place of the image's one
            id="a convolution before conv1",
        ),
        pytest.param(
            modified.transposed_convolutions, ["decoder"], TRANSPOSED, sum(TRANSPOSED.values()), id="another decoder"
        ),
    ],
)
@pytest.mark.parametrize("file", [False, True], ids=["module", "file"])
def test_a_capsule_network_that_was_changed_is_one_and_the_rest_is_named(
    model: Callable[[], nn.Module], knobs: list[str], beyond: dict[str, int], unexplained: int, file: bool
) -> None:
    inventory = inventory_of(model())
    result = audit(as_file(inventory) if file else inventory, [], against=load_variant("paper"))[0]
    assert result.recognised == "capsnet"
    assert [step.knob for step in result.explanations] == knobs
    assert result.unexplained == unexplained
    assert {row.name: row.trainable for row in result.layers if row.name in result.beyond} == beyond
    assert result.verdict == "disagrees"


OTHERS = [
    pytest.param(capsule_networks.EMRouting, id="EM routing"),
    pytest.param(capsule_networks.SelfRouting, id="self-routing"),
    pytest.param(lambda: capsule_networks.SelfRouting(convolutional=False), id="self-routing of the classes alone"),
    pytest.param(capsule_networks.VariationalRouting, id="variational routing"),
    pytest.param(capsule_networks.InvertedAttention, id="inverted attention"),
]


@pytest.mark.parametrize("model", OTHERS)
def test_other_capsule_networks_are_none_of_the_families(model: Callable[[], nn.Module]) -> None:
    network = model()
    assert network(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    inventory = inventory_of(network)
    for each in (inventory, as_file(inventory)):
        assert isinstance(closest(each, load_all()), NoMatch)
    result = api.audit(network)
    assert (result.recognised, result.closest, result.explanations, result.beyond) == (None, None, (), ())


def with_layers(count: int, width: int) -> nn.Module:
    """The paper's network, and more layers beside it."""
    model = EightConvolutions()
    model.more = nn.ModuleList([nn.Linear(width, 3) for _ in range(count)])
    return model


def with_route() -> nn.Module:
    model = EightConvolutions()
    model.route = nn.Parameter(torch.zeros(1152, 10, 8))
    return model


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (lambda: nn.Conv2d(1, 2, 3), "it has no two convolutions"),
        # 8,215,568 of 8,215,568 + 3·(100,000,000 + 1) values are 2.7 %
        (lambda: with_layers(1, 100_000_000), "accounts for only 3 % of its values, fewer than 33 %"),
        (lambda: with_layers(9, 5), "9 of its layers have no part in such a network, more than 8"),
        (lambda: nn.Linear(3, 3), "it has no convolution"),
        # 20 normalisations: seen without trying any roles
        (
            lambda: nn.Sequential(EightConvolutions(), *(nn.BatchNorm2d(3) for _ in range(20))),
            "more than 8 of its layers have no part in such a network",
        ),
        (with_route, "route has no part in such a network, which has no parameter of three or more axes but W"),
    ],
)  # fmt: skip
def test_who_insists_on_a_comparison_reads_which_condition_failed(model: Callable[[], nn.Module], reason: str) -> None:
    with torch.device("meta"):
        network = model()
    with pytest.raises(CapsauditError, match=f"cannot be compared with paper: .*{reason}"):
        api.audit(network, against="paper")
    assert api.audit(network).recognised is None


def test_at_the_bar_it_is_one() -> None:
    """Eight other layers; and twice as many values in others as in the network, 2·8,215,568 = 16,431,136, of which 3·(n + 1) is 16,431,135
    or three more.
    """
    with torch.device("meta"):
        assert api.audit(with_layers(8, 5)).closest == "paper"
        assert api.audit(with_layers(1, 5_477_044)).closest == "paper"
        assert api.audit(with_layers(1, 5_477_045)).closest is None


def square(number: int) -> bool:
    return isqrt(number) ** 2 == number


def as_matrices(bare: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """A parameter as matrices, classes, dimension in and dimension out: axes in any order, of three perhaps one split."""
    sizes = [size for size in bare if size != 1]
    cut = [[*sizes, 1]] + [
        [*sizes[:at], factor, sizes[at] // factor, *sizes[at + 1 :]]
        for at in range(len(sizes))
        for factor in range(1, sizes[at])
        if sizes[at] % factor == 0
    ]
    for each in [sizes] if len(sizes) == 4 else cut if len(sizes) == 3 else []:
        yield from permutations(each)


def chains(channels: Sequence[int], bare: Sequence[int], widths: Sequence[int]) -> bool:
    """Whether some axis of the parameter divides the channels of convolutions behind the first, and it has a matrix for each class and
    capsule of a whole square grid, or type, or one. With fewer than four axes, a decoder to a square image takes the capsules as well, or
    all sizes but one are a variant's. Written without the recogniser.
    """
    decoders = {width for at, width in enumerate(widths) if any(map(square, widths[at + 1 :]))}
    known = {
        (spec.digit_caps.classes, spec.primary_caps.dimension, spec.digit_caps.dimension)
        for spec in (variant.spec for variant in load_all())
        if isinstance(spec, CapsNet)
    }
    for matrices, classes, dimension_in, dimension in as_matrices(bare):
        sure = bare.count(1) == len(bare) - 4
        confirmed = {dimension, classes * dimension} & decoders or any(
            sum(map(eq, (classes, dimension_in, dimension), sizes)) >= 2 for sizes in known
        )
        for out in (width * parts for width in channels[1:] for parts in range(1, channels.count(width) + 1)):
            types, rest = divmod(out, dimension_in)
            grid = matrices == 1 or (types and matrices % types == 0 and square(matrices // types))
            if grid and not rest and (sure or confirmed):
                return True
    return False


SIZE = st.integers(2, 40)


@given(
    st.lists(st.tuples(SIZE, st.sampled_from([1, 3, 5, 7, 9])), min_size=2, max_size=6),
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.lists(SIZE, max_size=4),
    st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_convolutions_and_a_parameter_are_no_capsule_network_unless_they_chain(
    convolutions: list[tuple[int, int]], bare: list[int], widths: list[int], file: bool
) -> None:
    channels = [1, *(out for out, _ in convolutions)]
    model = nn.Module()
    with torch.device("meta"):
        layers = [
            nn.Conv2d(before, out, kernel) for before, (out, kernel) in zip(channels[:-1], convolutions, strict=True)
        ]
        model.features = nn.Sequential(*layers)
        model.head = nn.Sequential(*(nn.Linear(*pair) for pair in pairwise(widths)))
        model.bare = nn.Parameter(torch.empty(bare))
    inventory = inventory_of(model)
    found = closest(as_file(inventory) if file else inventory, load_all())
    if isinstance(found, Match):
        assert chains(channels[1:], bare, widths)


@given(SIZE, st.integers(1, 6), st.integers(2, 9), st.integers(1, 4), st.integers(2, 12), st.integers(2, 20))
@settings(max_examples=60, deadline=None)
def test_where_they_chain_they_are_one(
    width: int, types: int, dimension_in: int, grid: int, classes: int, dimension: int
) -> None:
    """The rule of the test above does not only refuse. A grid of g×g with kernels of 3 is an image of g + 4."""
    model = nn.Module()
    shape = (types * grid**2, classes, dimension_in, dimension)
    with torch.device("meta"):
        model.features = nn.Sequential(nn.Conv2d(1, width, 3), nn.Conv2d(width, types * dimension_in, 3))
        model.bare = nn.Parameter(torch.empty(shape))
    found = closest(inventory_of(model), load_all())
    if len([size for size in shape if size != 1]) == 4:
        assert isinstance(found, Match)
        assert found.misfit == 0
