"""claims: every claim of every source, judged by counting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Struct

from capsaudit.catalogue import Variant
from capsaudit.catalogue.claims import Claim, ClaimsSource, parse_shape
from capsaudit.commands.count import count, mismatch
from capsaudit.commands.statements import Context, judge_statement
from capsaudit.errors import CapsauditError
from capsaudit.families import family_of, layers, total
from capsaudit.knobs import counted_changes
from capsaudit.published import Figure, judge
from capsaudit.results import Claims, ClaimVerdict, Count, JudgedClaim, Reason
from capsaudit.results.base import reason
from capsaudit.spec import Spec
from capsaudit.witnesses import WITNESSES, expect_witnesses


class Judgement(Struct, frozen=True):
    """A verdict and its reasons. `exact`: what the network comes to, where the claim is a figure."""

    verdict: ClaimVerdict
    reasons: tuple[Reason, ...]
    exact: int | None = None
    also: tuple[str, ...] = ()
    true_of: tuple[str, ...] = ()


def claims(
    sources: Sequence[ClaimsSource],
    catalogue: Sequence[Variant],
    known: Sequence[ClaimsSource] = (),
    *,
    witnesses: Sequence[str] = WITNESSES,
) -> Claims:
    """Judge every claim of these sources. `known`: further sources whose claims may be compared with.

    Raises:
        CapsauditError: a check names a claim or a knob that does not exist, or no claim can be judged.
    """
    expect_witnesses(witnesses)
    judge_of = _Judge(sources, catalogue, known, witnesses)
    result = Claims(claims=tuple(judge_of.claim(source, claim) for source in sources for claim in source.claims))
    if all(claim.verdict == "not checkable" for claim in result.claims):
        raise CapsauditError("nothing was compared: no claim can be judged by these witnesses")
    return result


class _Judge:
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
        others = (each for each in known if each.name not in {source.name for source in sources})
        self._context = Context(sources=(*sources, *others), catalogue=tuple(catalogue), torch="torch" in witnesses)

    def claim(self, source: ClaimsSource, claim: Claim) -> JudgedClaim:
        """The claim with its verdict."""
        found = self._judge(source, claim)
        return JudgedClaim(
            id=claim.id,
            source=claim.source,
            place=claim.place,
            version=claim.version,
            grade=claim.grade,
            evidence=claim.evidence,
            statement=claim.statement,
            stated=", ".join(filter(None, (claim.stated, _shapes(claim)))) or None,
            about=claim.about,
            layer=claim.layer,
            verdict=found.verdict,
            exact=found.exact,
            also=found.also,
            true_of=found.true_of,
            reasons=found.reasons,
        )

    def _judge(self, source: ClaimsSource, claim: Claim) -> Judgement:
        variant = source.variants[claim.about]
        if claim.check is not None:
            verdict, why = judge_statement(claim, claim.check, source, self._context)
            return Judgement(verdict, why)
        counted = self._count(variant)
        if counted.all_disagreements:
            return Judgement("disagrees", counted.all_disagreements)
        wrong = tuple(_wrong_shapes(claim, variant.spec))
        figure = self._figure(source, claim, claim.figure, variant) if claim.figure is not None else None
        if wrong:
            return Judgement("disagrees", wrong, figure.exact if figure else None)
        return figure or Judgement("agrees", (reason("shapes agree", layer=claim.layer),))

    def _count(self, variant: Variant) -> Count:
        if variant.id not in self._counts:
            self._counts[variant.id] = count(variant, witnesses=self._witnesses)
        return self._counts[variant.id]

    def _figure(self, source: ClaimsSource, claim: Claim, figure: Figure, variant: Variant) -> Judgement:
        counted = self._count(variant)
        row = next((row for row in counted.layers if row.name == claim.layer), None)
        exact = row.trainable if row else counted.trainable
        rows = _sum_of_rows(source, claim) if claim.layer is None else None
        if rows is not None and judge(figure, rows) != "agrees":
            return Judgement("contradicted", (reason("rows add up", total=rows),), exact)
        if judge(figure, exact) != "agrees":
            return self._of_another(claim, figure, variant, exact)
        if row is not None:
            return Judgement(
                "agrees", (reason("formula", formula=row.formula, exact=exact),), exact, (), (claim.about,)
            )
        others = self._others(figure, variant)
        also = tuple(name for reached in sorted(others) for name in others[reached])
        same = [f"{found:,} ({', '.join(names)})" for found, names in sorted(others.items())]
        reasons = (reason("total", exact=exact), *([reason("also", stated=figure.text, totals=same)] if same else []))
        return Judgement("agrees", reasons, exact, also, (claim.about,))

    def _others(self, figure: Figure, variant: Variant) -> dict[int, list[str]]:
        """Other variants of the same family that agree with the figure, by total."""
        found: dict[int, list[str]] = {}
        for other in self._catalogue:
            reached = total(other.spec)
            related = family_of(other.spec) is family_of(variant.spec) and other.id != variant.id
            if related and judge(figure, reached) == "agrees":
                found.setdefault(reached, []).append(other.id)
        return found

    def _of_another(self, claim: Claim, figure: Figure, variant: Variant, exact: int) -> Judgement:
        """A figure that its own network does not agree with: does another one?"""
        own = mismatch(claim.layer or claim.about, figure, exact)
        if judge(figure, exact) == "approximate":
            return Judgement("approximate", own, exact)
        counts = [(other, _quantity(other.spec, claim.layer)) for other in self._catalogue]
        verdicts = {other.id: judge(figure, number) for other, number in counts if number is not None}
        wanted = next((v for v in ("agrees", "approximate") if v in verdicts.values()), None)
        others = [other for other in self._catalogue if wanted and verdicts.get(other.id) == wanted]
        plainest = [other for other in others if other.parent not in {each.id for each in others}]
        if not plainest:
            return Judgement("disagrees", (*own, reason("true of none", stated=figure.text)), exact)
        true_of = [
            {
                "variant": other.id,
                "exact": number,
                "changes": msgspec.to_builtins(counted_changes(variant.spec, other.spec)),
            }
            for other, number in counts
            if other in plainest
        ]
        why = reason("true of", stated=figure.text, variants=true_of, approximate=wanted == "approximate")
        return Judgement("misattributed", (why, *own), exact, true_of=tuple(other.id for other in plainest))


def _quantity(spec: Spec, layer: str | None) -> int | None:
    """The total, or the count of one layer; None where there is no such layer."""
    if layer is None:
        return total(spec)
    return next((row.formula.value for row in layers(spec) if row.name == layer), None)


def _sum_of_rows(source: ClaimsSource, claim: Claim) -> int | None:
    """What the source's own rows about this network add up to; None where it does not give every layer exactly."""
    rows = {
        row.layer: row.figure
        for row in source.claims
        if row.about == claim.about and row.layer is not None and row.figure is not None
    }
    every = {row.name for row in layers(source.variants[claim.about].spec)}
    exact = all(figure.unit == 1 for figure in rows.values())
    return sum(figure.value for figure in rows.values()) if rows.keys() == every and exact else None


def _wrong_shapes(claim: Claim, spec: Spec) -> Iterator[Reason]:
    row = next((row for row in layers(spec) if row.name == claim.layer), None)
    if row is None:
        return
    tensor = next((tensor.shape for tensor in row.parameters if tensor.name == claim.tensor), None)
    otherwise = family_of(spec).stated_shapes(spec, row)
    for name, stated, exact in (
        ("input", claim.input, row.input_shape),
        ("output", claim.output, row.output_shape),
        (f"tensor {claim.tensor}", claim.shape, tensor or ()),
    ):
        if stated is not None and not _same_shape(parse_shape(stated), exact, otherwise):
            yield reason("shape", what=name, stated=stated, exact=list(exact))


def _same_shape(stated: tuple[int, ...], exact: tuple[int, ...], otherwise: Sequence[tuple[int, ...]]) -> bool:
    """The same sizes in any order, ones left out; a list of capsules or values may be stated as the grid that it comes from."""
    same_count = [shape for shape in otherwise if math.prod(shape) == math.prod(exact)]
    return any(_sizes(stated) == _sizes(shape) for shape in (exact, *same_count))


def _sizes(shape: tuple[int, ...]) -> list[int]:
    return sorted(size for size in shape if size != 1)


def _shapes(claim: Claim) -> str | None:
    stated = (("input", claim.input), ("output", claim.output), (claim.tensor, claim.shape))
    return ", ".join(f"{name} {text}" for name, text in stated if text is not None) or None
