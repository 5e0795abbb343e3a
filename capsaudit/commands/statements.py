"""How statements are judged: one function for each kind of check. Each of them can fail."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

from msgspec import Struct

from capsaudit.arithmetic import impossible, layers
from capsaudit.catalogue import Variant
from capsaudit.catalogue.claims import Claim, ClaimsSource, Test, parse_shape
from capsaudit.errors import CapsauditError
from capsaudit.knobs import changed, known_knobs, to_data
from capsaudit.published import parse_figure
from capsaudit.results import AGREES, CONTRADICTED, DISAGREES, UNDECIDED
from capsaudit.spec import Spec
from capsaudit.validation import faults_of, nearest

Verdict = tuple[str, str]
"""The verdict and its reason."""


class Court(Struct, frozen=True):
    """What statements are held against. `torch`: whether losses may be computed."""

    sources: tuple[ClaimsSource, ...]
    catalogue: tuple[Variant, ...]
    torch: bool


def judge(claim: Claim, test: Test, source: ClaimsSource, court: Court) -> Verdict:
    """The verdict on a statement.

    Raises:
        CapsauditError: the check names a claim or a knob that does not exist.
    """
    match test.kind:
        case "knobs":
            return _knobs(claim, test, court)
        case "layers":
            return _layers(test, source)
        case "loss":
            return _loss(test, court)
        case "no source":
            return _no_source(test, court)


def _knobs(claim: Claim, test: Test, court: Court) -> Verdict:
    """With the knobs set as the statement says, does the network of another figure still print as that figure?"""
    against, variant = _find(claim, test.against or "", court.sources)
    figure = parse_figure(against.stated or "")
    reached = sum(
        row.formula.value for row in layers(_turned(claim, test, variant)) if against.layer in (None, row.name)
    )
    what = f"{against.layer} of {against.about}" if against.layer else against.about
    if figure.agrees_with(reached):
        return AGREES, f"with it {what} has {reached:,}, and {against.id} states {figure.text}"
    verdict = CONTRADICTED if against.source == claim.source else DISAGREES
    return verdict, (
        f"with it {what} would have {reached:,} and print as {figure.prints(reached)}, "
        f"but the {against.source} states {figure.text} ({against.place})"
    )


def _find(claim: Claim, name: str, sources: Sequence[ClaimsSource]) -> tuple[Claim, Variant]:
    known = {
        each.id: (each, source.variants[each.about]) for source in sources for each in source.claims if each.stated
    }
    if name not in known:
        raise CapsauditError(
            f"{claim.id}: check.against is {name!r}, which is no claim of a figure; {nearest(name, known)}"
        )
    return known[name]


def _turned(claim: Claim, test: Test, variant: Variant) -> Spec:
    data = to_data(variant.spec)
    for knob in test.knobs:
        if knob not in (known := known_knobs(data)):
            raise CapsauditError(f"{claim.id}: check.knobs: there is no knob {knob!r}; {nearest(knob, known)}")
    data = reduce(lambda data, item: changed(data, *item), test.knobs.items(), data)
    spec, faults = faults_of(data, type(variant.spec))
    if spec is None or (fault := impossible(spec)):
        told = "; ".join(f"{each.path} {each.message}" for each in faults) or fault
        raise CapsauditError(f"{claim.id}: check.knobs: {told}")
    return spec


def _layers(test: Test, source: ClaimsSource) -> Verdict:
    """Each layer's kind, as the source's own row gives it away: (inputs + 1)·outputs is a weight from every input to every output."""
    rows = {row.layer: row for row in source.claims if row.stated and row.input and row.output}
    wrong = []
    for layer, kind in test.layers.items():
        if layer not in rows:
            return UNDECIDED, f"the source gives no row for {layer} with its input, output and count"
        inputs, outputs = (math.prod(parse_shape(text or "")) for text in (rows[layer].input, rows[layer].output))
        connected = parse_figure(rows[layer].stated or "").agrees_with((inputs + 1) * outputs)
        if connected != (kind == "fully connected"):
            wrong.append(f"{layer} as ({inputs:,} + 1)·{outputs:,} = {rows[layer].stated}")
    if not wrong:
        return AGREES, "the source's own rows count these layers so"
    return CONTRADICTED, f"the source's own rows count {' and '.join(wrong)}, which is a fully connected layer"


def _loss(test: Test, court: Court) -> Verdict:
    """The stated loss and the one that the networks are trained with, on an example that tells them apart."""
    if not court.torch:
        return UNDECIDED, "not judged: it takes torch, and only other witnesses were asked"
    from capsaudit.commands.loss_statements import margin_verdict, reconstruction_verdict

    return reconstruction_verdict(test) if test.loss == "reconstruction" else margin_verdict(test)


def _no_source(test: Test, court: Court) -> Verdict:
    """Whether any value of a shipped variant is read from that source."""
    name = test.source or ""
    read = [
        (variant.id, knob, text)
        for variant in court.catalogue
        for knob, text in variant.sources.items()
        if name.lower() in text.lower()
    ]
    if not read:
        return AGREES, f"no value of any shipped variant is read from the {name}"
    distinct = {(knob, text) for _, knob, text in read}
    direct = [each for each in read if each[2].lower().startswith(name.lower())]
    variant, knob, text = (direct or read)[0]
    return (
        DISAGREES,
        f"{len(distinct)} values of shipped variants are read from it, such as {knob} of {variant} ({text})",
    )
