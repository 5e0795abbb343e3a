"""Running a forward pass: inputs from shapes, lazy modules in a copy, the random state, errors."""

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.forward import (
    Arguments,
    by_name,
    expect_materialised,
    in_order,
    materialise,
    probe_inputs,
    restored_random_state,
    run_forward,
)
from capsaudit.inspection.modules.walk import registered
from tests.inspection.odd_modules import Model, OddCalls, linear


def test_a_forward_pass_includes_hooks_and_keyword_arguments() -> None:
    model = OddCalls()
    model.register_forward_hook(lambda *_: "from the hook")
    assert run_forward(model, (), {"x": torch.ones(1, 2)}) == "from the hook"


def test_an_error_of_forward_is_translated() -> None:
    with pytest.raises(
        CapsauditError, match=r"^forward raised IndexError: list index out of range \(test_forward\.py, line \d+\)$"
    ) as caught:
        run_forward(Model(lambda _, x: [x][1]), (torch.ones(1),), {})
    assert isinstance(caught.value.__cause__, IndexError)


def test_a_forward_pass_that_exits_has_failed() -> None:
    with pytest.raises(CapsauditError, match=r"^forward raised SystemExit: 3 "):
        run_forward(Model(lambda _, x: sys.exit(3 * len(x))), (torch.ones(1),), {})


class Takes(nn.Module):
    """A forward pass with the parameters of a function."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.forward = function


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, y: (x, y), Arguments((1, 2))),
        (lambda *x: x, Arguments((1, 2))),
        (lambda *, x, y: (x, y), Arguments((), {"x": 1, "y": 2})),
        (lambda x, *, y, z=None: (x, y, z), Arguments((1,), {"y": 2})),
        (lambda x: x, Arguments((1, 2))),  # too many: forward will say so
    ],
)
def test_inputs_in_order_are_passed_as_forward_takes_them(function: Callable[..., object], expected: Arguments) -> None:
    assert in_order(Takes(function), [1, 2]) == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x, y=None: (x, y), Arguments((), {"x": 1})),
        (lambda **x: x, Arguments((), {"x": 1})),
        (lambda batch: batch, Arguments(({"x": 1},))),
    ],
)
def test_a_dict_of_inputs_is_passed_as_forward_takes_it(function: Callable[..., object], expected: Arguments) -> None:
    assert by_name(Takes(function), {"x": 1}) == expected


def test_a_compiled_model_is_run_without_the_compiler() -> None:
    def compiler(*_: object) -> Callable[..., object]:
        raise AssertionError("compiled")

    model: Any = torch.compile(linear(), backend=compiler)
    assert isinstance(run_forward(model, (torch.ones(2, 3),), {}), torch.Tensor)


def random_state() -> tuple[object, ...]:
    of_numpy = np.random.get_state(legacy=False)["state"]
    return random.getstate(), torch.get_rng_state().tolist(), (of_numpy["pos"], of_numpy["key"].tolist())


def draw_and_fail() -> None:
    random.random()
    torch.rand(1)
    np.random.random()
    raise ValueError("half-way")


def test_the_random_state_is_restored_also_after_an_error() -> None:
    before = random_state()
    with pytest.raises(ValueError, match="half-way"), restored_random_state():
        draw_and_fail()
    assert random_state() == before
    with pytest.raises(ValueError, match="half-way"):
        draw_and_fail()
    assert all(now != then for now, then in zip(random_state(), before, strict=True))  # so this test can fail


def test_inputs_are_made_from_shapes() -> None:
    model = linear().to(torch.float64)
    state = torch.get_rng_state()
    floats, ids = probe_inputs(model, [(3, 4), (5,)], batch=7, dtypes=[None, torch.int64])
    assert (floats.shape, floats.dtype, ids.shape, ids.dtype) == ((7, 3, 4), torch.float64, (7, 5), torch.int64)
    assert [floats.min().item(), floats.max().item(), ids.max().item()] == [0, 1, 0]
    assert torch.equal(torch.get_rng_state(), state)
    assert probe_inputs(model.to("meta"), [()])[0].device.type == "meta"
    assert probe_inputs(nn.ReLU(), [(3,)])[0].dtype == torch.float32


def test_lazy_modules_are_materialised_in_a_copy() -> None:
    model = nn.Sequential(nn.LazyConv2d(2, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(4)).train()
    state = torch.get_rng_state()
    copied = materialise(model, (torch.zeros(1, 3, 5, 5),))
    # 2·3·3·3 + 2, affine 2·2, then 2·3·3 inputs: 4·18 + 4
    assert sum(parameter.numel() for parameter in copied.parameters()) == 56 + 4 + 76
    assert isinstance(copied, nn.Sequential)
    assert [type(part).__name__ for part in copied] == ["Conv2d", "BatchNorm2d", "Flatten", "Linear"]
    assert copied[1].num_batches_tracked == 0  # a forward pass in training mode would count itself
    assert all(part.training for part in copied.modules())
    assert [type(part).__name__ for part in model] == ["LazyConv2d", "LazyBatchNorm2d", "Flatten", "LazyLinear"]
    assert is_lazy(model.get_parameter("0.weight"))
    assert torch.equal(torch.get_rng_state(), state)


def test_an_error_while_materialising_is_translated() -> None:
    with pytest.raises(CapsauditError, match="forward raised RuntimeError"):
        materialise(nn.Sequential(nn.LazyLinear(4), nn.Linear(3, 1)), (torch.zeros(1, 2),))


def test_a_model_that_cannot_be_copied_is_reported() -> None:
    class Uncopyable(nn.LazyLinear):
        def __deepcopy__(self, _: object) -> "Uncopyable":
            raise TypeError("not this one")

    with pytest.raises(CapsauditError, match=r"^the model cannot be copied: TypeError: not this one$"):
        materialise(Uncopyable(4), (torch.zeros(1, 2),))


def test_a_lazy_tensor_is_reported_by_its_path() -> None:
    expect_materialised(registered(nn.Sequential(nn.Flatten(), nn.Linear(2, 4))))
    with pytest.raises(CapsauditError, match=r"^1\.weight has no shape until .*; pass an input \(--input\)$"):
        expect_materialised(registered(nn.Sequential(nn.Flatten(), nn.LazyLinear(4))))
