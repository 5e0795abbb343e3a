"""Every tensor that a model registers, under each of its names, with every count that is right by some policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from torch import nn
from torch.jit import ScriptModule
from torch.nn.utils.parametrize import type_before_parametrizations

from capsaudit.audited import AuditedTensor
from capsaudit.auditing.modules.effective import effective
from capsaudit.auditing.modules.lazy import refuse_unshaped
from capsaudit.auditing.modules.occupancy import Stored, stored
from capsaudit.auditing.modules.packed import packed
from capsaudit.auditing.modules.walking import Slot, buffers, parameters, walk
from capsaudit.auditing.modules.zeros import nonzero
from capsaudit.errors import CapsauditError


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
