"""Large storages are copied only before they are written: no way to write them goes unseen that torch can show."""

import ctypes
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from capsaudit.inspection.modules.probe import probe
from capsaudit.inspection.modules.snapshot import SMALL, ModelSnapshot, restored
from tests.inspection.odd_modules import Model

SIDE = 256
PLACE = 4321
"""A place that is not among those that are compared where there is no copy: every 32nd of 32,768 pairs of floats."""

X = torch.ones(2, SIDE)


@torch.jit.script
def script(weight: Tensor) -> None:
    weight.view(-1)[4321] = 7


def by_operator(weight: Tensor) -> None:
    with torch.no_grad():
        weight.view(-1)[PLACE] = 7


def by_data(weight: Tensor) -> None:
    weight.data.view(-1)[PLACE] = 7


def by_detached(weight: Tensor) -> None:
    weight.detach().flatten()[PLACE].fill_(7)


def by_out(weight: Tensor) -> None:
    torch.mul(weight.detach(), 2, out=weight.data)


def by_list(weight: Tensor) -> None:
    torch._foreach_mul_([weight.data], 2.0)


def by_inplace_argument(weight: Tensor) -> None:
    nn.functional.relu(weight.data, inplace=True)


def by_optimiser(weight: Tensor) -> None:
    weight.sum().backward()
    torch.optim.SGD([weight], lr=1.0).step()


def by_running_statistics(weight: Tensor) -> None:
    """The schema of the operator does not say that it writes them."""
    flat = weight.data.view(-1)
    nn.functional.batch_norm(torch.ones(2, flat.numel()), flat, torch.ones(flat.numel()), training=True)


def by_numpy(weight: Tensor) -> None:
    weight.detach().numpy().reshape(-1)[PLACE] = 7


def by_array_protocol(weight: Tensor) -> None:
    np.asarray(weight.detach()).reshape(-1)[PLACE] = 7


def by_dlpack(weight: Tensor) -> None:
    torch.utils.dlpack.from_dlpack(weight.detach()).view(-1)[PLACE] = 7


def by_pointer(weight: Tensor) -> None:
    ctypes.memset(weight.data_ptr() + 4 * PLACE, 1, 4)


def by_storage(weight: Tensor) -> None:
    weight.untyped_storage()[4 * PLACE] = 1


def by_whole_storage(weight: Tensor) -> None:
    weight.untyped_storage().copy_(torch.ones_like(weight).untyped_storage())


def by_resizing(weight: Tensor) -> None:
    weight.untyped_storage().resize_(0)
    weight.untyped_storage().resize_(4 * SIDE**2)
    weight.data.zero_()


def by_script(weight: Tensor) -> None:
    script(weight.detach())


WAYS = [
    by_operator,
    by_data,
    by_detached,
    by_out,
    by_list,
    by_inplace_argument,
    by_optimiser,
    by_running_statistics,
    by_numpy,
    by_array_protocol,
    by_dlpack,
    by_pointer,
    by_storage,
    by_whole_storage,
    by_resizing,
    by_script,
]


def large(write: Callable[[Tensor], None] = lambda _: None) -> Any:
    def forward(model: Any, x: Tensor) -> Any:
        result = model.ours(x)
        write(model.ours.weight)
        return result

    return Model(forward, ours=nn.Linear(SIDE, SIDE, bias=False), other=nn.Linear(SIDE, SIDE, bias=False))


def kept(before: ModelSnapshot) -> int:
    """How many storages were copied."""
    return sum(storage.copy is not None for storage in before.tensors.storages.values())


@pytest.mark.parametrize("write", WAYS, ids=lambda write: write.__name__)
def test_every_write_is_noticed_and_restored(write: Callable[[Tensor], None]) -> None:
    """Also of one value at a place that is not compared without a copy. The other layer is not copied."""
    model = large(write)
    values = model.ours.weight.detach().clone()
    with restored(model) as before:
        model(X)
        assert not torch.equal(model.ours.weight, values)
        assert before.tensors.changed() == ["ours.weight"]
        assert before.tensors.lost() == []
        assert kept(before) == 1
    assert torch.equal(model.ours.weight, values)
    assert model.ours.weight.grad is None


def test_what_is_not_written_is_not_copied() -> None:
    model = large()
    with restored(model) as before:
        model(X).sum().backward()
        assert kept(before) == 0
        assert before.tensors.changed() == []


def test_memory_that_numpy_has_too_is_copied_at_once() -> None:
    """What NumPy writes later runs no operator."""
    model = large()
    view = model.ours.weight.detach().numpy()
    model.register_buffer("shared", torch.from_numpy(np.zeros((SIDE, SIDE))))
    values = view.copy()
    with restored(model) as before:
        assert kept(before) == 2
        view.reshape(-1)[PLACE] = 7
        assert before.tensors.changed() == ["ours.weight"]
    assert np.array_equal(view, values)


def test_small_storages_are_copied_at_once() -> None:
    sizes = (SMALL // 4, SMALL // 4 + 1)
    model = nn.ParameterList(nn.Parameter(torch.zeros(size)) for size in sizes)
    with restored(model) as before:
        assert [each.copy is not None for each in before.tensors.storages.values()] == [True, False]


def test_tensors_without_a_version_counter_are_copied_at_once() -> None:
    model = nn.Module()
    with torch.inference_mode():
        model.register_buffer("kept", torch.zeros(SIDE, SIDE))
    with restored(model) as before:
        assert kept(before) == 1


def in_a_thread(weight: Tensor) -> None:
    """Modes of torch belong to a thread."""
    thread = threading.Thread(target=by_operator, args=(weight,))
    thread.start()
    thread.join()


def test_a_write_of_another_thread_is_noticed_by_its_version_and_named() -> None:
    model = large(in_a_thread)
    (unused, changed) = probe(model, (X,))
    assert unused.path == "other.weight"
    assert (changed.kind, changed.path) == ("state changed", "ours.weight")
    assert changed.message == (
        "ours.weight changes during a forward pass in eval mode; it was not restored: another thread or native code wrote it"
    )


def through_old_pointer(start: int, count: int) -> Any:
    """The pointer is taken before the model is audited."""
    pointers: list[int] = []
    model = large(lambda _: void(ctypes.memset(pointers[0] + 4 * start, 1, 4 * count)))
    pointers.append(model.ours.weight.data_ptr())
    return model


def void(_: object) -> None:
    """A lambda returns what it calls."""


@pytest.mark.parametrize(("start", "count", "noticed"), [(0, SIDE**2, True), (PLACE, 1, False)])
def test_a_pointer_from_before_is_noticed_by_a_sample_of_values(start: int, count: int, noticed: bool) -> None:
    """The documented limit: a few values between those that are compared are not noticed."""
    model = through_old_pointer(start, count)
    with restored(model) as before:
        model(X)
        assert before.tensors.lost() == ["ours.weight"] * noticed
        assert before.tensors.changed() == ["ours.weight"] * noticed


def test_the_compiler_is_not_imported() -> None:
    """Its import takes seconds. A dispatch mode does so by default."""
    code = """
import sys, torch
from torch import nn
from capsaudit import api
api.audit(nn.Linear(3, 3), inputs=(torch.ones(1, 3),))
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
