"""Somebody's model as a variant file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import tomli_w

from capsaudit.atomic_write import write_atomically
from capsaudit.errors import CapsauditError
from capsaudit.families import layers
from capsaudit.inventory import Inventory, InventoryTensor
from capsaudit.knobs import IMAGE_SIZE, KnobChange, changed, counted_changes, to_data
from capsaudit.recognition.base import Match
from capsaudit.spec import Data
from capsaudit.text import toml_escaped, valid


def write_variant(match: Match | None, inventory: Inventory, path: Path) -> None:
    """Write the file.

    Raises:
        CapsauditError: the model matches no known architecture, `variant_toml` refuses, or the file cannot be written.
    """
    if match is None:
        raise CapsauditError(
            f"{inventory.target}: its tensors match no known architecture, so there is no variant to write"
        )
    write_atomically(path, variant_toml(match, inventory).encode())


def variant_toml(match: Match, inventory: Inventory) -> str:
    """A file that extends the closest variant, with what the model sets otherwise, and its own counts under `[expected]`.

    Raises:
        CapsauditError: the network does not account for every parameter of the model, so no variant file can describe it.
    """
    counts = {name: tensors for name, tensors in match.network.layers.items() if tensors}
    rows = {row.name: row for row in layers(match.network.spec)}
    found = {name: sum(t.count for t in tensors if t.trainable) for name, tensors in counts.items()}
    if match.network.unassigned or found != {name: row.formula.value for name, row in rows.items()}:
        names = ", ".join(tensor.name for tensor in match.network.unassigned) or "its layers"
        raise CapsauditError(f"{inventory.target}: no variant file can describe it: no knob accounts for {names}")
    made = counted_changes(match.variant.spec, match.network.spec)
    target = valid(inventory.target)
    data: Data = {"extends": match.variant.id, "summary": f"the network of {target}"}
    data = reduce(_set, [change for change in made if not change.knob.startswith("layers")], data)
    if any(change.knob.startswith("layers") for change in made):
        data["layers"] = list(to_data(match.network.spec)["layers"])  # a list of tables is written whole
    data["sources"] = {source: f"inferred from {target}" for change in made for source in _sides(change.knob)}
    data["expected"] = {
        "input": list(next(iter(rows.values())).input_shape),
        "total": inventory.trainable(),
        "frozen": inventory.frozen(),
        "layers": {name: _expected(found[name], counts[name], rows[name].output_shape) for name in rows},
    }
    return toml_escaped(tomli_w.dumps(data))


def _set(data: Data, change: KnobChange) -> Data:
    value = change.after
    if isinstance(value, tuple | list):
        value = [dict(item) if isinstance(item, dict) else item for item in value]
    return changed(data, change.knob, "none" if value is None else value)


def _sides(knob: str) -> tuple[str, ...]:
    """The knobs of a file that a change sets."""
    if knob.startswith("layers"):
        return ("layers",)
    return ("image.height", "image.width") if knob == IMAGE_SIZE else (knob,)


def _expected(trainable: int, tensors: Sequence[InventoryTensor], output: tuple[int, ...]) -> Data:
    counts = {
        "frozen": sum(tensor.count for tensor in tensors if not tensor.trainable and not tensor.buffer),
        "buffers": sum(tensor.count for tensor in tensors if tensor.buffer),
    }
    return {"output": list(output), "trainable": trainable} | {name: count for name, count in counts.items() if count}
