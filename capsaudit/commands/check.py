"""check: the gate for CI. Compares every count, shape and total of the variants with what was stated and worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from capsaudit.catalogue import Expected, Stated, Variant
from capsaudit.commands.count import count
from capsaudit.errors import CapsauditError
from capsaudit.knobs import flatten, to_data
from capsaudit.published import Figure, judge
from capsaudit.results import Check, Count, Failure
from capsaudit.witnesses import WITNESSES


class Statement(Struct, frozen=True):
    """Something that must hold of a variant: what is expected, and what was found."""

    layer: str | None
    what: str
    expected: object
    found: object
    holds: bool


def check(variants: Sequence[Variant], *, witnesses: Sequence[str] = WITNESSES) -> Check:
    """Check that every statement about these variants holds, and that the witnesses agree.

    With the torch witness each shape is also that of a real forward pass, on device meta.

    Raises:
        CapsauditError: nothing to check, in all or in one of the variants. A check that compares nothing never passes.
    """
    if not variants:
        raise CapsauditError("nothing to check: no variant was named and none is shipped")
    statements = {variant.id: tuple(_statements(variant, witnesses)) for variant in variants}
    failures = tuple(
        Failure(variant=name, layer=each.layer, what=each.what, expected=each.expected, found=each.found)
        for name, found in statements.items()
        for each in found
        if not each.holds
    )
    return Check(
        agrees=not failures,
        checked=sum(map(len, statements.values())),
        failures=failures,
        variants=tuple(statements),
    )


def _statements(variant: Variant, witnesses: Sequence[str]) -> Iterator[Statement]:
    stated = variant.stated if variant.stated and variant.stated.must_agree else None
    if variant.expected is None and stated is None:
        raise CapsauditError(f"{variant.id}: nothing to check: it has no [expected] and no [stated] that must agree")
    counted = count(variant, witnesses=witnesses)
    differing = counted.all_disagreements
    yield Statement(None, "witnesses", "agree", differing or "agree", not differing)
    if stated is not None:
        yield from _stated(stated, counted)
    if variant.expected is not None:
        yield from _expected(variant, variant.expected, counted)
    if "torch" in witnesses and counted.witnesses["torch"] is not None:
        yield from _forward_shapes(variant, counted)


def _stated(stated: Stated, counted: Count) -> Iterator[Statement]:
    totals = {layer.name: layer.trainable for layer in counted.layers}
    figures: list[tuple[str | None, Figure, int]] = [
        (name, figure, totals[name]) for name, figure in stated.layers.items()
    ]
    if stated.total is not None:
        figures.append((None, stated.total, counted.trainable))
    for layer, figure, found in figures:
        yield Statement(layer, "stated", figure.text, found, judge(figure, found) == "agrees")


def _expected(variant: Variant, expected: Expected, counted: Count) -> Iterator[Statement]:
    yield _equal(None, "input shape", expected.input, counted.input_shape)
    yield _equal(None, "trainable", expected.total, counted.trainable)
    yield _equal(None, "frozen", expected.frozen, counted.frozen)
    for layer in counted.layers:
        if layer.name not in expected.layers:
            yield Statement(layer.name, "layer", "none", "a layer that is not in [expected.layers]", False)
            continue
        wanted = expected.layers[layer.name]
        yield _equal(layer.name, "output shape", wanted.output, layer.output_shape)
        yield _equal(layer.name, "trainable", wanted.trainable, layer.trainable)
        yield _equal(layer.name, "frozen", wanted.frozen, layer.frozen)
        if wanted.buffers or layer.buffers:
            yield _equal(layer.name, "buffers", wanted.buffers, layer.buffers)
    knobs = flatten(to_data(variant.spec))
    for knob, value in expected.knobs.items():
        yield _equal(None, knob, value, knobs[knob])


def _forward_shapes(variant: Variant, counted: Count) -> Iterator[Statement]:
    from capsaudit.models.tracing import traced_shapes

    traced = traced_shapes(variant.spec)
    for layer in counted.layers:
        found = traced.get(layer.name)
        yield _equal(layer.name, "shapes of a forward pass", (layer.input_shape, layer.output_shape), found)


def _equal(layer: str | None, what: str, expected: object, found: object) -> Statement:
    return Statement(layer, what, expected, found, expected == found)
