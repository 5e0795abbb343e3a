"""Findings of one forward pass, and models that have none."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.utils.checkpoint import checkpoint

import capsaudit
from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.forward import probe_inputs
from capsaudit.inspection.modules.probe import probe
from tests.inspection.odd_modules import (
    Cycle,
    Model,
    OddCalls,
    PartlyFrozen,
    PlainObject,
    RootSharesChild,
    Tied,
    TwoNames,
    linear,
)


def found(model: nn.Module, *shape: int, **kwargs: object) -> list[tuple[str, str]]:
    """Kinds and paths of the findings for an input of ones."""
    return [(finding.kind, finding.path) for finding in probe(model, (torch.ones(shape or (2, 3)),), kwargs)]


def message(model: nn.Module) -> str:
    (finding,) = probe(model, (torch.ones(2, 3),))
    return finding.message


SOUND: dict[str, Callable[[], tuple[nn.Module, tuple[int, ...]]]] = {
    "two names": lambda: (TwoNames(), (2, 3)),
    "root shares its child's weight": lambda: (RootSharesChild(), (2, 4)),
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
def test_sound_models_have_no_finding(case: str) -> None:
    model, shape = SOUND[case]()
    assert found(model, *shape) == []


def test_the_network_of_the_paper_is_sound() -> None:
    model = capsaudit.build("paper")
    assert probe(model, probe_inputs(model, [(1, 28, 28)])) == ()


def test_keyword_arguments_and_integer_inputs() -> None:
    assert probe(Tied(), (torch.zeros(2, dtype=torch.int64),)) == ()
    findings = probe(OddCalls(), (), {"x": torch.ones(1, 2)})
    assert [(finding.kind, finding.path, finding.count) for finding in findings] == [
        ("unused", "never", 15),  # 2·5 + 5
    ]


def test_a_module_that_is_not_used_at_all_is_one_finding() -> None:
    """Of `part` one layer is used; of `decoder` none."""
    decoder = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 3))
    model = Model(lambda m, x: m.part[0](x), part=nn.Sequential(linear(), nn.Linear(3, 2)), decoder=decoder)
    assert [(one.path, one.count, one.message) for one in probe(model, (torch.ones(2, 3),))] == [
        ("part.1", 8, f"part.1: its 2 tensors are {UNUSED} them"),  # 3·2 + 2
        ("decoder", 23, f"decoder: its 6 tensors are {UNUSED} them"),  # (3·2 + 2) + (2·2 + 2) + (2·3 + 3)
    ]
    alone = Model(lambda m, x: m.a(x), a=linear(), b=linear())
    assert [one.message for one in probe(alone, (torch.ones(2, 3),))] == [f"b.weight is {UNUSED} it"]


UNUSED = "not used by a forward pass in eval mode; a loss or another method may use"


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
    "object": (
        PlainObject(linear()),
        lambda held: held.value,
        "held.value.weight",
        "a PlainObject, which is not a module",
    ),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_unregistered_modules_are_hidden(holder: str) -> None:
    held, inside, path, remedy = HOLDERS[holder]
    model = Model(lambda m, x: inside(m.held)(x), held=held)
    (finding,) = probe(model, (torch.ones(2, 3),))
    assert (finding.kind, finding.path, finding.count) == ("hidden", path, 9)  # 3·3
    assert finding.message.startswith(f"{path} receives a gradient but is not registered: `held` is {remedy}")


def test_the_message_gives_the_path_of_the_list() -> None:
    model = nn.Sequential(Model(lambda m, x: m.layers[0](x), layers=[linear()]))
    assert message(model) == (
        "0.layers[0].weight receives a gradient but is not registered: `0.layers` is a plain list; use nn.ModuleList"
    )


def test_of_a_list_in_a_hidden_module_the_outer_list_is_named() -> None:
    inner = Model(lambda m, x: m.deep[0](x), deep=[linear()])
    found = message(Model(lambda m, x: m.layers[0](x), layers=[inner]))
    assert found.startswith("layers[0].deep[0].weight receives a gradient")
    assert "`layers` is a plain list" in found


def test_unregistered_tensors_are_hidden() -> None:
    plain = torch.ones(3, requires_grad=True)
    assert message(Model(lambda m, x: x * m.plain, plain=plain)).endswith("`plain` is a plain tensor; use nn.Parameter")
    listed = Model(lambda m, x: x * m.listed[0], listed=[nn.Parameter(torch.ones(3))])
    assert message(listed).endswith("`listed` is a plain list; use nn.ParameterList")


def test_a_module_set_without_registration_is_hidden() -> None:
    model = Model(lambda m, x: m.inner(x))
    vars(model)["inner"] = linear()
    assert message(model).endswith("`inner` is a module set without registration; assign it as an attribute")


def test_a_hidden_tensor_may_be_used_without_gradient_or_not_at_all() -> None:
    frozen = Model(lambda m, x: m.ours(m.layers[0](x)), layers=[linear().requires_grad_(False)], ours=linear())
    assert message(frozen).startswith("layers[0].weight is used but is not registered")
    idle = Model(lambda m, x: m.ours(x), layers=[linear()], ours=linear())
    assert message(idle).startswith("layers[0].weight is not used by the forward pass and is not registered")


def test_constants_and_unused_tensors_of_objects_are_not_hidden() -> None:
    model = Model(lambda m, x: m.ours(x * m.scale), ours=linear(), scale=torch.ones(3), logger=PlainObject(linear()))
    assert found(model) == []


def test_a_tensor_in_a_closure_has_no_path() -> None:
    outside = torch.ones(2, 3, requires_grad=True)
    (finding,) = probe(Model(lambda m, x: m.ours(x * outside), ours=linear()), (torch.ones(2, 3),))
    assert (finding.kind, finding.path, finding.count) == ("hidden", "", 6)  # 2·3
    assert "shape (2, 3)" in finding.message


def test_a_tensor_that_each_forward_pass_creates_is_not_hidden_and_neither_is_an_input() -> None:
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
def test_parameters_without_gradient_or_use_are_found(
    forward: Callable[[Any, Tensor], object], expected: list[tuple[str, str]]
) -> None:
    assert found(Model(forward, a=linear(), b=linear())) == expected


def test_the_parameters_of_a_layer_under_no_grad_have_no_gradient() -> None:
    def forward(model: Any, x: Tensor) -> object:
        with torch.no_grad():
            features = model.a(x)
        return model.b(features)

    assert found(Model(forward, a=linear(), b=linear())) == [("no gradient", "a.weight")]


def test_a_frozen_parameter_may_be_unused_but_needs_no_gradient() -> None:
    frozen = linear().requires_grad_(False)
    assert found(Model(lambda m, x: m.b(m.a(x).detach()), a=frozen, b=linear())) == []
    assert found(Model(lambda m, x: m.b(x), a=frozen, b=linear())) == [("unused", "a.weight")]


def test_a_parameter_under_two_names_has_one_finding() -> None:
    model = Model(lambda m, x: m.b(x), a=(one := linear()), again=one, b=linear())
    assert found(model) == [("unused", "a.weight")]


def test_checkpointed_parts_have_no_finding_of_their_own() -> None:
    def parts(*, reentrant: bool) -> list[tuple[str, str]]:
        model = Model(lambda m, x: m.b(checkpoint(m.a, m.b(x), use_reentrant=reentrant)), a=linear(), b=linear())
        return found(model)

    assert parts(reentrant=False) == []
    assert parts(reentrant=True) == [("not probed", "")]


def test_scripted_and_compiled_models_have_no_finding() -> None:
    def compiler(*_: object) -> Any:
        raise AssertionError("compiled")

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.script(nn.Sequential(linear(), linear().requires_grad_(False), nn.BatchNorm1d(3)))
        assert found(scripted.train()) == []
        assert scripted[2].training
        compiled: Any = torch.compile(nn.Sequential(linear()), backend=compiler)
        assert found(compiled) == []


def test_lazy_models_are_refused_and_stay_lazy() -> None:
    model = nn.Sequential(nn.LazyLinear(2))
    with pytest.raises(CapsauditError, match=r"0\.weight has no shape"):
        probe(model, (torch.ones(2, 3),))
    assert nn.parameter.is_lazy(model.get_parameter("0.weight"))


def test_changed_state_is_found_and_restored() -> None:
    def forward(model: Any, x: Tensor) -> object:
        model.calls += 1
        return model.ours(x)

    model = Model(forward, ours=linear())
    model.register_buffer("calls", torch.zeros(1))
    (finding,) = probe(model, (torch.ones(2, 3),))
    assert (finding.kind, finding.path) == ("state changed", "calls")
    assert finding.message == "calls changes during a forward pass in eval mode"
    assert model.calls == 0


def test_parameters_that_forward_makes_are_uncounted() -> None:
    """A linear layer of 3·4 + 4 values, made when it is first run: no state of the model changes."""

    def forward(model: Any, x: Tensor) -> object:
        if not hasattr(model, "late"):
            model.late = nn.Linear(3, 4)
            model.register_buffer("steps", torch.zeros(1))
        return model.late(model.ours(x))

    model = Model(forward, ours=linear())
    findings = probe(model, (torch.ones(2, 3),))
    assert [(finding.kind, finding.path, finding.count) for finding in findings] == [
        ("uncounted", "late.weight", 12),
        ("uncounted", "late.bias", 4),
        ("state changed", "steps", 0),
    ]
    assert findings[0].message == (
        "late.weight is made in forward, 12 values, which are not counted; make it in __init__, or run forward once before the audit"
    )
    assert not hasattr(model, "late")


def test_an_error_of_forward_is_reported_and_the_model_is_restored() -> None:
    def forward(model: Any, _: Tensor) -> object:
        model.calls += 1
        raise ValueError("half-way")

    model = Model(forward, ours=linear(), calls=0)
    with pytest.raises(CapsauditError, match=r"^forward raised ValueError: half-way \(test_probe\.py, line \d+\)$"):
        probe(model, (torch.ones(2, 3),))
    assert model.calls == 0


def test_a_second_forward_pass_for_tensors_without_a_path_restores_the_model_too() -> None:
    outside = torch.ones(3, requires_grad=True)

    def forward(model: Any, x: Tensor) -> object:
        model.cache.append(x)
        return model.ours(x * outside)

    model = Model(forward, ours=linear(), cache=[])
    assert found(model) == [("hidden", "")]
    assert model.cache == []


def test_models_on_device_meta_are_probed() -> None:
    model = Model(lambda m, x: m.a(x), a=linear(), b=linear()).to("meta")
    findings = probe(model, probe_inputs(model, [(3,)]))
    assert [(finding.kind, finding.path) for finding in findings] == [("unused", "b.weight")]


def test_the_callers_gradient_mode_does_not_matter() -> None:
    model, x = linear(), torch.ones(2, 3)
    with torch.no_grad():
        assert probe(model, (x,)) == ()
    with torch.inference_mode():
        assert probe(model, (x,)) == ()
