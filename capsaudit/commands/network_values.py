"""What statements may say of a network without running it, by name."""

from __future__ import annotations

from collections.abc import Iterator

from capsaudit.arithmetic import LayerArithmetic, Shape
from capsaudit.families import family_of, layers
from capsaudit.knobs import flatten, to_data
from capsaudit.spec import Data, Spec, Value


def values_of(spec: Spec) -> Data:
    """Every knob by its name, the layers of encoder and decoder, and of each layer its parameters, capsules and tensors.

    >>> from capsaudit.catalogue import load_variant
    >>> values = values_of(load_variant("paper").spec)
    >>> [values[name] for name in ("conv1.kernel", "conv1 parameters", "primary_caps capsules", "digit_caps weight")]
    [9, 20992, 1152, '1152×10×8×16']
    """
    rows = layers(spec)
    found = dict(flatten(to_data(spec)))
    found["encoder"] = [row.name for row in rows if not row.decoder]
    found["decoder layers"] = [row.name for row in rows if row.decoder]
    for row in rows:
        found.update(_of_layer(spec, row))
    return found


def _of_layer(spec: Spec, row: LayerArithmetic) -> Iterator[tuple[str, Value]]:
    yield f"{row.name} parameters", row.formula.value
    yield f"{row.name} output", _text(row.output_shape)
    if len(row.output_shape) == 2:
        yield f"{row.name} capsules", row.output_shape[0]
    for types, *one_type in family_of(spec).stated_shapes(spec, row):
        if len(one_type) == 3:  # a grid of [types, height, width, dimension]
            yield f"primary_caps output of one of {types} types", _text(tuple(one_type))
    for tensor in (*row.parameters, *row.computed):
        yield f"{row.name} {tensor.name}", _text(tensor.shape)


def _text(shape: Shape) -> str:
    return "×".join(map(str, shape))
