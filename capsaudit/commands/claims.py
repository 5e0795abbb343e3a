"""claims: every claim of every source, judged by counting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from msgspec import Struct

from capsaudit.arithmetic import LayerArithmetic, layers, sides, total
from capsaudit.catalogue import Variant
from capsaudit.catalogue.claims import Claim, ClaimsSource, parse_shape
from capsaudit.commands.count import count
from capsaudit.commands.statements import Court, judge
from capsaudit.knobs import NEUTRAL, changes
from capsaudit.published import Figure, parse_figure
from capsaudit.results import AGREES, CONTRADICTED, DISAGREES, MISATTRIBUTED, UNDECIDED, Claimed, Claims, Count
from capsaudit.spec import CapsNet, Spec, family
from capsaudit.witnesses import WITNESSES


class Judgement(Struct, frozen=True):
    """A verdict and its reason. `exact`: what the network comes to, where the claim is a figure."""

    verdict: str
    because: str
    exact: int | None = None
    true_of: tuple[str, ...] = ()


def claims(
    sources: Sequence[ClaimsSource],
    catalogue: Sequence[Variant],
    known: Sequence[ClaimsSource] = (),
    *,
    witnesses: Sequence[str] = WITNESSES,
) -> Claims:
    """Judge every claim of these sources. `known`: further sources, which claims may be held against.

    Raises:
        CapsauditError: a check names a claim or a knob that does not exist.
    """
    judges = _Judges(sources, catalogue, known, witnesses)
    return Claims(claims=tuple(judges.claimed(source, claim) for source in sources for claim in source.claims))


class _Judges:
    """What claims are judged by: the counts of the networks, the other variants, the other claims of the same source."""

    def __init__(
        self,
        sources: Sequence[ClaimsSource],
        catalogue: Sequence[Variant],
        known: Sequence[ClaimsSource],
        witnesses: Sequence[str],
    ) -> None:
        self._catalogue, self._witnesses = catalogue, witnesses
        self._counts: dict[str, Count] = {}
        self._court = Court(sources=(*sources, *known), catalogue=tuple(catalogue), torch="torch" in witnesses)

    def claimed(self, source: ClaimsSource, claim: Claim) -> Claimed:
        """The claim with its verdict."""
        found = self._judged(source, claim)
        return Claimed(
            id=claim.id,
            source=claim.source,
            place=claim.place,
            evidence=claim.evidence,
            statement=claim.statement,
            stated=", ".join(filter(None, (claim.stated, _shapes(claim)))) or None,
            about=claim.about,
            layer=claim.layer,
            verdict=found.verdict,
            exact=found.exact,
            true_of=found.true_of,
            because=found.because,
        )

    def _judged(self, source: ClaimsSource, claim: Claim) -> Judgement:
        variant = source.variants[claim.about]
        if claim.check is not None:
            verdict, because = judge(claim, claim.check, source, self._court)
            return Judgement(verdict, because)
        counted = self._count(variant)
        if counted.disagreements or any(layer.disagreements for layer in counted.layers):
            return Judgement(DISAGREES, "the witnesses differ about this network; see capsaudit count")
        wrong = tuple(_wrong_shapes(claim, variant.spec))
        figure = self._figure(source, claim, variant, counted) if claim.stated is not None else None
        if wrong:
            return Judgement(DISAGREES, "; ".join(wrong), figure.exact if figure else None)
        return figure or Judgement(AGREES, "the layer has these shapes")

    def _count(self, variant: Variant) -> Count:
        if variant.id not in self._counts:
            self._counts[variant.id] = count(variant, witnesses=self._witnesses)
        return self._counts[variant.id]

    def _figure(self, source: ClaimsSource, claim: Claim, variant: Variant, counted: Count) -> Judgement:
        figure = parse_figure(claim.stated or "")
        exact = next((row.trainable for row in counted.layers if row.name == claim.layer), counted.trainable)
        if claim.layer is None and (sum_of_rows := _sum_of_rows(source, claim)) not in (
            None,
            figure.digits * figure.unit,
        ):
            return Judgement(CONTRADICTED, f"the rows of the same source add up to {sum_of_rows:,}", exact)
        if not figure.agrees_with(exact):
            return self._of_another(claim, figure, variant, exact)
        printed_by = self._printed_by(figure, family(variant.spec)) if claim.layer is None else {}
        if len(printed_by) > 1:
            totals = _listed([f"{found:,} ({', '.join(names)})" for found, names in sorted(printed_by.items())])
            names = tuple(name for found in sorted(printed_by) for name in printed_by[found])
            return Judgement(
                UNDECIDED, f"true of {claim.about}, but {figure.text} is printed by {totals} alike", exact, names
            )
        row = next((row.formula for row in counted.layers if row.name == claim.layer), "the layers add up to it")
        return Judgement(AGREES, f"{row} = {exact:,}" if claim.layer else f"{row}: {exact:,}", exact, (claim.about,))

    def _of_another(self, claim: Claim, figure: Figure, variant: Variant, exact: int) -> Judgement:
        """A figure that its own network does not print: does another one?"""
        cut = f"; {figure.text} only when cut off instead of rounded" if figure.agrees_when_cut(exact) else ""
        own = f"{claim.about} has {exact:,}, which prints as {figure.prints(exact)}{cut}"
        others = [
            v for v in self._catalogue if (n := _quantity(v.spec, claim.layer)) is not None and figure.agrees_with(n)
        ]
        plainest = [v for v in others if v.parent not in {other.id for other in others}]
        if not plainest:
            return Judgement(DISAGREES, f"{own}; no shipped variant prints as {figure.text}", exact)
        true_of = _listed([f"{v.id} ({_quantity(v.spec, claim.layer):,}: {_difference(variant, v)})" for v in plainest])
        return Judgement(
            MISATTRIBUTED, f"{own}; {figure.text} is true of {true_of}", exact, tuple(v.id for v in plainest)
        )

    def _printed_by(self, figure: Figure, kind: str) -> dict[int, list[str]]:
        """The variants of a family that print as the figure, by total."""
        found: dict[int, list[str]] = {}
        for variant in self._catalogue:
            if family(variant.spec) == kind and figure.agrees_with(reached := total(variant.spec)):
                found.setdefault(reached, []).append(variant.id)
        return found


def _quantity(spec: Spec, layer: str | None) -> int | None:
    """The total, or the count of one layer; None where there is no such layer."""
    if layer is None:
        return total(spec)
    return next((row.formula.value for row in layers(spec) if row.name == layer), None)


def _difference(one: Variant, other: Variant) -> str:
    made = [change for change in changes(one.spec, other.spec) if change.knob not in NEUTRAL]
    return ", ".join(f"{change.knob} {change.before} → {change.after}" for change in made) or "the same network"


def _sum_of_rows(source: ClaimsSource, claim: Claim) -> int | None:
    """What the source's own rows about this network add up to; None where it does not give every layer exactly."""
    rows = {
        row.layer: parse_figure(row.stated)
        for row in source.claims
        if row.about == claim.about and row.layer is not None and row.stated is not None
    }
    every = {row.name for row in layers(source.variants[claim.about].spec)}
    exact = all(figure.unit == 1 for figure in rows.values())
    return sum(figure.digits for figure in rows.values()) if rows.keys() == every and exact else None


def _wrong_shapes(claim: Claim, spec: Spec) -> Iterator[str]:
    row = next((row for row in layers(spec) if row.name == claim.layer), None)
    if row is None:
        return
    tensor = next((tensor.shape for tensor in row.parameters if tensor.name == claim.tensor), None)
    for name, stated, exact in (
        ("input", claim.input, row.input_shape),
        ("output", claim.output, row.output_shape),
        (f"tensor {claim.tensor}", claim.shape, tensor or ()),
    ):
        if stated is not None and not _same_shape(parse_shape(stated), exact, _unflattened(row, spec)):
            yield f"stated {name} {stated}, and it is {'×'.join(map(str, exact))}"


def _same_shape(stated: tuple[int, ...], exact: tuple[int, ...], unflattened: Sequence[tuple[int, ...]]) -> bool:
    """The same sizes in any order, ones left out; a list of capsules or values may be stated as the grid that it comes from."""
    same_count = [shape for shape in unflattened if math.prod(shape) == math.prod(exact)]
    return any(_sizes(stated) == _sizes(shape) for shape in (exact, *same_count))


def _unflattened(row: LayerArithmetic, spec: Spec) -> list[tuple[int, ...]]:
    image = (spec.image.channels, spec.image.height, spec.image.width)
    if not isinstance(spec, CapsNet):
        return [image]
    height, width = list(sides(spec))[-1]
    primary = (spec.primary_caps.types, height, width, spec.primary_caps.dimension)
    classes = (spec.digit_caps.classes, spec.digit_caps.dimension)
    return [primary] if row.name in ("primary_caps", "digit_caps") else [classes, image]


def _sizes(shape: tuple[int, ...]) -> list[int]:
    return sorted(size for size in shape if size != 1)


def _shapes(claim: Claim) -> str | None:
    stated = (("input", claim.input), ("output", claim.output), (claim.tensor, claim.shape))
    return ", ".join(f"{name} {text}" for name, text in stated if text is not None) or None


def _listed(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
