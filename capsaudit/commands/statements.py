"""How statements are judged: one function for each kind of check. Each of them can fail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.catalogue.claims import Claim, ClaimsSource, Test, parse_shape
from capsaudit.errors import CapsauditError
from capsaudit.families import impossible, layers
from capsaudit.knobs import changed, known_knobs, to_data
from capsaudit.published import Figure, judge
from capsaudit.results import ClaimVerdict, Reason
from capsaudit.results.base import reason
from capsaudit.spec import Spec
from capsaudit.validation import faults_of, nearest

Judgement = tuple[ClaimVerdict, Reason]


class Context(Struct, frozen=True):
    """What statements are compared with. `torch`: whether losses may be computed."""

    sources: tuple[ClaimsSource, ...]
    catalogue: tuple[Variant, ...]
    torch: bool


def judge_statement(claim: Claim, test: Test, source: ClaimsSource, context: Context) -> Judgement:
    """The verdict on a statement.

    Raises:
        CapsauditError: the check names a claim or a knob that does not exist.
    """
    match test.kind:
        case "knobs":
            return _knobs(claim, test, context)
        case "layers":
            return _layers(test, source)
        case "loss":
            return _loss(test, context)
        case "no source":
            return _no_source(test, context)


def _knobs(claim: Claim, test: Test, context: Context) -> Judgement:
    """With the knobs set as the statement says, does the network of another claim still agree with its figure?"""
    against, figure, variant = _find(claim, test.against or "", context.sources)
    rows = layers(_changed(claim, test, variant))
    exact = sum(row.formula.value for row in rows if against.layer in (None, row.name))
    what = f"{against.layer} of {against.about}" if against.layer else against.about
    if judge(figure, exact) == "agrees":
        return "agrees", reason("knobs agree", what=what, exact=exact, claim=against.id, stated=figure.text)
    return "contradicted" if against.source == claim.source else "disagrees", reason(
        "knobs disagree",
        what=what,
        exact=exact,
        rounds_to=figure.round(exact),
        stated=figure.text,
        source=against.source,
        place=against.place,
    )


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
    rows = {row.layer: row for row in source.claims if row.figure and row.input and row.output}
    wrong = []
    for layer, kind in test.layers.items():
        row = rows.get(layer)
        if row is None or row.figure is None:
            return "not checkable", reason("no row", layer=layer)
        inputs, outputs = (math.prod(parse_shape(text or "")) for text in (row.input, row.output))
        connected = judge(row.figure, (inputs + 1) * outputs) == "agrees"
        if connected != (kind == "fully connected"):
            wrong.append(f"{layer} as ({inputs:,} + 1)·{outputs:,} = {row.figure.value:,}")
    if not wrong:
        return "agrees", reason("rows agree")
    return "contradicted", reason("rows are fully connected", rows=wrong)


def _loss(test: Test, context: Context) -> Judgement:
    """The stated loss and the one that the networks are trained with, on an example where they differ if they are not the same."""
    if not context.torch:
        return "not checkable", reason("torch needed")
    from capsaudit.commands.loss_statements import judge_margin_loss, judge_reconstruction_loss

    found = judge_reconstruction_loss(test) if test.loss == "reconstruction" else judge_margin_loss(test)
    return "disagrees" if found.code == "loss disagrees" else "agrees", found


def _no_source(test: Test, context: Context) -> Judgement:
    """Whether any value of a shipped variant comes from that source."""
    name = test.source or ""
    read = [
        (variant.id, knob, text)
        for variant in context.catalogue
        for knob, text in variant.sources.items()
        if name.lower() in text.lower()
    ]
    if not read:
        return "agrees", reason("no source", source=name)
    direct = [each for each in read if each[2].lower().startswith(name.lower())]
    variant, knob, text = (direct or read)[0]
    count = len({(knob, text) for _, knob, text in read})
    return "disagrees", reason("source", source=name, count=count, knob=knob, variant=variant, text=text)
