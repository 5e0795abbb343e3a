"""check: the gate for CI. Holds every count, shape and total of the variants against what was stated and worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.commands.count import count
from capsaudit.errors import CapsauditError
from capsaudit.knobs import flatten, to_data
from capsaudit.published import parse_figure
from capsaudit.results import Check, Count, Failure
from capsaudit.witnesses import WITNESSES


class Statement(Struct, frozen=True):
    """Something that must hold of a variant, and what was found instead of it, or the same."""

    layer: str | None
    what: str
    expected: object
    found: object
    holds: bool


def check(variants: Sequence[Variant], *, witnesses: Sequence[str] = WITNESSES) -> Check:
    """Check that every statement about these variants holds, and that the witnesses agree.

    With the torch witness each shape is also that of a real forward pass, on device meta.

    Raises:
        CapsauditError: nothing to check, in all or in one of the variants. Nothing checked is never a pass.
    """
    if not variants:
        raise CapsauditError("nothing to check: no variant was named and none is shipped")
    statements = {variant.id: tuple(_statements(variant, witnesses)) for variant in variants}
    failures = [
        Failure(variant=name, layer=said.layer, what=said.what, expected=said.expected, found=said.found)
        for name, found in statements.items()
        for said in found
        if not said.holds
    ]
    return Check(
        agrees=not failures,
        checked=sum(map(len, statements.values())),
        failures=tuple(failures),
        variants=tuple(statements),
    )


def _statements(variant: Variant, witnesses: Sequence[str]) -> Iterator[Statement]:
    must_agree = variant.stated is not None and variant.stated.must_agree
    if variant.expected is None and not must_agree:
        raise CapsauditError(f"{variant.id}: nothing to check: it has no [expected] and no [stated] that must agree")
    counted = count(variant, witnesses=witnesses)
    yield _witnesses_agree(counted)
    if must_agree:
        yield from _stated(variant, counted)
    if variant.expected is not None:
        yield from _expected(variant, counted)
    if "torch" in witnesses and counted.witnesses["torch"] is not None:
        yield from _forward_shapes(variant, counted)


def _witnesses_agree(counted: Count) -> Statement:
    differing = (*counted.disagreements, *(text for layer in counted.layers for text in layer.disagreements))
    return Statement(None, "witnesses", "agree", "; ".join(differing) or "agree", not differing)


def _stated(variant: Variant, counted: Count) -> Iterator[Statement]:
    if variant.stated is None:
        return
    totals = {layer.name: layer.trainable for layer in counted.layers}
    figures: list[tuple[str | None, str, int]] = [
        (name, figure, totals[name]) for name, figure in variant.stated.layers.items()
    ]
    if variant.stated.total is not None:
        figures.append((None, variant.stated.total, counted.trainable))
    for layer, figure, found in figures:
        yield Statement(layer, "stated", figure, found, parse_figure(figure).agrees_with(found))


def _expected(variant: Variant, counted: Count) -> Iterator[Statement]:
    expected = variant.expected
    if expected is None:
        return
    yield _equal(None, "input shape", expected.input, counted.input_shape)
    yield _equal(None, "trainable", expected.total, counted.trainable)
    yield _equal(None, "frozen", expected.frozen, counted.frozen)
    for layer in counted.layers:
        if layer.name not in expected.layers:
            yield Statement(layer.name, "layer", "none", "one that [expected.layers] does not name", False)
            continue
        wanted = expected.layers[layer.name]
        yield _equal(layer.name, "output shape", wanted.output, layer.output_shape)
        yield _equal(layer.name, "trainable", wanted.trainable, layer.trainable)
        yield _equal(layer.name, "frozen", wanted.frozen, layer.frozen)
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
