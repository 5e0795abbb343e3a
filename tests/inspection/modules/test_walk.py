"""Walking a model: every module under each of its names, and the tensors that it registers."""

import torch
from torch import nn

from capsaudit.inspection.modules.walk import MAX_NAMES, buffers, parameters, registered, walk
from tests.inspection.odd_modules import Cycle, Diamonds, Tied, TwoNames


def paths(model: nn.Module) -> list[str]:
    return [path for path, _ in walk(model)]


def test_parents_come_before_children_in_the_order_of_registration() -> None:
    model = nn.Sequential(nn.Sequential(nn.ReLU(), nn.Tanh()), nn.Linear(1, 1))
    assert paths(model) == ["", "0", "0.0", "0.1", "1"]


def test_a_module_under_two_names_is_yielded_twice() -> None:
    assert paths(TwoNames()) == ["", "first", "second"]


def test_a_module_that_contains_its_parent_ends() -> None:
    assert paths(Cycle()) == ["", "child"]


def test_an_empty_slot_is_left_out() -> None:
    model = nn.Sequential(nn.ReLU())
    model.register_module("absent", None)
    assert paths(model) == ["", "0"]


def test_a_few_shared_levels_are_yielded_in_full() -> None:
    names = [path for path, module in walk(Diamonds(3)) if isinstance(module, nn.Linear)]
    assert len(names) == len(set(names)) == 2**4  # left or right at each of four levels


def test_a_module_shared_at_every_level_has_a_limited_number_of_names() -> None:
    linear = [module for _, module in walk(Diamonds(40)) if isinstance(module, nn.Linear)]  # it has 2**41 names
    assert len(linear) == MAX_NAMES


def test_a_tensor_under_two_names_is_yielded_twice() -> None:
    assert [named.path for named in registered(Tied())] == ["embedding.weight", "output.weight"]


def test_parameters_and_buffers_are_those_of_the_module_itself() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    model.register_buffer("scale", torch.ones(2))
    model.register_parameter("absent", None)
    assert list(parameters("", model)) == []
    (scale,) = buffers("net", model)
    assert (scale.path, scale.name, scale.layer, scale.buffer) == ("net.scale", "scale", "net", True)
    assert [(named.path, named.buffer) for named in registered(model)] == [
        ("scale", True),
        ("0.weight", False),
        ("0.bias", False),
    ]
