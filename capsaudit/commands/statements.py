"""How statements are judged: one function for each kind of check. Each of them can fail."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import reduce

from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.catalogue.claims import Claim, ClaimsSource, Test, parse_shape
from capsaudit.commands.network_values import values_of
from capsaudit.errors import CapsauditError
from capsaudit.families import impossible, layers
from capsaudit.formula import parse_formula
from capsaudit.knobs import changed, flatten, known_knobs, to_data
from capsaudit.published import Figure, judge
from capsaudit.results import ClaimVerdict, Reason
from capsaudit.results.base import reason
from capsaudit.spec import Data, Spec, Value
from capsaudit.validation import faults_of, nearest

Judgement = tuple[ClaimVerdict, tuple[Reason, ...]]


class Context(Struct, frozen=True):
    """What statements are compared with. `torch`: whether networks may be run."""

    sources: tuple[ClaimsSource, ...]
    catalogue: tuple[Variant, ...]
    torch: bool


def judge_statement(claim: Claim, test: Test, source: ClaimsSource, context: Context) -> Judgement:
    """The verdict on a statement. It is `contradicted` where the source's own numbers or the paper say otherwise.

    Raises:
        CapsauditError: the check names a claim, a knob or a value that does not exist.
    """
    if test.kind in ("behaviour", "loss") and not context.torch:
        return "not checkable", (reason("torch needed"),)
    match test.kind:
        case "knobs":
            return _knobs(claim, test, context)
        case "layers":
            return _layers(test, source)
        case "values":
            return _values(claim, test, source.variants[claim.about])
        case "behaviour":
            return _behaviour(claim, test, source.variants[claim.about])
        case "arithmetic":
            return _arithmetic(claim, test, source.variants[claim.about])
        case "loss":
            return _loss(test, context)
        case "purpose":
            return _purpose(claim, test, context)
        case "source":
            return _source(test, context)


def _knobs(claim: Claim, test: Test, context: Context) -> Judgement:
    """With the knobs set as the statement says, does the network of another claim still agree with its figure?"""
    against, figure, variant = _find(claim, test.against or "", context.sources)
    rows = layers(_changed(claim, test, variant))
    exact = sum(row.formula.value for row in rows if against.layer in (None, row.name))
    what = f"{against.layer} of {against.about}" if against.layer else against.about
    if judge(figure, exact) == "agrees":
        return "agrees", (reason("knobs agree", what=what, exact=exact, claim=against.id, stated=figure.text),)
    why = reason(
        "knobs disagree",
        what=what,
        exact=exact,
        rounds_to=figure.round(exact),
        stated=figure.text,
        source=against.source,
        place=against.place,
    )
    verdict: ClaimVerdict = "contradicted" if against.source in (claim.source, _PAPER) else "disagrees"
    return verdict, (*_known_otherwise(test, variant), why)


def _known_otherwise(test: Test, variant: Variant) -> Iterator[Reason]:
    """What the sources of the network say of each knob that the statement has otherwise."""
    actual = flatten(to_data(variant.spec))
    for knob, value in test.knobs.items():
        if (text := variant.source(knob)) and actual.get(knob) != value:
            yield reason("known", text=text)


def _find(claim: Claim, name: str, sources: Sequence[ClaimsSource]) -> tuple[Claim, Figure, Variant]:
    known = {
        each.id: (each, each.figure, source.variants[each.about])
        for source in sources
        for each in source.claims
        if each.figure is not None
    }
    if name not in known:
        raise CapsauditError(
            f"{claim.id}: check.against is {name!r}, which is not a claim with a figure; {nearest(name, known)}"
        )
    return known[name]


def _changed(claim: Claim, test: Test, variant: Variant) -> Spec:
    data = to_data(variant.spec)
    for knob in test.knobs:
        if knob not in (known := known_knobs(data)):
            raise CapsauditError(f"{claim.id}: check.knobs: there is no knob {knob!r}; {nearest(knob, known)}")
    data = reduce(lambda data, item: changed(data, *item), test.knobs.items(), data)
    spec, faults = faults_of(data, type(variant.spec))
    if spec is None or (fault := impossible(spec)):
        message = "; ".join(f"{each.path} {each.message}" for each in faults) or fault
        raise CapsauditError(f"{claim.id}: check.knobs: {message}")
    return spec


def _layers(test: Test, source: ClaimsSource) -> Judgement:
    """Each layer's kind, inferred from the source's own row: (inputs + 1)·outputs is a weight from every input to every output."""
    connected: list[str] = []
    others: list[str] = []
    for layer, kind in test.layers.items():
        row = _row(layer, source)
        if row is None:
            return "not checkable", (reason("no row", layer=layer),)
        figure, inputs, outputs = row
        if judge(figure, (inputs + 1) * outputs) != "agrees":
            others += [layer] * (kind == "fully connected")
        elif kind != "fully connected":
            connected.append(f"{layer} as ({inputs:,} + 1)·{outputs:,} = {figure.value:,}")
    if not connected and not others:
        return "agrees", (reason("rows agree"),)
    why = (reason("rows are fully connected", rows=connected), reason("rows are not fully connected", layers=others))
    return "contradicted", tuple(each for each, wrong in zip(why, (connected, others), strict=True) if wrong)


def _row(layer: str, source: ClaimsSource) -> tuple[Figure, int, int] | None:
    """A layer's count, and the sizes of its input and output, as the source states them; None where one of them is missing."""
    claims = [claim for claim in source.claims if claim.layer == layer and claim.tensor is None]
    figure = next((claim.figure for claim in claims if claim.figure is not None), None)
    stated_in = next((claim.input for claim in claims if claim.input), None)
    stated_out = next((claim.output for claim in claims if claim.output), None)
    if figure is None or stated_in is None or stated_out is None:
        return None
    return figure, math.prod(parse_shape(stated_in)), math.prod(parse_shape(stated_out))


def _values(claim: Claim, test: Test, variant: Variant) -> Judgement:
    """Knobs, shapes and numbers of the network."""
    return _compared(claim, test, values_of(variant.spec), variant, otherwise="contradicted")


def _behaviour(claim: Claim, test: Test, variant: Variant) -> Judgement:
    """What the built network is seen to do."""
    from capsaudit.commands.behaviour_statements import behaviour_of

    return _compared(claim, test, behaviour_of(variant.spec), variant, otherwise="disagrees")


def _compared(claim: Claim, test: Test, found: Data, variant: Variant, *, otherwise: ClaimVerdict) -> Judgement:
    for name in test.values:
        _expect_value(claim, "values", name, found)
    wrong = {name: value for name, value in test.values.items() if not _same_value(value, found[name])}
    if not wrong:
        texts = dict.fromkeys(text for name in test.values if (text := variant.source(name)))
        return "agrees", (reason("values agree", values=test.values, sources=list(texts)),)
    return otherwise, tuple(_value_differs(name, value, found) for name, value in wrong.items())


def _expect_value(claim: Claim, where: str, name: str, known: Data) -> None:
    if name not in known:
        raise CapsauditError(f"{claim.id}: check.{where}: the network has no value {name!r}; {nearest(name, known)}")


def _same_value(stated: Value, found: Value) -> bool:
    """Shapes with their sizes in any order, ones left out; everything else exactly, so that true is not 1."""
    shapes = [parse_shape(text) if isinstance(text, str) else () for text in (stated, found)]
    if all(shapes):
        one, other = (sorted(size for size in shape if size != 1) for shape in shapes)
        return one == other
    return type(stated) is type(found) and bool(stated == found)


def _value_differs(name: str, stated: Value, found: Data) -> Reason:
    """What the value is, and which other number of the same layer is the one that is stated."""
    layer = name.partition(" ")[0].partition(".")[0]
    same = [other for other, value in found.items() if other.startswith(f"{layer}.") and _same_value(stated, value)]
    number = isinstance(stated, int) and not isinstance(stated, bool)
    return reason("value differs", name=name, found=found[name], stated=stated, same=same if number else [])


def _arithmetic(claim: Claim, test: Test, variant: Variant) -> Judgement:
    """The source's formula must come to its result, and so many times the result must be a number of the network."""
    found, name, stated = values_of(variant.spec), test.of or "", test.result or 0
    _expect_value(claim, "of", name, found)
    formula = parse_formula(test.formula or "")
    if formula.value != stated:
        return "contradicted", (reason("formula differs", formula=str(formula), exact=formula.value, stated=stated),)
    values = {"formula": str(formula), "exact": formula.value, "times": test.times, "name": name, "found": found[name]}
    agrees = formula.value * test.times == found[name]
    return "agrees" if agrees else "contradicted", (
        reason("product agrees" if agrees else "product differs", **values),
    )


def _loss(test: Test, context: Context) -> Judgement:
    """The stated loss and the one that the networks are trained with, on an example where they differ if they are not the same."""
    from capsaudit.commands.loss_statements import judge_margin_loss, judge_reconstruction_loss

    found = judge_reconstruction_loss(test) if test.loss == "reconstruction" else judge_margin_loss(test)
    if found.code != "loss disagrees":
        return "agrees", (found,)
    theirs = (each for each, check in _of_the_paper(context) if check.loss == test.loss)
    return "contradicted", (*map(_paper_says, theirs), found)


def _purpose(claim: Claim, test: Test, context: Context) -> Judgement:
    """What the paper says that a part of the loss is for, and an experiment, where one can tell."""
    theirs = [each for each in _of_the_paper(context) if each[1].kind == "purpose" and each[1].of == test.of]
    others = tuple(_paper_says(each) for each, check in theirs if check.purpose != test.purpose)
    served, why = _experiment(test, context)
    if served is not None:
        return "agrees" if served else "contradicted", (*(() if served else others), *why)
    if not theirs:
        return "not checkable", (reason("no purpose stated", of=test.of), *why)
    if claim.source == _PAPER:
        return "not checkable", why
    return "contradicted" if others else "agrees", others or tuple(_paper_says(each) for each, _ in theirs)


def _experiment(test: Test, context: Context) -> tuple[bool | None, tuple[Reason, ...]]:
    """Whether the purpose is served, and why; None where no experiment can tell."""
    if not context.torch:
        return None, (reason("torch needed"),)
    from capsaudit.commands.purpose_statements import EXPERIMENTS

    if test.of != "λ" or test.purpose not in EXPERIMENTS:
        return None, (reason("no experiment", purpose=test.purpose),)
    served, why = EXPERIMENTS[test.purpose]()
    return served, (why,)


_PAPER = "paper"
"""The source that describes the network first."""


def _of_the_paper(context: Context) -> Iterator[tuple[Claim, Test]]:
    for source in context.sources:
        if source.name == _PAPER:
            yield from ((claim, claim.check) for claim in source.claims if claim.check is not None)


def _paper_says(claim: Claim) -> Reason:
    return reason("the paper says", place=claim.place, statement=claim.statement)


def _source(test: Test, context: Context) -> Judgement:
    """Whether any value of a shipped variant comes from that source."""
    name = test.source or ""
    read = [
        (variant.id, knob, text)
        for variant in context.catalogue
        for knob, text in variant.sources.items()
        if name.lower() in text.lower()
    ]
    if not read:
        return "disagrees" if test.used else "agrees", (reason("no source", source=name),)
    direct = [each for each in read if each[2].lower().startswith(name.lower())]
    variant, knob, text = (direct or read)[0]
    count = len({(knob, text) for _, knob, text in read})
    found = reason("source", source=name, count=count, knob=knob, variant=variant, text=text)
    if test.used:
        return "agrees", (found,)
    return ("outdated", (reason("appeared later", source=name), found)) if test.appeared else ("disagrees", (found,))
