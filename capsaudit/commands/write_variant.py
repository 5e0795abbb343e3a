"""The reading of somebody's model as a variant file."""

from __future__ import annotations

from functools import reduce
from typing import Any

import tomli_w

from capsaudit.arithmetic import layers
from capsaudit.errors import CapsauditError
from capsaudit.inventory import Inventory
from capsaudit.knobs import IMAGE_SIZE, NEUTRAL, Change, changed, changes, to_data
from capsaudit.recognition.closest import Match


def variant_toml(match: Match, inventory: Inventory) -> str:
    """A file that extends the closest variant, with what the model sets otherwise, and its own counts under `[expected]`.

    Raises:
        CapsauditError: the reading does not account for every parameter of the model, so no file could say what it is.
    """
    counts = {name: tensors for name, tensors in match.reading.layers.items() if tensors}
    rows = {row.name: row for row in layers(match.reading.spec)}
    found = {name: sum(t.count for t in tensors if t.trainable) for name, tensors in counts.items()}
    if match.reading.left or found != {name: row.formula.value for name, row in rows.items()}:
        left = ", ".join(tensor.name for tensor in match.reading.left) or "its layers"
        raise CapsauditError(f"{inventory.target}: no variant file can say what it is: no knob accounts for {left}")
    made = [change for change in changes(match.variant.spec, match.reading.spec) if change.knob not in NEUTRAL]
    data: dict[str, Any] = {"extends": match.variant.id, "summary": f"the reading of {inventory.target}"}
    data = reduce(_set, [change for change in made if not change.knob.startswith("layers")], data)
    if any(change.knob.startswith("layers") for change in made):
        data["layers"] = list(to_data(match.reading.spec)["layers"])  # a list of tables stands whole
    data["sources"] = {source: f"read off {inventory.target}" for change in made for source in _sides(change.knob)}
    data["expected"] = {
        "input": list(next(iter(rows.values())).input_shape),
        "total": inventory.trainable(),
        "frozen": inventory.frozen(),
        "layers": {name: _expected(found[name], counts[name], rows[name].output_shape) for name in rows},
    }
    return tomli_w.dumps(data)


def _set(data: dict[str, Any], change: Change) -> dict[str, Any]:
    value = (
        [dict(item) if isinstance(item, dict) else item for item in change.after]
        if isinstance(change.after, tuple | list)
        else change.after
    )
    return changed(data, change.knob, "none" if value is None else value)


def _sides(knob: str) -> tuple[str, ...]:
    """The knobs of a file that a change sets."""
    if knob.startswith("layers"):
        return ("layers",)
    return ("image.height", "image.width") if knob == IMAGE_SIZE else (knob,)


def _expected(trainable: int, tensors: Any, output: tuple[int, ...]) -> dict[str, Any]:
    frozen = sum(tensor.count for tensor in tensors if not tensor.trainable)
    return {"output": list(output), "trainable": trainable} | ({"frozen": frozen} if frozen else {})
