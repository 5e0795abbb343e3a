"""What a forward pass uses: tensors passed to torch functions, and leaves that receive a gradient."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import NamedTuple

import msgspec
import pytest
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from capsaudit.inspection.modules.trace import UsedTensors, gradient_graph, release
from tests.inspection.odd_modules import PlainObject


@pytest.mark.parametrize(
    ("use", "is_used"),
    [
        pytest.param(lambda x: x * 2, True, id="operator"),
        pytest.param(lambda x: torch.stack([x, x]), True, id="in a list"),
        pytest.param(lambda x: torch.add(torch.ones(3, 3), other=x), True, id="keyword"),
        pytest.param(lambda x: x.data, True, id="data"),
        pytest.param(lambda x: x.T, True, id="transpose"),
        pytest.param(lambda x: x.sum().item(), True, id="item"),
        pytest.param(lambda x: x.shape, False, id="shape"),
        pytest.param(lambda x: x.dtype, False, id="dtype"),
        pytest.param(lambda x: x.size(0), False, id="size"),
        pytest.param(lambda x: x.numel() + x.dim() + len(x), False, id="numbers"),
    ],
)
def test_reading_values_is_a_use_and_reading_metadata_is_not(use: Callable[[Tensor], object], is_used: bool) -> None:
    x = torch.ones(3, 3)
    with UsedTensors() as used:
        use(x)
    assert (id(x) in used.ids) == is_used


class Record(NamedTuple):
    y: Tensor


@dataclass
class Data:
    y: Tensor


class Structure(msgspec.Struct):
    y: Tensor


@pytest.mark.parametrize(
    "wrap",
    [
        lambda y: y,
        lambda y: (None, [y]),
        lambda y: {"deep": {"deeper": y}},
        Record,
        Data,
        Structure,
        PlainObject,
        lambda y: SimpleNamespace(y=y),
        lambda y: torch.distributions.Normal(y, 1.0),
    ],
)
def test_outputs_of_any_form_are_followed(wrap: Callable[[Tensor], object]) -> None:
    leaf, other = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    graph = gradient_graph(wrap(leaf * 2))
    assert graph.requires_grad
    assert id(leaf) in graph.leaves
    assert id(other) not in graph.leaves


def test_a_detached_tensor_and_a_tensor_under_no_grad_receive_no_gradient() -> None:
    kept, detached, ungraded = (torch.ones(3, requires_grad=True) for _ in range(3))
    with torch.no_grad():
        constant = ungraded * 2
    assert list(gradient_graph(kept + detached.detach() + constant).leaves) == [id(kept)]


def test_outputs_without_a_gradient_have_no_graph() -> None:
    graph = gradient_graph((torch.ones(3), "text"))
    assert (graph.nodes, graph.leaves, graph.requires_grad, graph.is_partial) == ([], {}, False, False)


def test_an_output_may_be_a_leaf_itself() -> None:
    leaf = torch.ones(3, requires_grad=True)
    assert list(gradient_graph(leaf).leaves) == [id(leaf)]


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_graph_with_a_reentrant_checkpoint_is_partial(reentrant: bool) -> None:
    x = torch.ones(3, requires_grad=True)
    graph = gradient_graph(checkpoint(torch.sin, x, use_reentrant=reentrant))
    assert graph.is_partial == reentrant


LONG = """
import torch
from capsaudit.inspection.modules.trace import gradient_graph, release
y = torch.ones(1, requires_grad=True)
for _ in range(60_000):
    y = y + 1
graph = gradient_graph(y)
del y  # the graph is held by its nodes alone
assert len(graph.nodes) == 60_001  # each addition, and the leaf
release(graph)
"""


def test_a_very_long_graph_is_freed_without_recursion() -> None:
    """In a process of its own: freed in another order, torch overflows the stack."""
    done = subprocess.run([sys.executable, "-c", LONG], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_released_graph_has_no_nodes() -> None:
    graph = gradient_graph(torch.ones(1, requires_grad=True) * 2)
    assert len(graph.nodes) == 2  # the product and the leaf
    release(graph)
    assert graph.nodes == []
