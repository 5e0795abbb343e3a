"""check: the gate for CI. Compares every count, shape and total of the variants with what was stated and worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from capsaudit.catalogue import Expected, Stated, Variant
from capsaudit.catalogue.toml_files import line_in
from capsaudit.commands.count import count
from capsaudit.errors import CapsauditError
from capsaudit.knobs import flatten, to_data
from capsaudit.published import Figure, judge
from capsaudit.results import Check, Count, Failure
from capsaudit.witnesses import WITNESSES


class Statement(Struct, frozen=True):
    """Something that must hold of a variant: what is expected, and what was found. `keys`: where the variant's file states it."""

    layer: str | None
    what: str
    expected: object
    found: object
    holds: bool
    keys: tuple[str, ...] = ()


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
        _failure(variant, each) for variant in variants for each in statements[variant.id] if not each.holds
    )
    return Check(
        agrees=not failures,
        checked=sum(map(len, statements.values())),
        failures=failures,
        variants=tuple(statements),
    )


def _failure(variant: Variant, failed: Statement) -> Failure:
    """With the place where it is stated; what is not stated, as that the witnesses agree, is at the first line."""
    return Failure(
        variant=variant.id,
        layer=failed.layer,
        what=failed.what,
        expected=failed.expected,
        found=failed.found,
        file=variant.file,
        line=line_in(variant.path, *failed.keys) if variant.path else None,
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
        keys = ("stated", "total") if layer is None else ("stated", "layers", layer)
        yield Statement(layer, "stated", figure.text, found, judge(figure, found) == "agrees", keys)


def _expected(variant: Variant, expected: Expected, counted: Count) -> Iterator[Statement]:
    yield _equal(None, "input shape", expected.input, counted.input_shape, "input")
    yield _equal(None, "trainable", expected.total, counted.trainable, "total")
    yield _equal(None, "frozen", expected.frozen, counted.frozen, "frozen")
    for layer in counted.layers:
        if layer.name not in expected.layers:
            where = ("expected", "layers")
            yield Statement(layer.name, "layer", "none", "a layer that is not in [expected.layers]", False, where)
            continue
        wanted = expected.layers[layer.name]
        for what, stated, found in (
            ("output shape", wanted.output, layer.output_shape),
            ("trainable", wanted.trainable, layer.trainable),
            ("frozen", wanted.frozen, layer.frozen),
            *([("buffers", wanted.buffers, layer.buffers)] if wanted.buffers or layer.buffers else []),
        ):
            yield _equal(layer.name, what, stated, found, "layers", layer.name, what.partition(" ")[0])
    knobs = flatten(to_data(variant.spec))
    for knob, value in expected.knobs.items():
        yield _equal(None, knob, value, knobs[knob], "knobs", *knob.split("."))


def _forward_shapes(variant: Variant, counted: Count) -> Iterator[Statement]:
    from capsaudit.models.tracing import traced_shapes

    traced = traced_shapes(variant.spec)
    for layer in counted.layers:
        found = traced.get(layer.name)
        shapes = (layer.input_shape, layer.output_shape)
        yield _equal(layer.name, "shapes of a forward pass", shapes, found, "layers", layer.name)


def _equal(layer: str | None, what: str, expected: object, found: object, *keys: str) -> Statement:
    """`keys`: where it is stated below `[expected]`."""
    return Statement(layer, what, expected, found, expected == found, ("expected", *keys))
