"""Counting registered tensors by every policy, on models that are hard to count."""

import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune
from torch.utils._python_dispatch import TorchDispatchMode

from capsaudit.errors import CapsauditError
from capsaudit.inspection.load import load
from capsaudit.inspection.module import inspect_module
from capsaudit.inspection.modules.tensors import geometry, inventory
from capsaudit.inventory import Inventory
from tests.inspection.odd_modules import (
    Cycle,
    Diamonds,
    Lists,
    OddCalls,
    PartlyFrozen,
    RootSharesChild,
    Tied,
    TwoNames,
)


def inventory_of(module: nn.Module) -> Inventory:
    return Inventory(target="test", tensors=inventory(module, nonzero=True))


def quietly(make: Callable[[], nn.Module]) -> nn.Module:
    """Torch warns about deprecated functions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make()


def old_weight_norm() -> nn.Module:
    return quietly(lambda: nn.utils.weight_norm(nn.Linear(4, 3)))


def quantised(module: nn.Module, *kinds: type[nn.Module]) -> nn.Module:
    quantization = pytest.importorskip("torch.ao.quantization")
    return quietly(lambda: quantization.quantize_dynamic(module, set(kinds), dtype=torch.qint8))


def with_parameters(**tensors: torch.Tensor) -> nn.Module:
    module = nn.Module()
    for name, tensor in tensors.items():
        module.register_parameter(name, nn.Parameter(tensor, requires_grad=tensor.is_floating_point()))
    return module


def pruned(*, removed: bool) -> nn.Module:
    """The three smallest of twelve weights are pruned; before, no weight and no bias is 0."""
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.copy_(torch.arange(1.0, 13).reshape(3, 4))
        layer.bias.fill_(1)
    prune.l1_unstructured(layer, "weight", amount=3)
    return prune.remove(layer, "weight") if removed else layer


def two_views() -> nn.Module:
    """Two parameters in one memory of ten values: [0, 6) and [4, 10), which overlap in two."""
    whole = torch.ones(10)
    return with_parameters(low=whole[:6], high=whole[4:])


def views_in_views() -> nn.Module:
    """A memory of ten values, and two parts of it that do not touch each other."""
    whole = torch.ones(10)
    return with_parameters(whole=whole, low=whole[2:4], high=whole[5:8])


def columns() -> nn.Module:
    """The even columns, the odd columns, and the first two columns, which are in the others already."""
    whole = torch.ones(4, 6)
    return with_parameters(even=whole[:, ::2], odd=whole[:, 1::2], again=whole[:, :2])


def sparse() -> nn.Module:
    module = nn.Module()
    module.weight = nn.Parameter(torch.eye(4).to_sparse())
    return module


def scripted() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))


def compiled() -> nn.Module:
    model: Any = torch.compile(nn.Sequential(nn.Linear(2, 3)))
    assert isinstance(model, nn.Module)
    return model


CASES: dict[str, tuple[Callable[[], nn.Module], dict[str, int]]] = {
    # one table of 7·3 under two names
    "tied": (Tied, {"trainable": 21, "per name": 42}),
    # 3·3 + 3, all of it under two names
    "two names, called twice": (TwoNames, {"trainable": 12, "per name": 24}),
    # child 2·4 + 2, bare 5, scale 1; the weight's 8 under a second name
    "root shares its child's weight": (RootSharesChild, {"trainable": 16, "per name": 24}),
    # 2 + 3 + 4, and the first 2 once more in the dictionary
    "ParameterList and ParameterDict": (Lists, {"trainable": 9, "per name": 11}),
    "0-dim": (lambda: with_parameters(scale=torch.tensor(3.0)), {"trainable": 1, "nonzero": 1}),
    # frozen 3·2 + 2, partly 2·2 frozen and 2 trained
    "partly frozen": (PartlyFrozen, {"trainable": 2, "frozen": 12}),
    # g 3, v 3·4, bias 3; the layer uses a weight of 3·4 and the bias
    "weight_norm": (lambda: parametrizations.weight_norm(nn.Linear(4, 3)), {"trainable": 18, "effective": 15}),
    "weight_norm, old": (old_weight_norm, {"trainable": 18, "effective": 15}),
    # weight 12, bias 3; buffers u 3 and v 4
    "spectral_norm": (
        lambda: parametrizations.spectral_norm(nn.Linear(4, 3)),
        {"trainable": 15, "effective": 15, "buffers": 7},
    ),
    "spectral_norm, old": (
        lambda: quietly(lambda: nn.utils.spectral_norm(nn.Linear(4, 3))),
        {"trainable": 15, "effective": 15, "buffers": 7},
    ),
    # affine 2·3; mean 3, variance 3, batches 1
    "BatchNorm": (lambda: nn.BatchNorm1d(3), {"trainable": 6, "buffers": 7}),
    # 2·3 + 3
    "DataParallel in DataParallel": (
        lambda: nn.DataParallel(nn.DataParallel(nn.Linear(2, 3))),
        {"trainable": 9, "per name": 9},
    ),
    # in 3·8·8 + 3·8, out 8·8 + 8
    "MultiheadAttention": (lambda: nn.MultiheadAttention(8, 2), {"trainable": 288}),
    # q 8·8, k 8·5, v 8·6, in-bias 24, out 8·8 + 8
    "MultiheadAttention of other widths": (lambda: nn.MultiheadAttention(8, 2, kdim=5, vdim=6), {"trainable": 248}),
    # 4·5·(3 + 5) + 2·4·5
    "LSTM": (lambda: nn.LSTM(3, 5), {"trainable": 200}),
    # 4·2·3·3 / 2 groups + 4
    "ConvTranspose": (lambda: nn.ConvTranspose2d(4, 4, 3, groups=2), {"trainable": 76}),
    # 4·2·3 + 4
    "Bilinear": (lambda: nn.Bilinear(2, 3, 4), {"trainable": 28}),
    # 4·4 by shape; the identity has 4 entries
    "sparse": (sparse, {"trainable": 16, "storage": 4, "nonzero": 4}),
    # 6 complex values are 12 reals, two of them not 0 as complex values
    "complex": (
        lambda: with_parameters(weight=torch.tensor([1j, 2, 0, 0, 0, 0])),
        {"frozen": 6, "reals": 12, "nonzero": 2},
    ),
    "int8": (lambda: with_parameters(weight=torch.ones(5, dtype=torch.int8)), {"frozen": 5}),
    # 9 of 12 weights and 3 biases are not 0; the mask is a buffer of 12
    "pruned": (lambda: pruned(removed=False), {"trainable": 15, "nonzero": 12, "buffers": 12, "effective": 15}),
    "pruned and removed": (lambda: pruned(removed=True), {"trainable": 15, "nonzero": 12, "buffers": 0}),
    # 6 + 6 by shape, 10 in memory
    "aliased storage": (two_views, {"trainable": 12, "storage": 10}),
    # 10 + 2 + 3 by shape, 10 in memory
    "views in views": (views_in_views, {"trainable": 15, "storage": 10}),
    # 12 + 12 + 8 by shape; all 24 of the memory
    "interleaved views": (columns, {"trainable": 32, "storage": 24}),
    # 10·20 by shape, one value in memory
    "expanded": (lambda: with_parameters(weight=torch.ones(1).expand(10, 20)), {"trainable": 200, "storage": 1}),
    # 2·3 + 3, affine 2·3; mean 3, variance 3, batches 1
    "scripted": (scripted, {"trainable": 15, "buffers": 7}),
    # 2·3 + 3
    "compiled": (compiled, {"trainable": 9, "per name": 9}),
    # 2·2 + 2
    "cycle": (Cycle, {"trainable": 6, "per name": 6}),
    # 2·2 + 2 by .forward, 2·5 + 5 never run
    "odd calls": (OddCalls, {"trainable": 21}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_policy_counts_hard_cases(case: str) -> None:
    make, expected = CASES[case]
    found = inventory_of(make())
    sides: dict[str, Callable[[str], int]] = {
        "trainable": lambda _: found.trainable(),
        "frozen": lambda _: found.frozen(),
        "buffers": lambda _: found.buffers(),
    }
    whole: Callable[[str], int] = lambda policy: found.trainable(policy) + found.frozen(policy)  # noqa: E731
    assert {name: sides.get(name, whole)(name) for name in expected} == expected


@pytest.mark.parametrize("case", CASES)
def test_counts_equal_those_of_parameters_and_every_row_has_its_module(case: str) -> None:
    module = CASES[case][0]()
    rows = inventory(module)
    assert sum(row.count for row in rows if not row.buffer) == sum(p.numel() for p in module.parameters())
    assert all(row.name == (f"{row.layer}." if row.layer else "") + row.name.rpartition(".")[2] for row in rows)
    assert {row.name for row in rows if not row.same_as} >= {name for name, _ in module.named_parameters()}


def test_the_row_of_a_second_name_counts_nothing() -> None:
    rows = {row.name: row for row in inventory(Tied())}
    assert rows["embedding.weight"].count == 21
    assert rows["embedding.weight"].bytes == 84  # 21 values of four bytes
    again = rows["output.weight"]
    assert (again.count, again.bytes, again.same_as, again.shape) == (0, 0, "embedding.weight", (7, 3))


def test_a_module_under_two_names_has_its_rows_twice() -> None:
    rows = [(row.name, row.same_as) for row in inventory(TwoNames())]
    assert rows == [
        ("first.weight", None),
        ("first.bias", None),
        ("second.weight", "first.weight"),
        ("second.bias", "first.bias"),
    ]


def test_rows_are_ordered_by_module_parameters_before_buffers() -> None:
    names = [row.name for row in inventory(nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1)))]
    statistics = ["0.running_mean", "0.running_var", "0.num_batches_tracked"]
    assert names == ["0.weight", "0.bias", *statistics, "1.weight", "1.bias"]


def test_a_tensor_that_is_both_buffer_and_parameter_counts_as_a_parameter() -> None:
    module = nn.Sequential(nn.Linear(2, 2, bias=False))
    module.register_buffer("kept", module.get_parameter("0.weight"))
    rows = {row.name: row for row in inventory(module)}
    assert rows["0.weight"].count == 4
    assert rows["kept"].same_as == "0.weight"


def test_the_kind_is_the_class_in_the_source() -> None:
    kinds = {row.kind for row in inventory(parametrizations.weight_norm(nn.Linear(4, 3)))}
    assert kinds == {"Linear", "ParametrizationList"}
    assert {row.kind for row in inventory(scripted())} == {"Linear", "BatchNorm1d"}


def test_rows_have_dtypes_and_bytes() -> None:
    module = with_parameters(small=torch.ones(3, dtype=torch.int8), halves=torch.ones(2, dtype=torch.float16))
    assert [(row.dtype, row.bytes) for row in inventory(module)] == [("int8", 3), ("float16", 4)]
    (row,) = inventory(sparse())
    assert row.bytes == 80  # 4 values of four bytes, 2·4 indices of eight


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.bfloat16, torch.bool])
def test_zeros_are_counted_for_any_dtype(dtype: torch.dtype) -> None:
    module = nn.Module()
    module.weight = nn.Parameter(torch.tensor([0.0, 1, 1]).to(dtype), requires_grad=False)
    assert inventory(module, nonzero=True)[0].counts == {"nonzero": 2}


class Operators(TorchDispatchMode):
    """Records the names of the operators that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: Any = None) -> object:
        self.names.append(func._schema.name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("nonzero", [False, True])
def test_values_are_read_only_where_zeros_are_asked_for(nonzero: bool) -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    with Operators() as operators:
        rows = inventory(model, nonzero=nonzero)
    assert operators.names.count("aten::count_nonzero") == 4 * nonzero  # two weights, two biases
    assert bool(operators.names) == nonzero
    assert any("nonzero" in row.counts for row in rows) == nonzero  # a bias of BatchNorm is zero


def test_zeros_of_all_parameters_are_counted_where_any_is_pruned() -> None:
    """9 of 12 weights are left, the bias has one value that is not 0, and the layer without a mask 4 of 5."""
    layer = nn.Linear(4, 3)
    layer.bias.data = torch.tensor([0.0, 0, 2])
    prune.random_unstructured(layer, "weight", amount=3)
    plain = with_parameters(weight=torch.tensor([0.0, 1, 1, 1, 1]))
    rows = {row.name: row.by("nonzero") for row in inventory(nn.Sequential(layer, plain)) if not row.buffer}
    assert rows == {"0.weight_orig": 9, "0.bias": 1, "1.weight": 4}


def test_a_small_double_is_not_zero() -> None:
    """1e-300 would be 0 as a 32-bit number."""
    module = with_parameters(weight=torch.tensor([1e-300, 0, 1], dtype=torch.float64))
    assert inventory(module, nonzero=True)[0].counts == {"nonzero": 2}


def test_a_reference_module_registers_its_weight_and_is_not_unpacked() -> None:
    reference = pytest.importorskip("torch.ao.nn.quantized.reference")
    assert [(row.name, row.count, row.note) for row in inventory(quietly(lambda: reference.Linear(4, 3)))][:2] == [
        ("weight", 12, None),
        ("bias", 3, None),
    ]
    assert sum(row.count for row in inventory(reference.Linear(4, 3)) if not row.buffer) == 15  # 4·3 + 3


def test_compressed_sparse_tensors_count_entries_too() -> None:
    (row,) = inventory(quietly(lambda: with_parameters(weight=torch.eye(4).to_sparse_csr())), nonzero=True)
    assert row.count == 16  # 4·4 by shape, 4 entries
    assert row.counts == {"storage": 4, "nonzero": 4}


def test_packed_weights_of_a_quantised_linear_are_counted() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    rows = {row.name: row for row in inventory(quantised(model, nn.Linear))}
    # 4·3 + 3 + 3·2 + 2, none of it a parameter
    assert sum(row.count for row in rows.values()) == 23
    assert sum(row.by("parameters") for row in rows.values()) == 0
    assert not any(row.trainable or row.buffer for row in rows.values())
    assert (rows["0.weight"].dtype, rows["0.weight"].bytes) == ("qint8", 12)
    assert (rows["0.bias"].dtype, rows["0.bias"].bytes) == ("float32", 12)


def test_packed_weights_of_a_quantised_lstm_are_counted_beside_float_parameters() -> None:
    model = nn.ModuleDict({"lstm": nn.LSTM(3, 5, num_layers=2), "norm": nn.LayerNorm(5)})
    found = inventory_of(quantised(model, nn.LSTM))
    # 4·5·(3 + 5) + 2·4·5 in the first layer, 4·5·(5 + 5) + 2·4·5 in the second; the norm 2·5
    assert found.frozen() == 200 + 240
    assert found.frozen("parameters") == 0
    assert found.trainable() == found.trainable("parameters") == 10


def test_a_quantised_module_under_two_names_counts_once() -> None:
    layer = quantised(nn.Sequential(nn.Linear(4, 3)), nn.Linear).get_submodule("0")
    assert sum(row.count for row in inventory(nn.ModuleDict({"a": layer, "b": layer}))) == 15  # 4·3 + 3


def test_a_parametrisation_may_make_a_smaller_weight() -> None:
    class FirstRows(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[:2]

    layer = nn.Linear(3, 5, bias=False)
    parametrize.register_parametrization(layer, "weight", FirstRows(), unsafe=True)
    assert inventory_of(layer).trainable() == 15  # 5·3
    assert inventory_of(layer).trainable("effective") == 6  # 2·3


def test_a_parametrisation_that_fails_is_noted() -> None:
    class Fails(nn.Module):
        broken = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.broken:
                raise ValueError("not today")
            return x

    layer = nn.Linear(3, 5, bias=False)
    parametrize.register_parametrization(layer, "weight", Fails())
    Fails.broken = True
    (row,) = inventory(layer)
    assert row.count == 15
    assert "not today" in str(row.note)


def test_counting_does_not_change_a_parametrised_model() -> None:
    layer = parametrizations.spectral_norm(nn.Linear(4, 3))
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    inventory(layer.train())
    assert layer.training
    assert all(module.training for module in layer.modules())
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_lazy_modules_are_refused_by_path() -> None:
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(4))
    with pytest.raises(CapsauditError, match=r"^1\.weight has no shape"):
        inventory(model)


def test_counting_does_not_compile() -> None:
    def compiler(*_: object) -> Any:
        raise AssertionError

    model: Any = torch.compile(nn.Linear(2, 3), backend=compiler)
    assert [row.name for row in inventory(model)] == ["_orig_mod.weight", "_orig_mod.bias"]


def test_modules_shared_at_every_level_have_a_limited_number_of_rows() -> None:
    rows = inventory(Diamonds(40))  # the last linear has 2**41 names
    assert sum(row.count for row in rows) == 2  # 1·1 + 1
    assert len(rows) == 2 * 1000  # weight and bias under as many names as are followed


def test_a_huge_model_on_device_meta_is_counted_without_memory() -> None:
    with torch.device("meta"):
        model = nn.ModuleList(nn.Linear(100_000, 100_000, bias=False) for _ in range(10))
        model.append(nn.BatchNorm1d(4))
    found = inventory_of(model)
    assert found.trainable() == 10 * 10**10 + 8  # affine 2·4
    assert found.trainable("nonzero") == found.trainable("storage") == found.trainable()


def test_views_on_device_meta_share_memory() -> None:
    whole = torch.empty(10, device="meta")
    assert inventory_of(with_parameters(low=whole[:6], high=whole[4:])).trainable("storage") == 10


def test_geometry_describes_square_undilated_convolutions() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 9),
        nn.Conv2d(2, 2, 3, stride=2, padding=1),
        nn.Conv2d(2, 2, 3, padding="same"),
        nn.Conv2d(2, 2, (3, 1)),
        nn.Conv2d(2, 2, 3, stride=(1, 2)),
        nn.Conv2d(2, 2, 3, padding=(0, 1)),
        nn.Conv2d(2, 2, 3, dilation=2),
        nn.Conv1d(2, 2, 3),
    )
    assert geometry(model) == {"0": (1, 0), "1": (2, 1), "2": (1, "same")}


LEAVES: list[Callable[[], nn.Module]] = [
    lambda: nn.Linear(2, 2),
    lambda: nn.Conv2d(2, 2, 1),
    lambda: nn.BatchNorm1d(2),
    lambda: nn.Linear(2, 2, bias=False),
]


@st.composite
def random_modules(draw: st.DrawFn) -> nn.Module:
    """Modules in modules; some are shared, and weights are tied."""
    parts: list[nn.Module] = [draw(st.sampled_from(LEAVES))() for _ in range(draw(st.integers(1, 5)))]
    for _ in range(draw(st.integers(0, 4))):
        chosen = draw(st.lists(st.sampled_from(parts), min_size=1, max_size=3))
        parts.append(nn.Sequential(*chosen))
    linear = [part for part in parts if isinstance(part, nn.Linear)]
    for part in linear:
        part.weight = draw(st.sampled_from(linear)).weight
    return nn.Sequential(*parts)


@settings(max_examples=60, deadline=None)
@given(random_modules())
def test_rows_add_up_to_the_counts_of_torch(module: nn.Module) -> None:
    found = inventory_of(module)
    assert found.trainable() == sum(parameter.numel() for parameter in module.parameters())
    assert found.buffers() == sum(buffer.numel() for buffer in module.buffers())
    named = dict(module.named_parameters(remove_duplicate=False))
    assert {row.name for row in found.tensors if not row.buffer} == set(named)
    assert found.trainable("per name") == sum(parameter.numel() for parameter in named.values())
    assert all(named[row.name] is named[row.same_as] for row in found.tensors if row.same_as and not row.buffer)


class Halved(Tensor):
    """A tensor that keeps its values as the two halves of its rows, as tensors that are sharded or quantised do."""

    @staticmethod
    def __new__(cls, first: Tensor, second: Tensor) -> Any:
        shape = (len(first) + len(second), *first.shape[1:])
        made: Any = Tensor._make_wrapper_subclass(cls, shape, dtype=first.dtype)
        made.first, made.second = first, second
        return made

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["first", "second"], None

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: object) -> Any:
        return Halved(inner["first"], inner["second"])

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        if func is torch.ops.aten.detach.default:
            return Halved(args[0].first, args[0].second)
        raise NotImplementedError


def test_a_tensor_made_of_others_counts_by_its_own_shape() -> None:
    """4·6 values in two tensors of 2·6, of 4 bytes each; nothing is known of the zeros in them."""
    model = nn.Module()
    model.weight = nn.Parameter(Halved(torch.zeros(2, 6), torch.ones(2, 6)))
    model.again = model.weight
    rows = inventory(model)
    assert [(row.name, row.shape, row.count, row.bytes, row.same_as) for row in rows] == [
        ("weight", (4, 6), 24, 96, None),
        ("again", (4, 6), 0, 0, "weight"),
    ]
    assert rows[0].counts == {}


class Codes(Tensor):
    """A wrapper of bytes, two values each, as older libraries wrote them: it does not list what is in it."""

    @staticmethod
    def __new__(cls, packed: Tensor) -> Any:
        made: Any = Tensor._make_wrapper_subclass(cls, (len(packed), 2 * packed.shape[1]), dtype=torch.float32)
        made.packed = packed
        return made

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.linear:
            return nn.functional.linear(args[0], torch.ones(args[1].shape), args[2])
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        if func is torch.ops.aten.detach.default:
            return type(args[0])(args[0].packed)
        raise NotImplementedError


class BrokenCodes(Codes):
    def __tensor_flatten__(self) -> tuple[list[str], None]:
        raise RuntimeError("not while it is being built")

    @staticmethod
    def __tensor_unflatten__(inner: dict[str, Tensor], *_: object) -> Any:
        return BrokenCodes(inner["packed"])


@pytest.mark.parametrize("kind", [Codes, BrokenCodes])
def test_a_wrapper_that_does_not_list_its_tensors_counts_by_its_own_shape(kind: type[Codes]) -> None:
    """6·8 values in 6·4 bytes, then a bias of 6 values of 4 bytes. The model can be run as well."""
    model = nn.Linear(8, 6)
    model.weight = nn.Parameter(kind(torch.zeros(6, 4, dtype=torch.uint8)), requires_grad=False)
    found = inspect_module(model, "test", inputs=(torch.zeros(1, 8),), nonzero=True)
    assert [(row.name, row.count, row.bytes) for row in found.tensors] == [("weight", 48, 24), ("bias", 6, 24)]
    assert (found.frozen(), found.frozen("logical"), found.findings) == (48, 48, ())


def test_a_wrapper_may_be_made_of_wrappers() -> None:
    """8·6 values in four tensors of 2·6, of 4 bytes each."""
    halves = [Halved(torch.zeros(2, 6), torch.ones(2, 6)) for _ in range(2)]
    rows = inventory(with_parameters(weight=Halved(halves[0], halves[1])))
    assert [(row.shape, row.count, row.bytes) for row in rows] == [((8, 6), 48, 192)]


class Params4bit(nn.Parameter):
    """A weight of bitsandbytes in 4 bits: a parameter of bytes that keeps its own shape in an attribute."""

    quant_state: object

    def __new__(cls, packed: Tensor, state: object) -> Any:
        made: Any = Tensor._make_subclass(cls, packed, False)
        made.quant_state = state
        return made


@pytest.mark.parametrize(
    ("state", "logical", "nonzero"),
    [
        pytest.param(SimpleNamespace(shape=torch.Size((6, 8)), absmax=torch.ones(1)), 48, 24, id="packed"),
        pytest.param(None, 24, 0, id="not packed yet"),
        pytest.param(SimpleNamespace(shape="6, 8"), 24, 0, id="another attribute of that name"),
    ],
)
def test_a_weight_in_four_bits_stands_for_the_values_of_its_own_shape(
    state: object, logical: int, nonzero: int
) -> None:
    """6·8 values in 24 bytes. Bytes that are not zero say nothing of the values, so they are not counted by that policy."""
    found = inspect_module(
        with_parameters_of(Params4bit(torch.zeros(24, 1, dtype=torch.uint8), state)), "test", nonzero=True
    )
    assert (found.frozen(), found.frozen("logical"), found.frozen("nonzero")) == (24, logical, nonzero)
    rule = 'by policy logical, "weight" stands for 48 values: bitsandbytes, 4 bits, the shape in quant_state'
    assert found.notes == ((rule,) if logical == 48 else ())


def test_a_tied_weight_in_four_bits_counts_once() -> None:
    state = SimpleNamespace(shape=torch.Size((6, 8)))
    model = with_parameters_of(Params4bit(torch.zeros(24, 1, dtype=torch.uint8), state))
    model.again = model.weight
    assert inventory_of(model).frozen("logical") == 48


def with_parameters_of(weight: nn.Parameter) -> nn.Module:
    module = nn.Module()
    module.weight = weight
    return module


SHARDED = """
import torch
from torch import nn
from torch.distributed import init_process_group
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.testing._internal.distributed.fake_pg import FakeStore

def make():
    init_process_group("fake", rank=1, world_size=2, store=FakeStore())
    model = nn.Sequential(nn.Linear(4, 6), nn.Linear(6, 3))
    mesh = init_device_mesh("cpu", (2,))
    fully_shard(model[0], mesh=mesh)
    return fully_shard(model, mesh=mesh), torch.zeros(2, 4)
"""


def test_parameters_sharded_over_devices_count_by_their_global_shape(tmp_path: Path) -> None:
    """Of two processes, each holds half of the rows, of 4 bytes a value; of 3 rows the second one holds 1."""
    (tmp_path / "net.py").write_text(SHARDED)
    found = load("net.py:make", folder=tmp_path)
    assert [(row.name, row.shape, row.count, row.bytes) for row in found.tensors] == [
        ("0.weight", (6, 4), 24, 48),
        ("0.bias", (6,), 6, 12),
        ("1.weight", (3, 6), 18, 24),
        ("1.bias", (3,), 3, 4),
    ]
    assert [(finding.kind, "fully_shard" in finding.message) for finding in found.findings] == [("not probed", True)]
