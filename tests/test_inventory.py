"""The inventory of a model: how many values it has, by each policy."""

import pytest

from capsaudit.errors import CapsauditError
from capsaudit.inventory import POLICIES, STORED, Inventory, InventoryTensor, expect_policy


def tensor(name: str, count: int, *, trainable: bool = True, buffer: bool = False, **counts: int) -> InventoryTensor:
    layer, _, _ = name.rpartition(".")
    return InventoryTensor(
        name=name,
        layer=layer,
        kind="Linear",
        shape=(count,),
        count=count,
        trainable=trainable,
        buffer=buffer,
        dtype="float32",
        bytes=4 * count,
        counts=counts,
    )


INVENTORY = Inventory(
    target="net",
    tensors=(
        tensor("fc.weight", 100, nonzero=70, effective=50),
        tensor("fc.bias", 10),
        tensor("fc.scale", 5, trainable=False, nonzero=2),
        tensor("bn.running_mean", 7, trainable=False, buffer=True, nonzero=1),
    ),
)


@pytest.mark.parametrize(
    ("policy", "trainable", "frozen"),
    [("stored", 110, 5), ("nonzero", 80, 2), ("effective", 60, 5), ("parameters", 110, 5)],
)
def test_values_by_policy(policy: str, trainable: int, frozen: int) -> None:
    """Where a tensor says nothing about a policy, it counts what it stores."""
    assert INVENTORY.trainable(policy) == trainable
    assert INVENTORY.frozen(policy) == frozen


def test_buffers_are_neither_trainable_nor_frozen() -> None:
    assert INVENTORY.buffers() == 7
    assert INVENTORY.trainable() + INVENTORY.frozen() == 115


def test_a_tensor_without_other_counts_is_what_it_stores_by_any_policy() -> None:
    assert {tensor("a.b", 3).by(policy) for policy in POLICIES} == {3}


def test_an_unknown_policy_is_refused() -> None:
    expect_policy(STORED)
    with pytest.raises(CapsauditError, match=r"no policy 'stord'; did you mean 'stored'\?"):
        expect_policy("stord")


def test_the_default_policy_is_the_first_and_each_is_explained() -> None:
    assert next(iter(POLICIES)) == STORED
    assert all(POLICIES.values())
