"""What a model holds: registered or not, in containers and in objects, each object once."""

import logging
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import msgspec
import pytest
import torch
from torch import Tensor, nn

from capsaudit.inspection.modules.contents import HeldObject, held_objects, is_trainable_leaf, members, tensors_within
from tests.inspection.odd_modules import Cycle, Model, PlainObject, Tied, linear


def tensors(model: nn.Module) -> dict[str, HeldObject]:
    return {held.path: held for held in held_objects(model) if isinstance(held.value, Tensor)}


def holding(value: object) -> nn.Module:
    return Model(lambda _, x: x, held=value)


def test_registered_objects_have_no_unregistered_attribute() -> None:
    held = held_objects(nn.Sequential(linear()))
    assert [(one.path, one.attribute) for one in held] == [("", None), ("0", None), ("0.weight", None)]


def test_an_object_is_held_once_under_its_first_name() -> None:
    assert list(tensors(Tied())) == ["embedding.weight"]
    assert [held.path for held in held_objects(Cycle()) if isinstance(held.value, nn.Module)] == ["", "child"]


def test_a_registered_module_in_a_list_keeps_its_registered_path() -> None:
    layer = linear()
    assert list(tensors(Model(lambda _, x: x, layers=[layer], layer=layer))) == ["layer.weight"]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        pytest.param(torch.ones(1), "held", id="tensor"),
        pytest.param([torch.ones(1)], "held[0]", id="list"),
        pytest.param((None, torch.ones(1)), "held[1]", id="tuple"),
        pytest.param({"a": torch.ones(1)}, "held['a']", id="dict"),
        pytest.param({torch.ones(1)}, "held{…}", id="set"),
        pytest.param(deque([torch.ones(1)]), "held[0]", id="deque"),
        pytest.param([{"a": (None, linear())}], "held[0]['a'][1].weight", id="nested"),
        pytest.param(PlainObject(torch.ones(1)), "held.value", id="object"),
    ],
)
def test_unregistered_tensors_are_found_by_path(value: object, path: str) -> None:
    (held,) = tensors(holding(value)).values()
    assert held.path == path
    assert held.attribute == ("held", value)


def test_the_way_to_a_tensor_is_recorded() -> None:
    (in_list,) = tensors(holding([torch.ones(1)])).values()
    assert (in_list.in_module, in_list.in_object) == (False, False)
    (in_module,) = tensors(holding([linear()])).values()
    assert (in_module.in_module, in_module.in_object) == (True, False)
    (in_object,) = tensors(holding(PlainObject(torch.ones(1)))).values()
    assert (in_object.in_module, in_object.in_object) == (False, True)


def test_objects_in_objects_and_objects_of_other_packages_are_not_searched() -> None:
    assert tensors(holding(PlainObject(PlainObject(torch.ones(1))))) == {}
    logger = logging.Logger("test")
    logger.extra = torch.ones(1)  # type: ignore[attr-defined]
    assert tensors(holding(logger)) == {}
    assert tensors(holding(torch.distributions.Normal(torch.ones(1), 1.0))) == {}


def test_no_property_of_a_users_class_is_run() -> None:
    class WithProperty(PlainObject):
        @property
        def weight(self) -> Tensor:
            raise AssertionError

    assert list(tensors(holding(WithProperty(torch.ones(1))))) == ["held.value"]


def test_a_container_that_contains_itself_ends() -> None:
    endless: list[object] = [torch.ones(1)]
    endless.append(endless)
    assert list(tensors(holding(endless))) == ["held[0]"]
    assert len(tensors_within(endless)) == 1


class Record(NamedTuple):
    lengths: Tensor


@dataclass(slots=True)
class Data:
    lengths: Tensor


class Structure(msgspec.Struct):
    lengths: Tensor


@pytest.mark.parametrize("kind", [Record, Data, Structure])
def test_members_of_records_are_written_with_their_field(kind: type[Record | Data | Structure]) -> None:
    lengths = torch.ones(1)
    ((suffix, member),) = members(kind(lengths))
    assert suffix == ".lengths"
    assert member is lengths


def test_simple_values_are_no_members() -> None:
    assert list(members([1, 0.5, True, "text", b"", None, 1j, ()])) == [("[7]", ())]


def test_a_tensor_that_occurs_twice_is_found_once() -> None:
    one, other = torch.ones(1), torch.ones(1)
    assert {id(tensor) for tensor in tensors_within([one, {"a": (one, other)}])} == {id(one), id(other)}
    assert len(tensors_within([one, {"a": (one, other)}])) == 2


def test_trainable_leaves_are_parameters_and_leaves_that_require_a_gradient() -> None:
    trained = torch.ones(1, requires_grad=True)
    assert is_trainable_leaf(nn.Parameter(torch.ones(1), requires_grad=False))
    assert is_trainable_leaf(trained)
    assert not is_trainable_leaf(torch.ones(1))
    assert not is_trainable_leaf(trained * 2)  # not a leaf
