"""What one forward tells that counting does not, and that the model is as before."""

import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

import capsaudit
from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.probe import probe, probe_inputs
from tests.inspection.capsule_modules import Cycle, OddCalls, PartlyFrozen, RootHoldsChilds, Tied, TwoNames


class Model(nn.Module):
    """A model made of attributes and a forward."""

    def __init__(self, forward: Callable[[Any, Tensor], object], **attributes: object) -> None:
        super().__init__()
        self.run = forward
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> object:
        return self.run(self, x)


def found(model: nn.Module, *shape: int, **kwargs: object) -> list[tuple[str, str]]:
    """Kinds and paths of the findings for an input of ones."""
    return [(finding.kind, finding.path) for finding in probe(model, (torch.ones(shape or (2, 3)),), kwargs)]


def message(model: nn.Module) -> str:
    (finding,) = probe(model, (torch.ones(2, 3),))
    return finding.message


def linear() -> nn.Linear:
    return nn.Linear(3, 3, bias=False)


class Record(NamedTuple):
    lengths: Tensor


@dataclass
class Data:
    lengths: Tensor


class Structure(msgspec.Struct):
    lengths: Tensor


class Slots:
    """An object that torch knows nothing about."""

    def __init__(self, value: object) -> None:
        self.value = value


SOUND: dict[str, Callable[[], tuple[nn.Module, tuple[int, ...]]]] = {
    "two names": lambda: (TwoNames(), (2, 3)),
    "root holds its child's weight": lambda: (RootHoldsChilds(), (2, 4)),
    "partly frozen": lambda: (PartlyFrozen(), (2, 3)),
    "cycle": lambda: (Cycle(), (2, 2)),
    "LSTM": lambda: (nn.LSTM(3, 5), (4, 2, 3)),
    "DataParallel in DataParallel": lambda: (nn.DataParallel(nn.DataParallel(linear())), (2, 3)),
    "BatchNorm": lambda: (nn.Sequential(linear(), nn.BatchNorm1d(3)), (2, 3)),
    "weight_norm": lambda: (parametrizations.weight_norm(linear()), (2, 3)),
    "spectral_norm": lambda: (parametrizations.spectral_norm(linear()), (2, 3)),
    "pruned": lambda: (prune.random_unstructured(linear(), "weight", amount=2), (2, 3)),
    "frozen": lambda: (nn.Sequential(linear(), linear().requires_grad_(False)), (2, 3)),
    "also in a list": lambda: (Model(lambda m, x: m.layers[0](x), layer=(one := linear()), layers=[one]), (2, 3)),
}


@pytest.mark.parametrize("case", SOUND)
def test_sound_models_give_no_finding(case: str) -> None:
    model, shape = SOUND[case]()
    assert found(model, *shape) == []


def test_keywords_and_whole_numbers() -> None:
    assert probe(Tied(), (torch.zeros(2, dtype=torch.int64),)) == ()
    findings = probe(OddCalls(), (), {"x": torch.ones(1, 2)})
    assert [(finding.kind, finding.path, finding.count) for finding in findings] == [
        ("unused", "never.weight", 10),  # 2·5
        ("unused", "never.bias", 5),
    ]


def test_the_paper_network_is_sound() -> None:
    model = capsaudit.build("paper")
    assert probe(model, probe_inputs(model, [(1, 28, 28)])) == ()


HOLDERS: dict[str, tuple[object, Callable[[Any], nn.Module], str, str]] = {
    "list": ([linear()], lambda held: held[0], "held[0].weight", "a plain list; use nn.ModuleList"),
    "tuple": ((linear(),), lambda held: held[0], "held[0].weight", "a plain tuple; use nn.ModuleList"),
    "dict": ({"a": linear()}, lambda held: held["a"], "held['a'].weight", "a plain dict; use nn.ModuleDict"),
    "nested": (
        [{"a": (None, nn.Sequential(linear()))}],
        lambda held: held[0]["a"][1],
        "held[0]['a'][1].0.weight",
        "a plain list; use nn.ModuleList",
    ),
    "object": (Slots(linear()), lambda held: held.value, "held.value.weight", "a Slots, which is no module"),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_modules_that_are_not_registered(holder: str) -> None:
    held, inside, path, remedy = HOLDERS[holder]
    model = Model(lambda m, x: inside(m.held)(x), held=held)
    (finding,) = probe(model, (torch.ones(2, 3),))
    assert (finding.kind, finding.path, finding.count) == ("hidden", path, 9)  # 3·3
    assert finding.message.startswith(f"{path} is reached by the gradient but is not registered: `held` is {remedy}")


def test_the_message_names_the_list_within_its_module() -> None:
    model = nn.Sequential(Model(lambda m, x: m.layers[0](x), layers=[linear()]))
    assert message(model) == (
        "0.layers[0].weight is reached by the gradient but is not registered: "
        "`0.layers` is a plain list; use nn.ModuleList"
    )


def test_a_list_within_a_hidden_module_is_named_by_the_list_that_hides_it() -> None:
    inner = Model(lambda m, x: m.deep[0](x), deep=[linear()])
    told = message(Model(lambda m, x: m.layers[0](x), layers=[inner]))
    assert told.startswith("layers[0].deep[0].weight is reached")
    assert "`layers` is a plain list" in told


def test_tensors_that_are_not_registered() -> None:
    plain = torch.ones(3, requires_grad=True)
    assert message(Model(lambda m, x: x * m.plain, plain=plain)).endswith("`plain` is a plain tensor; use nn.Parameter")
    listed = Model(lambda m, x: x * m.listed[0], listed=[nn.Parameter(torch.ones(3))])
    assert message(listed).endswith("`listed` is a plain list; use nn.ParameterList")


def test_what_is_hidden_may_be_used_without_gradient_or_not_at_all() -> None:
    frozen = Model(lambda m, x: m.ours(m.layers[0](x)), layers=[linear().requires_grad_(False)], ours=linear())
    assert message(frozen).startswith("layers[0].weight is used but is not registered")
    idle = Model(lambda m, x: m.ours(x), layers=[linear()], ours=linear())
    assert message(idle).startswith("layers[0].weight is reached by no forward, and is not registered")


def test_constants_and_what_an_object_keeps_to_itself_are_not_hidden() -> None:
    model = Model(lambda m, x: m.ours(x * m.scale), ours=linear(), scale=torch.ones(3), logger=Slots(linear()))
    assert found(model) == []


def test_a_tensor_in_a_closure_has_no_name() -> None:
    outside = torch.ones(2, 3, requires_grad=True)
    (finding,) = probe(Model(lambda m, x: m.ours(x * outside), ours=linear()), (torch.ones(2, 3),))
    assert (finding.kind, finding.path, finding.count) == ("hidden", "", 6)  # 2·3
    assert "shape (2, 3)" in finding.message


def test_a_tensor_that_each_forward_makes_anew_is_not_hidden_and_neither_is_an_input() -> None:
    model = Model(lambda m, x: m.ours(x) + torch.zeros(3, requires_grad=True), ours=linear())
    assert probe(model, (torch.ones(2, 3, requires_grad=True),)) == ()


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (lambda m, x: m.b(m.a(x).detach()), [("no gradient", "a.weight")]),
        (lambda m, x: m.b(x @ m.a.weight.data), [("no gradient", "a.weight")]),
        (lambda m, x: m.b(x) + 0 * m.a.weight.detach().sum().item(), [("no gradient", "a.weight")]),
        (lambda m, x: m.b(x), [("unused", "a.weight")]),
        (lambda m, x: m.b(x.to(m.a.weight.dtype).reshape(-1, m.a.weight.size(0))), [("unused", "a.weight")]),
        (lambda m, x: m.b(m.a(x)).detach(), [("no gradient", "")]),
        (lambda m, x: str(m.b(m.a(x))), [("not probed", "")]),
    ],
)
def test_parameters_without_gradient_and_without_use(
    forward: Callable[[Any, Tensor], object], expected: list[tuple[str, str]]
) -> None:
    assert found(Model(forward, a=linear(), b=linear())) == expected


def test_a_layer_under_no_grad() -> None:
    def forward(model: Any, x: Tensor) -> object:
        with torch.no_grad():
            features = model.a(x)
        return model.b(features)

    assert found(Model(forward, a=linear(), b=linear())) == [("no gradient", "a.weight")]


def test_frozen_parameters_are_used_or_not_but_have_no_gradient_to_miss() -> None:
    frozen = linear().requires_grad_(False)
    assert found(Model(lambda m, x: m.b(m.a(x).detach()), a=frozen, b=linear())) == []
    assert found(Model(lambda m, x: m.b(x), a=frozen, b=linear())) == [("unused", "a.weight")]


def test_a_parameter_under_two_names_is_told_once() -> None:
    model = Model(lambda m, x: m.b(x), a=(one := linear()), again=one, b=linear())
    assert found(model) == [("unused", "a.weight")]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda y: (None, [y]),
        lambda y: {"deep": {"deeper": y}},
        Record,
        Data,
        Structure,
        Slots,
        lambda y: SimpleNamespace(y=y),
        lambda y: torch.distributions.Normal(y, 1.0),
    ],
)
def test_outputs_of_any_form_are_followed(wrapped: Callable[[Tensor], object]) -> None:
    assert found(Model(lambda m, x: wrapped(m.a(x)), a=linear(), b=linear())) == [("unused", "b.weight")]


def test_checkpointed_parts_are_not_accused() -> None:
    def parts(*, reentrant: bool) -> list[tuple[str, str]]:
        model = Model(lambda m, x: m.b(checkpoint(m.a, m.b(x), use_reentrant=reentrant)), a=linear(), b=linear())
        return found(model)

    assert parts(reentrant=False) == []
    assert parts(reentrant=True) == [("not probed", "")]


def test_scripted_and_compiled_models() -> None:
    def compiler(*_: object) -> Any:
        raise AssertionError("compiled")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Sequential(linear(), linear().requires_grad_(False), nn.BatchNorm1d(3)))
        assert found(scripted.train()) == []
        assert scripted[2].training
        assert found(torch.compile(nn.Sequential(linear()), backend=compiler)) == []


def test_a_very_long_graph_is_freed_without_recursion() -> None:
    """In a process of its own: where it fails, torch overflows the stack."""
    script = """
import torch
from torch import nn
from capsaudit.inspection.modules.probe import probe
class Long(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        for _ in range(60_000):
            y = y + 1
        self.kept = y
        return y
assert probe(Long(1, 1), (torch.ones(1, 1),)) == ()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_lazy_models_are_refused_and_stay_lazy() -> None:
    model = nn.Sequential(nn.LazyLinear(2))
    with pytest.raises(CapsauditError, match=r"0\.weight .*give --input"):
        probe(model, (torch.ones(2, 3),))
    assert nn.parameter.is_lazy(model[0].weight)


def state(model: nn.Module) -> list[tuple[object, ...]]:
    """Everything a person could look at: values, identities, flags, attributes."""
    parts = [(id(part), part.training, dict(vars(part))) for part in model.modules()]
    names = [*model.named_parameters(), *model.named_buffers()]
    tensors = [(name, id(one), one.requires_grad, id(one.grad), repr(one.tolist()), one.shape) for name, one in names]
    return [(part, training, sorted(kept), _plain(kept)) for part, training, kept in parts] + tensors


def _plain(attributes: dict[str, Any]) -> list[object]:
    """Contents of containers as identities, recursively by their text for the plain ones."""
    return [
        (name, {key: id(one) for key, one in value.items()} if isinstance(value, dict) else repr(value))
        for name, value in sorted(attributes.items())
        if not callable(value)
    ]


def spoil_buffer(model: Any, x: Tensor) -> Tensor:
    model.seen += 1
    return model.ours(x)


def replace_buffer(model: Any, x: Tensor) -> Tensor:
    model.seen = model.seen + 1
    return model.ours(x)


def spoil_weight(model: Any, x: Tensor) -> Tensor:
    model.ours.weight.data.mul_(2)
    return model.ours(x)


def swap_data(model: Any, x: Tensor) -> Tensor:
    model.ours.weight.data = torch.ones(3, 3)
    return model.ours(x)


def new_buffer(model: Any, x: Tensor) -> Tensor:
    model.register_buffer("late", torch.ones(1))
    return model.ours(x)


def drop_buffer(model: Any, x: Tensor) -> Tensor:
    del model.seen
    return model.ours(x)


def keep_things(model: Any, x: Tensor) -> Tensor:
    model.calls += 1
    model.cache.append(x)
    model.table["x"] = {"deep": x}
    model.table["was"].add(3)
    model.helper.value = x
    model.last = x
    model.ours.register_forward_hook(lambda *_: None)
    return model.ours(x)


def train_itself(model: Any, x: Tensor) -> Tensor:
    model.train()
    model.ours(x).sum().backward()
    model.ours.weight.requires_grad_(False)
    result = model.other(x)
    result.sum().backward()
    model.ours.weight.requires_grad_(True)
    model.other.weight.requires_grad_(False)
    return model.ours(x)


def draw(model: Any, x: Tensor) -> Tensor:
    random.random()
    np.random.random()
    return model.ours(nn.functional.dropout(x, 0.5, training=True))


SPOILERS: dict[str, tuple[Callable[[Any, Tensor], Tensor], list[str]]] = {
    "buffer in place": (spoil_buffer, ["seen"]),
    "buffer replaced": (replace_buffer, ["seen"]),
    "weight through data": (spoil_weight, ["ours.weight"]),
    "data swapped": (swap_data, ["ours.weight"]),
    "new buffer": (new_buffer, ["late"]),
    "buffer deleted": (drop_buffer, ["seen"]),
    "attributes, caches, hooks": (keep_things, []),
    "modes, flags, gradients": (train_itself, []),
    "random state": (draw, []),
}


def spoiled(forward: Callable[[Any, Tensor], Tensor]) -> Model:
    """With a gradient already there, a mode of its own for one part, and containers to spoil."""
    model = Model(forward, ours=linear(), other=linear(), norm=nn.BatchNorm1d(3), calls=0, cache=[])
    model.table = {"was": {1}}
    model.helper = Slots(2)
    model.register_buffer("seen", torch.tensor([float("nan"), 1]))
    model.other.weight.grad = torch.ones(3, 3)
    model.norm.eval()
    return model


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("case", SPOILERS)
def test_the_model_is_as_before(case: str, fails: bool) -> None:
    spoil, changed = SPOILERS[case]

    def forward(model: Any, x: Tensor) -> Tensor:
        result = spoil(model, x)
        if fails:
            raise ValueError("half-way")
        return result

    model = spoiled(forward)
    before, randomness = state(model), drawn()
    gradient = model.other.weight.grad.clone()
    if fails:
        with pytest.raises(CapsauditError, match=r"^forward raised ValueError: half-way$"):
            probe(model, (torch.ones(2, 3),))
    else:
        findings = probe(model, (torch.ones(2, 3),))
        assert [finding.path for finding in findings if finding.kind == "state changed"] == changed
    assert state(model) == before
    assert torch.equal(model.other.weight.grad, gradient)
    assert (model.helper.value, model.cache, model.table) == (2, [], {"was": {1}})
    assert drawn() == randomness


def drawn() -> tuple[object, ...]:
    """The states of the generators, as values."""
    return random.getstate(), torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()


@pytest.mark.parametrize("case", SPOILERS)
def test_the_test_above_can_fail(case: str) -> None:
    model = spoiled(SPOILERS[case][0])
    before = state(model), drawn(), model.other.weight.grad.tolist()
    model.run(model, torch.ones(2, 3))
    assert (state(model), drawn(), model.other.weight.grad.tolist()) != before


def test_statistics_are_those_of_training_after_a_probe_in_training_mode() -> None:
    model = nn.Sequential(linear(), nn.BatchNorm1d(3)).train()
    assert found(model) == []
    assert model[1].running_mean.tolist() == [0, 0, 0]
    assert model[1].num_batches_tracked == 0
    assert all(part.training for part in model.modules())


def test_hidden_modules_are_left_as_they_were_too() -> None:
    hidden = nn.BatchNorm1d(3, affine=False).train()
    assert found(Model(lambda m, x: m.ours(m.layers[0](x)), layers=[hidden], ours=linear())) == []
    assert hidden.training
    assert hidden.num_batches_tracked == 0


def test_modes_are_set_without_running_anybodys_train() -> None:
    class Folds(nn.Linear):
        def train(self, _: bool = True) -> "Folds":
            raise AssertionError("folded")

    assert found(nn.Sequential(Folds(3, 3))) == []


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
def test_buffers_of_any_layout_are_put_back(tensor: Tensor) -> None:
    def forward(model: Any, x: Tensor) -> Tensor:
        model.kept.data = torch.ones(5)
        return model.ours(x)

    model = Model(forward, ours=linear())
    model.register_buffer("kept", tensor)
    values, strides = tensor.tolist(), tensor.stride()
    assert found(model) == [("state changed", "kept")]
    assert (model.kept.tolist(), model.kept.stride()) == (values, strides)


@pytest.mark.parametrize("spoil", [lambda kept: kept.mul_(2), lambda kept: kept.add_(torch.ones(3, 3).to_sparse())])
def test_sparse_buffers_are_put_back(spoil: Callable[[Tensor], Tensor]) -> None:
    def forward(model: Any, x: Tensor) -> Tensor:
        spoil(model.kept)
        return model.ours(x)

    model = Model(forward, ours=linear())
    model.register_buffer("kept", torch.eye(3).to_sparse())
    assert found(model) == [("state changed", "kept")]
    assert torch.equal(model.kept.to_dense(), torch.eye(3))


def test_meta_models_are_probed_without_values() -> None:
    model = Model(lambda m, x: m.a(x), a=linear(), b=linear()).to("meta")
    findings = probe(model, probe_inputs(model, [(3,)]))
    assert [(finding.kind, finding.path) for finding in findings] == [("unused", "b.weight")]


def test_grad_mode_is_the_callers() -> None:
    model, x = linear(), torch.ones(2, 3)
    with torch.no_grad():
        assert probe(model, (x,)) == ()
        assert not torch.is_grad_enabled()
    with torch.inference_mode():
        assert probe(model, (x,)) == ()
        assert torch.is_inference_mode_enabled()


def test_inputs_from_shapes() -> None:
    model = linear().to(torch.float64)
    state = torch.get_rng_state()
    floats, ids = probe_inputs(model, [(3, 4), (5,)], batch=7, dtypes=[None, torch.int64])
    assert (floats.shape, floats.dtype, ids.shape, ids.dtype) == ((7, 3, 4), torch.float64, (7, 5), torch.int64)
    assert (floats.min(), floats.max(), ids.max()) == (0, 1, 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert probe_inputs(model.to("meta"), [()])[0].device.type == "meta"
    assert probe_inputs(nn.ReLU(), [(3,)])[0].dtype == torch.float32
