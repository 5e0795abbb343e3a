"""A LoRA adapter with the model that it adapts: the counts that PEFT's `print_trainable_parameters()` prints."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.json_files import read_json
from capsaudit.inventory import LOGICAL, Inventory, InventoryTensor
from capsaudit.results import AdaptedModel
from capsaudit.validation import shown

CONFIGURATION = "adapter_config.json"

_PREFIX = "base_model.model."
"""What PEFT writes before the base model's own names."""

_ADDED = ("lora_", "trainable_tokens_")
"""How the names of PEFT's own parameters begin."""

_REPEATED = ("original_module", "modules_to_save")
"""With `bias = "all"` PEFT saves the biases of a copied module twice more: those of the original, and those of the copy by its full name."""

_FACTORS = {"lora_A": "lora_B", "lora_embedding_A": "lora_embedding_B"}


class Configuration(Struct, frozen=True):
    """What the counts depend on in adapter_config.json. `bias`: whose biases of the base model are trained.

    `modules_to_save`: modules of the base model of which PEFT trains a copy.
    """

    peft_type: str
    bias: str = "none"
    modules_to_save: tuple[str, ...] | None = None


def read_configuration(folder: Path) -> Configuration:
    """Read the configuration of an adapter.

    Raises:
        CapsauditError: the folder has none, it cannot be read, or it is of no LoRA adapter.
    """
    path = folder / CONFIGURATION
    if not path.is_file():
        raise CapsauditError(f"{folder}: has no {CONFIGURATION}; --base needs the folder of a LoRA adapter")
    found = read_json(path, Configuration)
    if found.peft_type != "LORA":
        raise CapsauditError(f"{path}: peft_type is {shown(found.peft_type)}; --base can add only LoRA adapters")
    return found


def adapted(adapter: Inventory, config: Configuration, base: Inventory) -> AdaptedModel:
    """The parameters of the base model with the adapter in it, and those of them that are trained.

    PEFT adds the tensors of LoRA and, for each module to save, a copy that is trained instead of it; both stay in the model. Trained biases
    are the base model's own. A packed weight of the base counts as the values that it stands for.

    Raises:
        CapsauditError: one of the two is not whole, the base has weights that PEFT does not count, or the adapter is of another model.
    """
    _expect_whole(adapter, base)
    names = _Names(base)
    trainable = added = 0
    for tensor in adapter.tensors:
        if not {*_REPEATED}.isdisjoint(tensor.name.split(".")):
            continue
        if _is_added(tensor.name, config):
            added += tensor.count
            trainable += tensor.count
        elif _is_trained_bias(names.own(tensor), config):
            trainable += tensor.count
    _expect_shapes({tensor.name: tensor for tensor in adapter.tensors}, names)
    parameters = base.trainable(LOGICAL) + base.frozen(LOGICAL)
    return AdaptedModel(
        base=base.target, base_parameters=parameters, trainable=trainable, parameters=parameters + added
    )


def _expect_whole(adapter: Inventory, base: Inventory) -> None:
    for each in (adapter, base):
        if each.incomplete:
            raise CapsauditError(f"{each.target}: {each.incomplete}; --base needs whole models")
    if any(tensor.name.rpartition(".")[2] == "qweight" for tensor in base.tensors):
        raise CapsauditError(
            f"{base.target}: its weights are packed as by GPTQ or AWQ, in buffers, which PEFT does not count; name the model "
            "before it was packed"
        )


def _is_added(name: str, config: Configuration) -> bool:
    """Whether PEFT adds the tensor to the base model. A module to save is named by the end of its path."""
    if any(part.startswith(_ADDED) for part in name.split(".")):
        return True
    layer = f".{name.rpartition('.')[0]}."
    return any(f".{module}." in layer for module in config.modules_to_save or ())


def _is_trained_bias(tensor: InventoryTensor, config: Configuration) -> bool:
    """Other tensors of the base model that an adapter has, such as the embeddings of a larger vocabulary, are stored and not trained."""
    return config.bias != "none" and tensor.name.rpartition(".")[2] == "bias"


class _Names:
    """The tensors of a base model by name. A file may have been written from the network inside the adapted one, or from one around it."""

    def __init__(self, base: Inventory) -> None:
        self.target = base.target
        self.tensors = {tensor.name: tensor for tensor in base.tensors}
        self.by_end = {end: tensor for tensor in base.tensors for end in _ends(tensor.name)}

    def own(self, tensor: InventoryTensor) -> InventoryTensor:
        """The base model's tensor that an adapter has too."""
        found = self.find(_base_name(tensor.name))
        if found is None or found.shape != tensor.shape:
            shape = "no such tensor" if found is None else f"one of shape {list(found.shape)}"
            raise CapsauditError(
                f"{self.target}: has {shape}, where the adapter has {shown(tensor.name)} of shape {list(tensor.shape)}; "
                "name the model that it was made for"
            )
        return found

    def find(self, name: str) -> InventoryTensor | None:
        """By the whole name, or by the end of either name."""
        whole = next((self.tensors[end] for end in (name, *_ends(name)) if end in self.tensors), None)
        return whole or self.by_end.get(name)


def _ends(name: str) -> Iterator[str]:
    """The shorter names that a longer path ends with, of two parts at least.

    >>> list(_ends("transformer.h.0.weight"))
    ['h.0.weight', '0.weight']
    """
    return (name.split(".", number)[-1] for number in range(1, name.count(".")))


def _base_name(name: str) -> str:
    return name.removeprefix(_PREFIX).replace(".base_layer.", ".")


def _expect_shapes(adapter: Mapping[str, InventoryTensor], names: _Names) -> None:
    """The product of two factors, [outputs, r] and [r, inputs], is added to a weight, which has as many values.

    Raises:
        CapsauditError: the base model has no such weight.
    """
    for name, first in adapter.items():
        layer, factor, rest = next(
            (parts for each in _FACTORS if (parts := name.partition(f".{each}"))[1]), (name, "", "")
        )
        second = adapter.get(f"{layer}.{_FACTORS[factor[1:]]}{rest}") if factor else None
        if second is None or len(first.shape) != 2 or len(second.shape) != 2:
            continue
        weight = names.find(f"{_base_name(layer)}.weight")
        shape = [second.shape[0], first.shape[1]]
        if weight is None or weight.by(LOGICAL) != math.prod(shape):
            found = "no such weight" if weight is None else f"a weight of shape {list(weight.shape)}"
            raise CapsauditError(
                f"{names.target}: has {found}, where the adapter changes {shown(_base_name(layer))} of shape {shape}; "
                "name the model that it was made for"
            )
