"""The inventory of a live module. With inputs, it includes the findings of one forward pass."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.forward import materialise
from capsaudit.inspection.modules.probe import probe
from capsaudit.inspection.modules.tensors import geometry, inventory
from capsaudit.inspection.modules.walk import walk
from capsaudit.inventory import LOGICAL, Finding, Inventory, InventoryTensor
from capsaudit.validation import shown

_NOT_RUN = Finding(
    kind="not probed",
    path="",
    message="the model was not run, so unregistered parameters were not found; pass an input (--input 1,28,28)",
)

_SHARDED = Finding(
    kind="not probed",
    path="",
    message="the model was not run: fully_shard gathers its parameters in other tensors, so their use cannot be traced; "
    "to trace it, audit the model before it is sharded",
)

_TRY = "pass another --input, or name a function that returns the model and its example inputs"


def inspect_module(
    module: nn.Module,
    name: str,
    *,
    inputs: tuple[object, ...] | None = None,
    kwargs: Mapping[str, object] | None = None,
    notes: tuple[str, ...] = (),
    nonzero: bool = False,
) -> Inventory:
    """Take the inventory of a module, which is left unchanged. A lazy module is materialised in a copy.

    `inputs` and `kwargs` are the arguments of its forward. Without them, the module is not run. With `nonzero`, values that are not zero are
    counted; otherwise no value is read.

    Raises:
        CapsauditError: `module` is not an `nn.Module`, or is lazy and has no inputs that give it its shapes.
    """
    if not isinstance(module, nn.Module):
        raise CapsauditError(f"{name}: is a {type(module).__name__}; expected an nn.Module")
    findings: tuple[Finding, ...] = (_NOT_RUN,)
    if inputs is not None or kwargs is not None:
        if any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
            module = materialise(module, inputs or (), kwargs)
            notes = (*notes, "lazy modules were materialised in a copy by one forward pass")
        findings = _probed(module, inputs or (), kwargs)
    tensors = inventory(module, nonzero=nonzero)
    has_convolutions = any(len(tensor.shape) == 4 for tensor in tensors)
    return Inventory(
        target=name,
        tensors=tensors,
        findings=findings,
        geometry=geometry(module) if has_convolutions else {},
        examples=tuple(
            tuple(value.shape[1:]) for value in (*(inputs or ()), *(kwargs or {}).values()) if isinstance(value, Tensor)
        ),
        notes=(*notes, *_packed_note(tensors)),
    )


def _packed_note(tensors: Sequence[InventoryTensor]) -> Iterator[str]:
    """The rule by which weights are unpacked, as for files."""
    if found := [tensor for tensor in tensors if LOGICAL in tensor.counts]:
        values, first = sum(tensor.by(LOGICAL) for tensor in found), shown(found[0].name)
        who = f"{first} stands" if len(found) == 1 else f"{len(found):,} tensors such as {first} stand"
        yield f"by policy logical, {who} for {values:,} values: bitsandbytes, 4 bits, the shape in quant_state"


def _probed(module: nn.Module, inputs: tuple[object, ...], kwargs: Mapping[str, object] | None) -> tuple[Finding, ...]:
    """The findings of a forward pass. One that fails is a finding too: what is registered can be counted without it."""
    if _is_sharded(module):
        return (_SHARDED,)
    try:
        return probe(module, inputs, kwargs)
    except CapsauditError as error:
        message = f"{error}; its tensors are counted, but unregistered ones were not looked for; {_TRY}"
        return (Finding(kind="not probed", path="", message=message),)


def _is_sharded(module: nn.Module) -> bool:
    """Whether `fully_shard` was applied to any part of it."""
    fsdp = sys.modules.get("torch.distributed.fsdp")
    return fsdp is not None and any(isinstance(part, fsdp.FSDPModule) for _, part in walk(module))
