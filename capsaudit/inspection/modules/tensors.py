"""Every tensor that a module registers, under each of its names, with its count by each policy.

Policies differ for packed quantised weights, parametrised and pruned weights, zeros, complex values, and tensors that share memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple, cast

import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.jit import ScriptModule
from torch.nn.utils.parametrize import ParametrizationList, type_before_parametrizations
from torch.nn.utils.weight_norm import WeightNorm

from capsaudit.errors import CapsauditError
from capsaudit.inspection.memory import OwnMemory, is_wrapper, own_memory
from capsaudit.inspection.modules.forward import expect_materialised, run_forward
from capsaudit.inspection.modules.snapshot import restored
from capsaudit.inspection.modules.walk import NamedTensor, buffers, parameters, walk
from capsaudit.inventory import LOGICAL, InventoryTensor

_UNPACKING = {"weight": "weight", "bias": "bias", "get_weight": "", "get_bias": ""}
"""Methods of quantised modules that return their tensors, with the name of the tensor; empty where they return several by name."""


class Entry(NamedTuple):
    """A tensor whose row is not made yet.

    Attributes:
        named: The tensor.
        identity: Equal for all names of one tensor.
        counts: Counts by policies that depend on its module.
        note: A remark for its row.
    """

    named: NamedTensor
    identity: object
    counts: Mapping[str, int] = {}
    note: str | None = None


def inventory(module: nn.Module, *, nonzero: bool = False) -> tuple[InventoryTensor, ...]:
    """Every tensor, module by module in the order of registration: parameters, packed weights, buffers.

    A tensor counts under its first name. A tensor that is both a parameter and a buffer counts as a parameter. With `nonzero` the values of
    parameters that are not zero are counted too, which reads all of them. Those of a pruned model are always counted.

    Raises:
        CapsauditError: a parameter or buffer is lazy.
    """
    entries = [entry for layer, part in walk(module) for entry in _entries(layer, part)]
    expect_materialised(entry.named for entry in entries)
    first: dict[object, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.named.buffer):
        first.setdefault(entry.identity, entry)
    memory = _memory(list(first.values()))
    rows = [_row(entry, memory[entry.identity], first[entry.identity]) for entry in entries]
    if nonzero or any(_mask(entry.named) is not None for entry in entries):
        rows = [_with_nonzero(row, entry.named) for row, entry in zip(rows, entries, strict=True)]
    return tuple(rows)


def _entries(layer: str, module: nn.Module) -> Iterator[Entry]:
    """Packed tensors are unpacked anew by every call, so module and name are their identity."""
    if module._parameters:
        yield from _parameters(layer, module)
    for named in _packed(layer, module):
        yield Entry(named, (id(module), named.name), {"parameters": 0}, "packed")
    if module._buffers:
        yield from (Entry(named, id(named.tensor)) for named in buffers(layer, module))


def _parameters(layer: str, module: nn.Module) -> Iterator[Entry]:
    found = list(parameters(layer, module))
    counts, note = _effective_or_note(module) if found else ({}, None)
    for named in found:
        own = {"effective": counts[named.name]} if named.name in counts else {}
        if (values := packed_values(named.tensor)) is not None:
            own[LOGICAL] = values
        yield Entry(named, id(named.tensor), own, note)


def packed_values(tensor: Tensor) -> int | None:
    """How many values a weight of bitsandbytes in 4 bits stands for: it keeps its shape as `quant_state.shape`. None for other tensors."""
    state = getattr(tensor, "__dict__", {}).get("quant_state")
    shape = getattr(state, "__dict__", {}).get("shape")
    return shape.numel() if isinstance(shape, torch.Size) else None


def _memory(entries: Sequence[Entry]) -> dict[object, OwnMemory]:
    """Parameters and buffers are attributed separately, so that a buffer that is a view of a parameter does not take its memory."""
    found: dict[object, OwnMemory] = {}
    for buffer in (False, True):
        side = [entry for entry in entries if entry.named.buffer == buffer]
        memory = own_memory([entry.named.tensor for entry in side])
        found |= {entry.identity: own for entry, own in zip(side, memory, strict=True)}
    return found


def _row(entry: Entry, memory: OwnMemory, first: Entry) -> InventoryTensor:
    named, tensor = entry.named, entry.named.tensor
    path = named.path
    repeated = first is not entry and path != first.named.path
    size = tensor.numel()
    count = 0 if repeated else size
    counts = {"per name": size} if repeated else _counts(entry, memory)
    return InventoryTensor(
        name=path,
        layer=named.layer,
        kind=_kind(named.module),
        shape=tuple(tensor.shape),
        count=count,
        trainable=tensor.requires_grad and not named.buffer,
        buffer=named.buffer,
        dtype=_name(tensor.dtype),
        bytes=0 if repeated else memory.bytes,
        same_as=first.named.path if repeated else None,
        counts={policy: value for policy, value in counts.items() if value != count},
        note=entry.note,
    )


@cache
def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _kind(module: nn.Module) -> str:
    """The class as written in the source. Scripting and parametrisation derive classes of their own."""
    if isinstance(module, ScriptModule):
        return str(module.original_name)
    made = type_before_parametrizations(module) if "parametrizations" in module._modules else type(module)
    return made.__name__


def _counts(entry: Entry, memory: OwnMemory) -> dict[str, int]:
    """The count by each policy that needs no values, under the first name."""
    tensor = entry.named.tensor
    return {"storage": memory.values, "reals": tensor.numel() * (1 + tensor.is_complex()), **entry.counts}


def _with_nonzero(row: InventoryTensor, named: NamedTensor) -> InventoryTensor:
    """No policy needs the zeros of buffers."""
    found = None if named.buffer or row.same_as else _nonzero(named)
    return row if found in (None, row.count) else replace(row, counts={**row.counts, "nonzero": found})


def _nonzero(named: NamedTensor) -> int | None:
    """The number of values that are not zero, after the mask of a pruned parameter; None on device meta, for wrappers and packed weights."""
    if is_wrapper(named.tensor) or packed_values(named.tensor) is not None:
        return None
    tensor = named.tensor.detach()
    storage = tensor.untyped_storage() if tensor.layout == torch.strided else tensor
    if storage.device.type == "meta":
        return None
    mask = _mask(named)
    return int(torch.count_nonzero(_countable(tensor if mask is None else tensor * mask)))


def _mask(named: NamedTensor) -> Tensor | None:
    """Pruning stores the whole parameter as `weight_orig`, and its mask as the buffer `weight_mask`."""
    stem = named.name.removesuffix("_orig")
    return None if stem == named.name else dict(named.module._buffers.items()).get(f"{stem}_mask")


def _countable(tensor: Tensor) -> Tensor:
    """The values in a form for `count_nonzero`, which takes no sparse, quantised or 8-bit floating-point tensor."""
    if tensor.layout != torch.strided:
        return tensor.coalesce().values() if tensor.layout == torch.sparse_coo else tensor.values()
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor


def _packed(layer: str, module: nn.Module) -> Iterator[NamedTensor]:
    """The tensors of a quantised module. Their methods identify it, because the classes move between packages."""
    if _is_packed(module):
        for method, name in _UNPACKING.items():
            unpack = getattr(module, method, None)
            if callable(unpack):
                yield from (NamedTensor(layer, key, module, tensor) for key, tensor in _unpacked(unpack, name))


def _is_packed(module: nn.Module) -> bool:
    """Whether it is a quantised module without registered parameters. Reference modules have the same methods but register theirs."""
    return _is_quantised(type(module).__module__) and not any(True for _ in module._parameters)


@cache
def _is_quantised(home: str) -> bool:
    packages = home.split(".")
    return packages[0] in ("torch", "torchao") and "quantized" in packages


def _unpacked(unpack: Callable[[], object], name: str) -> Iterator[tuple[str, Tensor]]:
    """Detached: a packed bias requires a gradient, but is not trained."""
    found = unpack()
    pairs = found.items() if isinstance(found, dict) else [(name, found)]
    return ((key, tensor.detach()) for key, tensor in pairs if isinstance(tensor, Tensor))


def _effective_or_note(module: nn.Module) -> tuple[Mapping[str, int], str | None]:
    """A parametrisation may be a user's code. If it fails, stored values are still counted."""
    try:
        return _effective(module), None
    except CapsauditError as error:
        return {}, f"effective size unknown: {error}"


def _effective(module: nn.Module) -> dict[str, int]:
    """The number of values that the layer uses, by parameter name: all under one parameter of a weight, 0 under its others."""
    if isinstance(module, ParametrizationList):
        return _parametrised(module)
    hooks = module._forward_pre_hooks.values()
    return {f"{hook.name}_g": 0 for hook in hooks if isinstance(hook, WeightNorm)}


def _parametrised(originals: ParametrizationList) -> dict[str, int]:
    """Only the parametrisation knows the shape, so it is run, in eval mode: `spectral_norm` updates its buffers in training mode."""
    with restored(originals), torch.no_grad():
        weight = cast(Tensor, run_forward(originals, (), {}))
    sizes = {name: tensor.numel() for name, tensor in originals._parameters.items() if tensor is not None}
    largest = max(sizes, key=lambda name: sizes[name], default="")
    return {name: weight.numel() if name == largest else 0 for name in sizes}


def geometry(module: nn.Module) -> dict[str, tuple[int, int | str]]:
    """Stride and padding of each square, undilated Conv2d by path. Two numbers cannot describe the others."""
    found = ((path, part) for path, part in walk(module) if isinstance(part, nn.Conv2d))
    return {path: (part.stride[0], _padding(part)) for path, part in found if _is_square(part)}


def _padding(convolution: nn.Conv2d) -> int | str:
    padding = convolution.padding
    return padding if isinstance(padding, str) else int(padding[0])


def _is_square(convolution: nn.Conv2d) -> bool:
    sides = [convolution.kernel_size, convolution.stride, convolution.dilation]
    if not isinstance(convolution.padding, str):
        sides.append(convolution.padding)
    return all(len(set(side)) == 1 for side in sides) and convolution.dilation[0] == 1
