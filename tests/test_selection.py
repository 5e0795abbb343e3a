"""Selections: which tensors a count is about. Experts are found by shapes, and by the router beside them."""

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inventory import InventoryTensor
from capsaudit.selection import Selection, experts, parse_experts, select


def tensor(name: str, *shape: int, trainable: bool = True, buffer: bool = False) -> InventoryTensor:
    count = 1
    for side in shape:
        count *= side
    return InventoryTensor(
        name=name, layer=name.rpartition(".")[0], kind="", shape=shape, count=count, trainable=trainable, buffer=buffer,
        dtype="float32", bytes=4 * count,
    )  # fmt: skip


MODEL = (
    tensor("scale", 1),
    tensor("body.weight", 20),
    tensor("body.norm.weight", 3),
    tensor("body.norm.running_mean", 3, trainable=False, buffer=True),
    tensor("head.weight", 70),
    tensor("head.bias", 7, trainable=False),
)


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        pytest.param(None, [t.name for t in MODEL], id="the whole model"),
        pytest.param("head", ["head.weight", "head.bias"], id="a layer"),
        pytest.param("head.bias", ["head.bias"], id="a tensor"),
        pytest.param("*.weight", ["body.weight", "body.norm.weight", "head.weight"], id="a pattern"),
        pytest.param("body", ["body.weight", "body.norm.weight", "body.norm.running_mean"], id="a layer and those in it"),
        pytest.param("bod", [], id="not the beginning of a name"),
    ],
)  # fmt: skip
def test_what_a_name_selects(pattern: str | None, names: list[str]) -> None:
    assert [found.name for found in select(MODEL, pattern, {})] == names


def mixture(of: int, *, router: int) -> list[InventoryTensor]:
    """Two layers; in each a router, `of` experts of 4·6 and 6·4 values, and a matrix that every token uses."""
    return [
        each
        for layer in range(2)
        for each in (
            tensor(f"layers.{layer}.attention.weight", 4, 4),
            tensor(f"layers.{layer}.moe.gate.weight", router, 4),
            *(
                tensor(f"layers.{layer}.moe.experts.{number}.{name}.weight", *shape)
                for number in range(of)
                for name, shape in (("up", (6, 4)), ("down", (4, 6)))
            ),
        )
    ]


def fused(of: int) -> list[InventoryTensor]:
    """The same experts as one tensor a layer, with biases."""
    return [
        tensor("moe.router.weight", of, 4),
        tensor("moe.experts.up", of, 6, 4),
        tensor("moe.experts.up_bias", of, 6),
        tensor("moe.shared.weight", 6, 4),
    ]


@pytest.mark.parametrize(
    ("tensors", "text", "count"),
    [
        pytest.param(mixture(8, router=8), "2 of 8", 2 * (16 + 8 * 4 + 2 * 48), id="modules: 2 of 8 experts of 48 values"),
        pytest.param(mixture(8, router=8), "8 of 8", 2 * (16 + 8 * 4 + 8 * 48), id="all of them"),
        pytest.param(fused(8), "1 of 8", 8 * 4 + 24 + 6 + 24, id="fused: one of 24 values, its bias, and the shared one"),
    ],
)  # fmt: skip
def test_experts_that_a_token_uses(tensors: list[InventoryTensor], text: str, count: int) -> None:
    selection = Selection(experts=text)
    assert selection.total(tensors, selection.tensors(tensors, {})) == count


def test_only_the_selected_experts_count() -> None:
    """Layer 0 has 16 + 32 and two of eight experts of 48 values; the frozen ones are none of the trainable."""
    tensors = mixture(8, router=8)
    selection = Selection(layers=("layers.0",), excluded=("*.gate",), experts="2 of 8")
    assert selection.total(tensors, selection.tensors(tensors, {})) == 16 + 2 * 48
    assert Selection(count="frozen", experts="2 of 8").total(tensors, tensors) == 0


def test_equal_layers_without_a_router_are_no_experts() -> None:
    """Eight equal layers, and a vocabulary of eight two modules above them: neither is a router of the other."""
    layers = [tensor(f"model.layers.{number}.weight", 4, 4) for number in range(8)]
    assert experts([tensor("embedding.weight", 8, 4), *layers]) == {}
    assert experts(mixture(8, router=4)) == {}
    with pytest.raises(CapsauditError, match=r"no layer has 8 experts: 8 equal modules in a list, or tensors"):
        Selection(experts="2 of 8").total(layers, layers)
    with pytest.raises(CapsauditError, match=r"no layer has 16 experts.*; the model has layers of 8"):
        Selection(experts="2 of 16").total(mixture(8, router=8), [])
    with pytest.raises(CapsauditError, match="none of the layers that are counted has 8 experts; other layers"):
        Selection(experts="2 of 8").total(mixture(8, router=8), [tensor("head.weight", 3, 4)])


def test_unequal_modules_are_no_experts() -> None:
    tensors = [each for each in mixture(2, router=2) if each.name != "layers.0.moe.experts.1.down.weight"]
    assert {name.split(".")[1] for name in experts(tensors)} == {"1"}


@pytest.mark.parametrize("text", ["2", "2/8", "0 of 8", "9 of 8", "-1 of 8", "2 of 8 experts", ""])
def test_what_is_no_number_of_experts(text: str) -> None:
    with pytest.raises(CapsauditError, match='expected how many of how many, such as "2 of 8"'):
        parse_experts(text)


@pytest.mark.parametrize(
    ("selection", "about"),
    [
        (Selection(), None),
        (Selection(layers=("", "a")), "the model itself, a"),
        (Selection(excluded=("a",)), "the model except a"),
        (Selection(experts="2 of 8"), "the model, 2 of 8 experts"),
    ],
)
def test_what_a_selection_is_called(selection: Selection, about: str | None) -> None:
    assert selection.about == about
