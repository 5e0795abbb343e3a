"""Every tensor that a module registers, under each of its names, with each count that some policy asks for.

The policies differ for packed quantised weights, for parametrised weights (stored or effective size), for zeros and for shared memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.jit import ScriptModule
from torch.nn.utils.parametrize import ParametrizationList, type_before_parametrizations

from capsaudit.errors import CapsauditError
from capsaudit.inspection.memory import Stored, stored
from capsaudit.inspection.modules.forward import forwarded, refuse_unshaped
from capsaudit.inspection.modules.snapshot import unchanged
from capsaudit.inspection.modules.walk import Slot, buffers, parameters, walk
from capsaudit.inventory import AuditedTensor


class Found(NamedTuple):
    """A slot on its way to a row. `key`: what it is the same as. `counts`, `note`: what its module says about it."""

    slot: Slot
    key: object
    counts: Mapping[str, int] = {}
    note: str | None = None


def inventory(module: nn.Module) -> tuple[AuditedTensor, ...]:
    """Module by module in the order of registration: parameters, packed weights, buffers.

    A tensor counts under its first name; one that is a parameter and a buffer counts as a parameter.
    """
    found = [one for layer, part in walk(module) for one in _held(layer, part)]
    first: dict[object, Found] = {}
    for one in sorted(found, key=lambda one: one.slot.buffer):
        first.setdefault(one.key, one)
    memory = _memory(list(first.values()))
    return tuple(_row(one, memory[one.key], first[one.key].slot.path) for one in found)


def _held(layer: str, module: nn.Module) -> Iterator[Found]:
    """Packed tensors are unpacked anew each time, so they are known by their module and name."""
    yield from _parameters(layer, module)
    for slot in packed(layer, module):
        yield Found(slot, (id(module), slot.name), {"parameters": 0}, "packed")
    yield from (Found(_shaped(slot), id(slot.tensor)) for slot in buffers(layer, module))


def _parameters(layer: str, module: nn.Module) -> Iterator[Found]:
    slots = [_shaped(slot) for slot in parameters(layer, module)]
    counts, note = _effective(module) if slots else ({}, None)
    for slot in slots:
        used = {"effective": counts[slot.name]} if slot.name in counts else {}
        yield Found(slot, id(slot.tensor), used, note)


def _shaped(slot: Slot) -> Slot:
    refuse_unshaped(slot)
    return slot


def _effective(module: nn.Module) -> tuple[Mapping[str, int], str | None]:
    """A parametrisation is somebody's code; where it fails, what is stored is still counted."""
    try:
        return effective(module), None
    except CapsauditError as fault:
        return {}, f"effective size unknown: {fault}"


def _memory(found: list[Found]) -> dict[object, Stored]:
    """Parameters share memory among themselves and buffers among themselves, so that a view in a buffer takes nothing from a parameter."""
    sides = ([one for one in found if one.slot.buffer == buffer] for buffer in (False, True))
    told = ((side, stored([one.slot.tensor for one in side])) for side in sides)
    return {one.key: taken for side, parts in told for one, taken in zip(side, parts, strict=True)}


def _row(found: Found, memory: Stored, first: str) -> AuditedTensor:
    slot, tensor = found.slot, found.slot.tensor
    again = slot.path != first
    count = 0 if again else tensor.numel()
    return AuditedTensor(
        name=slot.path,
        layer=slot.layer,
        kind=kind(slot.module),
        shape=tuple(tensor.shape),
        count=count,
        trainable=tensor.requires_grad and not slot.buffer,
        buffer=slot.buffer,
        dtype=str(tensor.dtype).removeprefix("torch."),
        bytes=0 if again else memory.bytes,
        same_as=first if again else None,
        counts=_differing(count, {"per name": tensor.numel()} if again else _counts(found, memory)),
        note=found.note,
    )


def _counts(found: Found, memory: Stored) -> dict[str, int]:
    """Every policy's count of a tensor under its first name. Zeros of buffers are nobody's question, and reading them all takes time."""
    tensor = found.slot.tensor
    zeros = None if found.slot.buffer else nonzero(found.slot)
    counts = {"storage": memory.values, "reals": tensor.numel() * (1 + tensor.is_complex()), **found.counts}
    return counts if zeros is None else {**counts, "nonzero": zeros}


def _differing(count: int, counts: Mapping[str, int]) -> dict[str, int]:
    return {policy: value for policy, value in counts.items() if value != count}


def kind(module: nn.Module) -> str:
    """A module's class, as a person wrote it: scripting and parametrisations make classes of their own."""
    if isinstance(module, ScriptModule):
        return str(module.original_name)
    return type_before_parametrizations(module).__name__


def geometry(module: nn.Module) -> dict[str, tuple[int, int | str]]:
    """Stride and padding of each square Conv2d by path. Dilated ones are left out: two numbers do not describe them."""
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


METHODS = {"weight": "weight", "bias": "bias", "get_weight": "", "get_bias": ""}
"""What unpacks, and the tensor's name; where there are several, the method tells the names itself."""


def packed(layer: str, module: nn.Module) -> Iterator[Slot]:
    """Told by methods, not by class: where the classes live has changed, and torch.ao is about to move again."""
    if _is_packed(module):
        for method, name in METHODS.items():
            unpack: Any = getattr(module, method, None)
            if callable(unpack):
                yield from (Slot(layer, key, module, tensor) for key, tensor in _unpacked(unpack, name))


def _is_packed(module: nn.Module) -> bool:
    """A quantised module that registers no tensor of its own; those for reference, which are called alike, register theirs."""
    home = type(module).__module__.split(".")
    return home[0] in ("torch", "torchao") and "quantized" in home and not any(True for _ in module._parameters)


def _unpacked(unpack: Callable[[], Any], name: str) -> Iterator[tuple[str, Tensor]]:
    """Detached: a bias comes with requires_grad, but nothing trains it there."""
    found = unpack()
    pairs = found.items() if isinstance(found, dict) else [(name, found)]
    return ((key, tensor.detach()) for key, tensor in pairs if isinstance(tensor, Tensor))


def effective(module: nn.Module) -> dict[str, int]:
    """Values in use by the name of the parameter that stands for them; what the others of the same weight hold is not used as it is."""
    if isinstance(module, ParametrizationList):
        return _parametrised(module)
    hooks = module._forward_pre_hooks.values()
    return {f"{hook.name}_g": 0 for hook in hooks if type(hook).__name__ == "WeightNorm"}  # type: ignore[attr-defined]


def _parametrised(originals: ParametrizationList) -> dict[str, int]:
    """The shape is known to the parametrisation alone, so it is asked; spectral_norm would change itself in training mode."""
    with unchanged(originals), torch.no_grad():
        values: Any = forwarded(originals, (), {})
    sizes = {name: tensor.numel() for name, tensor in originals._parameters.items() if tensor is not None}
    largest = max(sizes, key=lambda name: sizes[name], default="")
    return {name: values.numel() if name == largest else 0 for name in sizes}


def nonzero(slot: Slot) -> int | None:
    """None where there are no values to read. A pruned parameter is stored whole, and its zeros are in a mask beside it."""
    tensor = slot.tensor.detach()
    if tensor.untyped_storage().device.type == "meta" if tensor.layout == torch.strided else tensor.is_meta:
        return None
    mask = _mask(slot)
    return int(torch.count_nonzero(_countable(tensor if mask is None else tensor * mask)))


def _mask(slot: Slot) -> Tensor | None:
    stem = slot.name.removesuffix("_orig")
    return None if stem == slot.name else dict(slot.module._buffers.items()).get(f"{stem}_mask")


def _countable(tensor: Tensor) -> Tensor:
    """Torch counts the zeros neither of sparse, nor of quantised, nor of 8-bit floating-point tensors."""
    if tensor.layout != torch.strided:
        return tensor.coalesce().values() if tensor.layout == torch.sparse_coo else tensor.values()
    if tensor.is_quantized:
        return tensor.dequantize()
    return tensor.float() if tensor.is_floating_point() and tensor.element_size() == 1 else tensor
