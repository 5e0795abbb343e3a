"""The state of a model during and after a forward pass: it is in eval mode, and everything is restored."""

import random
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from capsaudit.inspection.modules import snapshot
from capsaudit.inspection.modules.snapshot import restored
from tests.inspection.odd_modules import Model, PlainObject, linear


@pytest.fixture(params=["copied at once", "copied before a write"], autouse=True)
def copies(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test with both kinds of storages: the models here are small, large ones have tests of their own below."""
    if request.param == "copied before a write":
        monkeypatch.setattr(snapshot, "SMALL", -1)


def changed(model: nn.Module) -> list[str]:
    """Run the model on ones, restore it, and return the paths of the tensors that it changed."""
    with restored(model) as before:
        model(torch.ones(2, 3))
        return before.tensors.changed()


def state(model: nn.Module) -> list[tuple[object, ...]]:
    """Everything that can be looked at: values, identities, flags, attributes."""
    parts = [(id(part), part.training, dict(vars(part))) for part in model.modules()]
    names = [*model.named_parameters(), *model.named_buffers()]
    tensors = [(name, id(one), one.requires_grad, id(one.grad), repr(one.tolist()), one.shape) for name, one in names]
    return [*((part, training, sorted(kept), _plain(kept)) for part, training, kept in parts), *tensors]


def _plain(attributes: dict[str, Any]) -> list[object]:
    """Dictionaries by the identities of their items, other attributes by their text."""
    return [
        (name, {key: id(one) for key, one in value.items()} if isinstance(value, dict) else repr(value))
        for name, value in sorted(attributes.items())
        if not callable(value)
    ]


def random_state() -> tuple[object, ...]:
    of_numpy = np.random.get_state(legacy=False)["state"]
    return random.getstate(), torch.get_rng_state().tolist(), (of_numpy["pos"], of_numpy["key"].tolist())


def change_buffer(model: Any, x: Tensor) -> Any:
    model.seen += 1
    return model.ours(x)


def replace_buffer(model: Any, x: Tensor) -> Any:
    model.seen = model.seen + 1
    return model.ours(x)


def change_weight(model: Any, x: Tensor) -> Any:
    model.ours.weight.data.mul_(2)
    return model.ours(x)


def replace_data(model: Any, x: Tensor) -> Any:
    model.ours.weight.data = torch.ones(3, 3)
    return model.ours(x)


def add_buffer(model: Any, x: Tensor) -> Any:
    model.register_buffer("late", torch.ones(1))
    return model.ours(x)


def delete_buffer(model: Any, x: Tensor) -> Any:
    del model.seen
    return model.ours(x)


def change_attributes(model: Any, x: Tensor) -> Any:
    model.calls += 1
    model.cache.append(x)
    model.state[0] = x
    model.queue.popleft()
    model.table["x"] = {"deep": x}
    model.table["was"].add(3)
    model.helper.value = x
    model.last = x
    model.ours.register_forward_hook(lambda *_: None)
    return model.ours(x)


def train(model: Any, x: Tensor) -> Any:
    model.train()
    model.ours(x).sum().backward()
    model.ours.weight.requires_grad_(False)
    model.other(x).sum().backward()
    model.ours.weight.requires_grad_(True)
    model.other.weight.requires_grad_(False)
    return model.ours(x)


def draw(model: Any, x: Tensor) -> Any:
    random.random()
    np.random.random()
    return model.ours(nn.functional.dropout(x, 0.5, training=True))


CHANGES: dict[str, tuple[Callable[[Any, Tensor], Any], list[str]]] = {
    "buffer in place": (change_buffer, ["seen"]),
    "buffer replaced": (replace_buffer, ["seen"]),
    "weight through data": (change_weight, ["ours.weight"]),
    "data replaced": (replace_data, ["ours.weight"]),
    "new buffer": (add_buffer, ["late"]),
    "buffer deleted": (delete_buffer, ["seen"]),
    "attributes, caches, hooks": (change_attributes, []),
    "modes, flags, gradients": (train, []),
    "random state": (draw, []),
}


def changing(forward: Callable[[Any, Tensor], Any]) -> Any:
    """A model with a gradient, a part with a mode of its own, a buffer with NaN, and containers."""
    model: Any = Model(
        forward, ours=linear(), other=linear(), norm=nn.BatchNorm1d(3), calls=0, cache=[], queue=deque([1, 2])
    )
    model.state = [None]  # as long as before, with another item
    model.table = {"was": {1}}
    model.helper = PlainObject(2)
    model.register_buffer("seen", torch.tensor([float("nan"), 1]))
    model.other.weight.grad = torch.ones(3, 3)
    model.norm.eval()
    return model


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("case", CHANGES)
def test_the_model_is_restored(case: str, fails: bool) -> None:
    change, expected = CHANGES[case]

    def forward(model: Any, x: Tensor) -> Any:
        result = change(model, x)
        if fails:
            raise ValueError("half-way")
        return result

    model = changing(forward)
    before, randomness = state(model), random_state()
    gradient = model.other.weight.grad.clone()
    if fails:
        with pytest.raises(ValueError, match="half-way"):
            changed(model)
    else:
        assert changed(model) == expected
    assert state(model) == before
    assert torch.equal(model.other.weight.grad, gradient)
    assert (model.helper.value, model.cache, model.state, model.table) == (2, [], [None], {"was": {1}})
    assert model.queue == deque([1, 2])
    assert random_state() == randomness


@pytest.mark.parametrize("case", CHANGES)
def test_without_a_snapshot_the_model_would_be_changed(case: str) -> None:
    """This shows that the test above can fail."""
    model = changing(CHANGES[case][0])
    before = state(model), random_state(), model.other.weight.grad.tolist()
    model(torch.ones(2, 3))
    assert (state(model), random_state(), model.other.weight.grad.tolist()) != before


def test_the_model_is_in_eval_mode_meanwhile() -> None:
    hidden = nn.BatchNorm1d(3, affine=False).train()
    model: Any = Model(lambda m, x: m.ours(m.layers[0](x)), layers=[hidden], ours=linear()).train()
    with restored(model):
        assert not any(part.training for part in (model, model.ours, hidden))
        model(torch.ones(2, 3))
    assert all(part.training for part in (model, model.ours, hidden))
    assert hidden.num_batches_tracked == 0


def test_statistics_are_those_of_before_in_training_mode() -> None:
    model: Any = nn.Sequential(linear(), nn.BatchNorm1d(3)).train()
    assert changed(model) == []
    assert model[1].running_mean.tolist() == [0, 0, 0]
    assert model[1].num_batches_tracked == 0
    assert all(part.training for part in model.modules())


def test_modes_are_set_without_calling_a_users_train() -> None:
    class Folds(nn.Linear):
        def train(self, _: bool = True) -> "Folds":
            raise AssertionError("folded")

    assert changed(nn.Sequential(Folds(3, 3))) == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_mode_of_a_scripted_module_is_restored() -> None:
    model = torch.jit.script(nn.Sequential(linear(), nn.BatchNorm1d(3))).train()
    with restored(model):
        assert not any(part.training for part in model.modules())
    assert all(part.training for part in model.modules())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_frozen_scripted_module_has_no_mode() -> None:
    frozen = torch.jit.freeze(torch.jit.script(nn.Sequential(linear())).eval())
    assert changed(nn.Sequential(frozen)) == []


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(1).expand(3, 3),
        torch.zeros(3, 3).T,
        torch.zeros(3, 3, dtype=torch.complex64),
        torch.zeros(9, 9)[::3, ::3],
        torch.zeros(3, 3, dtype=torch.bool),
        torch.tensor(0),
    ],
    ids=lambda tensor: f"{tensor.dtype} {tuple(tensor.stride())}",
)
def test_buffers_of_any_layout_are_restored(tensor: Tensor) -> None:
    def forward(model: Any, x: Tensor) -> Any:
        model.kept.data = torch.ones(5)
        return model.ours(x)

    model: Any = Model(forward, ours=linear())
    model.register_buffer("kept", tensor)
    values, strides = tensor.tolist(), tensor.stride()
    assert changed(model) == ["kept"]
    assert (model.kept.tolist(), model.kept.stride()) == (values, strides)


@pytest.mark.parametrize("change", [lambda kept: kept.mul_(2), lambda kept: kept.add_(torch.ones(3, 3).to_sparse())])
def test_sparse_buffers_are_restored(change: Callable[[Tensor], Tensor]) -> None:
    def forward(model: Any, x: Tensor) -> Any:
        change(model.kept)
        return model.ours(x)

    model: Any = Model(forward, ours=linear())
    model.register_buffer("kept", torch.eye(3).to_sparse())
    assert changed(model) == ["kept"]
    assert torch.equal(model.kept.to_dense(), torch.eye(3))


@pytest.mark.parametrize("smaller_first", [False, True])
def test_storages_of_two_sizes_on_one_memory_are_restored(smaller_first: bool) -> None:
    def forward(model: Any, x: Tensor) -> Any:
        model.whole[2:] = 7
        return model.ours(x)

    memory = np.zeros(4, dtype=np.float32)
    model: Any = Model(forward, ours=linear())
    for name in ("part", "whole") if smaller_first else ("whole", "part"):
        model.register_buffer(name, torch.from_numpy(memory[:2] if name == "part" else memory))
    assert changed(model) == ["whole"]
    assert model.whole.tolist() == [0, 0, 0, 0]


def test_a_quantised_tensor_that_replaces_another_is_a_change() -> None:
    """Its bits are not compared, even if they are equal."""

    def forward(model: Any, x: Tensor) -> Any:
        model.kept = model.kept.clone()
        return model.ours(x)

    model: Any = Model(forward, ours=linear())
    with warnings.catch_warnings(action="ignore"):
        model.register_buffer("kept", torch.quantize_per_tensor(torch.ones(4), 0.5, 0, torch.qint8))
    kept = model.kept
    assert changed(model) == ["kept"]
    assert model.kept is kept


@dataclass(slots=True)
class Slots:
    """An object without a dictionary of attributes."""

    value: object


def test_only_objects_of_the_model_itself_are_restored() -> None:
    """Not those of the standard library, such as a list of results that somebody collects; and one without a dictionary has nothing to restore."""

    def forward(model: Any, x: Tensor) -> Any:
        model.results.value = model.helper.value = x
        return model.ours(x)

    model: Any = Model(forward, ours=linear(), results=SimpleNamespace(value=1), helper=PlainObject(2))
    model.slots = Slots(torch.ones(1))
    assert changed(model) == []
    assert torch.equal(model.results.value, torch.ones(2, 3))
    assert model.helper.value == 2


def test_equal_values_in_other_memory_are_no_change() -> None:
    def forward(model: Any, x: Tensor) -> Any:
        model.seen = model.seen.clone()
        return model.ours(x)

    model = Model(forward, ours=linear())
    model.register_buffer("seen", torch.tensor([float("nan"), 1]))
    assert changed(model) == []


def test_memory_that_is_not_written_is_not_written_by_the_snapshot() -> None:
    model = changing(lambda m, x: m.ours(x))
    versions = [parameter._version for parameter in model.parameters()]
    changed(model)
    assert [parameter._version for parameter in model.parameters()] == versions


def test_gradients_are_enabled_inside_and_the_callers_mode_is_restored() -> None:
    model = linear()
    with torch.no_grad():
        with restored(model):
            assert torch.is_grad_enabled()
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        with restored(model):
            assert not torch.is_inference_mode_enabled()
        assert torch.is_inference_mode_enabled()
