"""An adapter, as PEFT saves it, beside the model that it adapts: the counts that PEFT prints of both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.folder import adapter_configuration
from capsaudit.inventory import LOGICAL, Inventory
from capsaudit.results.audit import AdaptedModel
from capsaudit.validation import shown

_PREFIX = "base_model.model."
"""PEFT puts it before the names of the model's own modules."""

_REPEATED = (".original_module.", ".modules_to_save.")
"""With `bias = "all"` PEFT saves the biases of a copied module twice more: of the module itself, and of the copy by its full name."""

_MAX_SHOWN = 3


def adapter_in(target: str, folder: Path | None) -> dict[str, object]:
    """What the adapter in a folder says of itself.

    Raises:
        CapsauditError: it is no folder of an adapter.
    """
    path = (folder or Path()) / target
    found = adapter_configuration(path) if path.is_dir() else {}
    if not found:
        raise CapsauditError(
            f"{target}: is no folder with an adapter_config.json; --base is the model that an adapter belongs to"
        )
    return found


def adapted(adapter: Inventory, stated: Mapping[str, object], base: Inventory) -> AdaptedModel:
    """The counts of PEFT's `print_trainable_parameters`: what the adapter adds is trainable, what the model has is not.

    Biases that are trained in place are saved with the adapter, and count as values of the model. A packed weight of the model counts as the
    values that it stands for.

    Raises:
        CapsauditError: the model is incomplete, or has no layers of the names that the adapter adapts.
    """
    if base.incomplete:
        raise CapsauditError(f"{base.target}: {base.incomplete}")
    _expect_layers(adapter, base)
    saved = [tensor for tensor in adapter.tensors if not any(part in tensor.name for part in _REPEATED)]
    trainable = sum(tensor.count for tensor in saved)
    in_place = sum(tensor.count for tensor in saved if _is_bias(tensor.name, stated))
    own = base.trainable(LOGICAL) + base.frozen(LOGICAL)
    return AdaptedModel(target=base.target, parameters=own, trainable=trainable, all=own + trainable - in_place)


def _is_bias(name: str, stated: Mapping[str, object]) -> bool:
    """Whether a tensor of the adapter is a bias of the model that is trained in place, and no part of a copied module."""
    if stated.get("bias", "none") == "none" or not name.endswith(".bias") or ".lora_" in name:
        return False
    copied = stated.get("modules_to_save")
    return not any(f".{module}." in f".{name}" for module in (copied if isinstance(copied, list) else ()))


def _expect_layers(adapter: Inventory, base: Inventory) -> None:
    layers = {tensor.name.rpartition(".")[0] for tensor in base.tensors}
    ends = {end for layer in layers for end in _ends(layer)}
    missing = [
        layer for layer in _layers(adapter) if not any(end in layers for end in _ends(layer)) and layer not in ends
    ]
    if missing:
        more = f" and {len(missing) - _MAX_SHOWN:,} more" if len(missing) > _MAX_SHOWN else ""
        listed = ", ".join(map(shown, missing[:_MAX_SHOWN]))
        raise CapsauditError(f"{base.target}: has no layer {listed}{more}, which {adapter.target} adapts")


def _layers(adapter: Inventory) -> Iterable[str]:
    """The layers of the model that the adapter is for: what stands before `.lora_A`, `.lora_embedding_B` and the like."""
    names = (tensor.name.removeprefix(_PREFIX) for tensor in adapter.tensors if ".lora_" in tensor.name)
    return dict.fromkeys(name.partition(".lora_")[0] for name in names)


def _ends(layer: str) -> Iterator[str]:
    """A name without its first parts: a task's model has its body in a module of its own, which a file of the body does not know.

    >>> [*_ends("bert.encoder.layer")]
    ['bert.encoder.layer', 'encoder.layer', 'layer']
    """
    while layer:
        yield layer
        layer = layer.partition(".")[2]
