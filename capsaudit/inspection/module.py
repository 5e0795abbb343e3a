"""A live module taken stock of: its tensors, and with inputs also what one forward tells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.forward import materialised
from capsaudit.inspection.modules.probe import probe
from capsaudit.inspection.modules.tensors import geometry, inventory
from capsaudit.inventory import Finding, Inventory


def taken(
    module: nn.Module,
    name: str,
    *,
    inputs: tuple[Any, ...] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    notes: tuple[str, ...] = (),
) -> Inventory:
    """Everything that a module holds. It stays as it is; a lazy one is materialised in a copy.

    Raises:
        CapsauditError: it is no module, is lazy and has no inputs, or its forward raises.
    """
    if not isinstance(module, nn.Module):
        raise CapsauditError(f"{name}: is a {type(module).__name__}; expected an nn.Module")
    runs = inputs is not None or kwargs is not None
    findings: tuple[Finding, ...] = (_NOT_RUN,)
    if runs:
        if any(is_lazy(tensor) for tensor in (*module.parameters(), *module.buffers())):
            module = materialised(module, inputs or (), kwargs)
            notes = (*notes, "lazy modules were given their shapes in a copy, by one forward")
        findings = probe(module, inputs or (), kwargs)
    return Inventory(
        target=name,
        tensors=inventory(module),
        findings=findings,
        geometry=geometry(module),
        examples=tuple(tuple(value.shape[1:]) for value in inputs or () if isinstance(value, Tensor)),
        notes=notes,
    )


_NOT_RUN = Finding(
    kind="not probed",
    path="",
    message="it was not run, so what no parameter registers stays unseen; an input (--input 1,28,28) shows it",
)
