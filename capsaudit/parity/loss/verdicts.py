"""The verdict on each term of a loss: what explains its values, beside the paper's."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from capsaudit.errors import CapsauditError
from capsaudit.inspection.modules.forward import Arguments, restored_random_state
from capsaudit.inventory import BehaviourLoss
from capsaudit.parity.arguments import described
from capsaudit.parity.calls import Call
from capsaudit.parity.loss.fits import Fit, margin_fits, pixel_fits
from capsaudit.parity.loss.function import Loss, Named, Values, losses
from capsaudit.parity.loss.probes import Probes, probes
from capsaudit.parity.loss.terms import MARGINS, RECONSTRUCTIONS
from capsaudit.parity.prepare import called_copy
from capsaudit.recognition.base import RecognisedNetwork
from capsaudit.train.losses import (
    DOWN_WEIGHT,
    M_MINUS,
    M_PLUS,
    RECONSTRUCTION_WEIGHT,
    margin_loss,
    reconstruction_loss,
)

_CALLS = 60
"""With how many known values each term is looked for: many more than the numbers that are fitted."""

_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-4}
"""The largest relative error of a term that fits."""

_MOST_ARRANGEMENTS = 3
"""How many ways to give a loss its arguments are held against the terms, of those that raise no error."""

_MARGIN, _PIXELS = next(iter(MARGINS)), next(iter(RECONSTRUCTIONS))
_SUM = "summed over the classes"
_THRESHOLDS, _PAPERS = ("λ", "m⁺", "m⁻"), (DOWN_WEIGHT, M_PLUS, M_MINUS)
_AVERAGED, _SUMMED = "averaged over the images", "summed over the images"


Term = Literal["margin", "reconstruction"]


class Pixels(NamedTuple):
    """What explains how a number of the loss changes with the image, and what it contributes where the lengths change."""

    fits: list[Fit]
    made: Tensor
    contributes: Tensor


def loss_rows(named: Named, module: nn.Module, network: RecognisedNetwork, call: Call) -> tuple[BehaviourLoss, ...]:
    """The terms of a loss beside the paper's. Copies of the module are called as `call` says.

    Raises:
        CapsauditError: there is no such loss, or it raised an error for all arguments that were tried.
    """
    tried: list[str] = []
    with restored_random_state():
        copied, output = called_copy(call, module, network.spec)
        for loss in losses(named, copied, call, output):
            found = []
            for wide in (True, False):
                try:
                    found.append(_held(loss, network, wide=wide))
                except CapsauditError as error:
                    tried += error.faults
                if found and _is_determined(found[-1]):
                    return found[-1]
            if found:
                return found[0]
    raise CapsauditError(f"the loss did not run: {'; '.join(dict.fromkeys(tried))}")


def _is_determined(rows: Sequence[BehaviourLoss]) -> bool:
    return any(row.model for row in rows) and all(row.verdict != "undetermined" for row in rows)


def _held(loss: Loss, network: RecognisedNetwork, *, wide: bool) -> tuple[BehaviourLoss, ...]:
    """By the first arguments with which each term is determined, else by those with which most are."""
    by_length, by_image = (
        probes(loss, network, wide=wide, **many) for many in ({"lengths": _CALLS}, {"images": _CALLS})
    )
    found: list[tuple[BehaviourLoss, ...]] = []
    faults: list[str] = []
    for arguments in itertools.islice(loss.arrangements(by_length.known[0]), _MOST_ARRANGEMENTS):
        try:
            rows = _Judged(loss, arguments, by_length, by_image).rows(has_decoder=_has_decoder(network))
        except CapsauditError as error:
            faults += error.faults
            continue
        if _is_determined(rows):
            return rows
        found.append(rows)
    if not found:
        raise CapsauditError(*faults)
    return max(found, key=lambda rows: sum(row.model is not None for row in rows))


def _has_decoder(network: RecognisedNetwork) -> bool:
    return "fc1" in network.layers


class _Judged:
    """A loss that was called in one way with all known values."""

    def __init__(self, loss: Loss, arguments: Arguments, by_length: Probes, by_image: Probes) -> None:
        self.loss, self.by_length, self.by_image = loss, by_length, by_image
        self.of_length = loss.values(arguments, by_length.known)
        self.of_image = loss.values(arguments, by_image.known)
        self.tolerance = _TOLERANCE[loss.dtype]
        for values in (self.of_length, self.of_image):
            if not all(each.isfinite().all() for each in values.numbers.values()):
                raise CapsauditError(f"{loss.name}({described(arguments)}) returned a number that is not finite")

    def rows(self, *, has_decoder: bool) -> tuple[BehaviourLoss, ...]:
        """The margin loss, and the reconstruction loss where the loss or the model has one. Of several numbers that are returned, one that
        has both terms comes first: it is the one that is minimised.
        """
        pixels = {name: self._pixels(name) for name in _changing(self.of_image, self.of_length)}
        margins = {name: self._margins(name, pixels.get(name)) for name in _changing(self.of_length, self.of_image)}
        of_margin = self._first(margins)
        margin = self._margin_row(of_margin, margins, pixels)
        fits = {name: each.fits for name, each in pixels.items()}
        of_pixels = of_margin if of_margin in fits and margin.model else self._first(fits)
        if of_pixels is None and not has_decoder:
            return (margin,)
        return margin, self._pixels_row(of_pixels, pixels, margin)

    def _first(self, fits: Mapping[str, Sequence[Fit]]) -> str | None:
        """The first number that some term explains, else the first."""
        explained = (name for name, each in fits.items() if each[0].error <= self.tolerance)
        return next(explained, next(iter(fits), None))

    def _pixels(self, name: str) -> Pixels:
        """The reconstruction is that which was given or, of a loss that runs the decoder itself, one that it computed."""
        pairs = [(self.by_image.made, self.by_length.made)]
        if len(self.of_image.recorded) == len(self.of_length.recorded):
            recorded = zip(self.of_image.recorded, self.of_length.recorded, strict=True)
            pairs += [pair for pair in recorded if all(each.isfinite().all() for each in pair)]
        found = []
        for made, also in pairs:
            fits = pixel_fits(self.of_image.numbers[name], made.double(), self.by_image.images)
            term = RECONSTRUCTIONS[fits[0].name](also.double(), self.by_length.images)
            found.append(Pixels(fits, made.double(), fits[0].weights[0] * term))
        return min(found, key=lambda each: each.fits[0].error)

    def _without_pixels(self, name: str, pixels: Pixels | None) -> tuple[Tensor, bool]:
        """A number of the loss without its reconstruction term; and whether an unknown constant stays in it."""
        values = self.of_length.numbers[name]
        if pixels is None:
            return values, False
        is_known = pixels.fits[0].error <= self.tolerance
        return (values - pixels.contributes if is_known else values), not is_known

    def _margins(self, name: str, pixels: Pixels | None) -> list[Fit]:
        values, constant = self._without_pixels(name, pixels)
        probes = self.by_length
        return margin_fits(values, probes.lengths, probes.present, constant=constant, tolerance=self.tolerance)

    def _margin_row(
        self, name: str | None, margins: Mapping[str, Sequence[Fit]], pixels: Mapping[str, Pixels]
    ) -> BehaviourLoss:
        reference = f"{_MARGIN}, {_SUM}"
        if name is None:
            return _not_seen("margin", reference, "the loss does not change with the lengths of the class capsules")
        values, constant = self._without_pixels(name, pixels.get(name))
        pairs = zip(self.by_length.lengths, self.by_length.present, strict=True)
        paper = torch.stack([margin_loss(*each) for each in pairs])
        error = min(_error(values, each, constant=constant) for each in (paper, paper * self.loss.batch))
        fit = _only(margins[name], self.tolerance)
        if fit is None:
            return _undetermined("margin", reference, error, margins[name], self.tolerance)
        classes, images, factor = self._over(fit.weights[0])
        deviations = [*_thresholds(fit), *([] if _is(factor, 1) else [classes])]
        if fit.name == _MARGIN and not deviations:
            return _agrees("margin", reference, f"{reference}, {images}", fit)
        return BehaviourLoss(
            term="margin",
            verdict="differs",
            reference=reference,
            model=", ".join([fit.name, *_thresholds(fit), classes, images]),
            factor=factor if fit.name == _MARGIN else None,
            error=error,
            because=_only_this(fit),
        )

    def _over(self, weight: float) -> tuple[str, str, float]:
        """What a term is summed and averaged over, in words, and how many times the sum over the classes it is."""
        batch, classes = self.loss.batch, self.loss.call.classes
        for over_images, images in ((_AVERAGED, 1), (_SUMMED, batch)):
            for over_classes, factor in ((_SUM, 1.0), ("averaged over the classes", 1 / classes)):
                if _is(weight * batch, factor * images):
                    return over_classes, over_images, factor
        return f"{_SUM} times {_number(weight * batch)}", _AVERAGED, weight * batch

    def _pixels_row(self, name: str | None, pixels: Mapping[str, Pixels], margin: BehaviourLoss) -> BehaviourLoss:
        reference = f"{_number(RECONSTRUCTION_WEIGHT)} · sum of {_PIXELS} of an image"
        if name is None:
            return _not_seen(
                "reconstruction", reference, "the loss does not change with the image or the reconstruction"
            )
        found, batch = pixels[name], self.loss.batch
        pairs = zip(found.made, self.by_image.images, strict=True)
        paper = torch.stack([reconstruction_loss(*each) for each in pairs])
        values = self.of_image.numbers[name]
        error = min(_error(values, each, constant=True) for each in (paper, paper * batch))
        fit = _only(found.fits, self.tolerance)
        if fit is None:
            return _undetermined("reconstruction", reference, error, found.fits, self.tolerance)
        own, factor, model = self._weighted(fit, found.made.shape[-1], (margin.model or "").endswith(_SUMMED))
        if fit.name == _PIXELS and _is(factor, 1) and (own or margin.model is None):
            return _agrees("reconstruction", reference, model, fit)
        because = f"{_number(1 / factor)} times too weak" if factor < 1 else f"{_number(factor)} times too strong"
        if not own:
            because = "the margin loss is not, so the weight of the reconstruction depends on the number of images"
        if fit.name != _PIXELS:
            because = _only_this(fit)
        return BehaviourLoss(
            term="reconstruction",
            verdict="differs",
            reference=reference,
            model=model,
            factor=factor if own and fit.name == _PIXELS else None,
            error=error,
            because=because,
        )

    def _weighted(self, fit: Fit, pixels: int, is_summed: bool) -> tuple[bool, float, str]:
        """Whether a reconstruction loss is summed or averaged over the images as the margin loss is, how many times the paper's it is, and
        what it is in words: the reading whose weight is the roundest number.
        """
        batch = self.loss.batch
        readings = []
        for over, images in sorted(
            ((_AVERAGED, batch), (_SUMMED, 1)), key=lambda each: (each[0] == _SUMMED) != is_summed
        ):
            for how, many in (("sum", 1), ("mean", pixels)):
                weight = fit.weights[0] * images * many
                words = f"{_number(weight)} · {how} of {fit.name} of an image, {over}"
                readings.append((_roundness(weight), (over == _SUMMED) == is_summed, weight / many, words))
        _, own, weight, words = min(readings, key=lambda each: each[0])
        return own, weight / RECONSTRUCTION_WEIGHT, words


def _roundness(number: float) -> tuple[int, bool]:
    """How many digits a number has, and whether they are none that people choose first; of less than four digits the fewest come first.

    >>> sorted([0.0035, 0.0005, 7.0, 1.0, 0.392], key=_roundness)
    [0.0005, 1.0, 7.0, 0.0035, 0.392]
    """
    digits = f"{abs(number):.4e}".partition("e")[0].replace(".", "").rstrip("0")
    return len(digits), digits not in ("1", "5")


def _thresholds(fit: Fit) -> list[str]:
    """Those of m⁺, m⁻ and λ that are not the paper's."""
    if fit.name not in MARGINS:
        return []
    present, absent = fit.weights
    if abs(present) < 1e-6 * abs(absent):
        return ["without the present class"]
    found = zip(fit.determined, _THRESHOLDS, (absent / present, fit.plus, fit.minus), _PAPERS, strict=True)
    return [f"{name} = {_number(value)}" for known, name, value, paper in found if known and not _is(value, paper)]


def _only_this(fit: Fit) -> str:
    only = f"only this fits at {_CALLS} known values"
    free = [name for name, known in zip(_THRESHOLDS, fit.determined, strict=True) if not known]
    return f"{only}, with more than one {' and '.join(free)}" if free else only


def _is(value: float, expected: float) -> bool:
    return math.isclose(value, expected, rel_tol=1e-3, abs_tol=1e-6)


def _number(value: float) -> str:
    return f"{round(value, 9) + 0.0:.4g}"


def _changing(values: Values, other: Values) -> list[str]:
    """The numbers that are not the same in all calls; those first that are not in the other calls either."""

    def changes(numbers: Mapping[str, Tensor], name: str) -> bool:
        return (
            name in numbers
            and (numbers[name].max() - numbers[name].min()).item() > 1e-9 * numbers[name].abs().max().item()
        )

    names = [name for name in values.numbers if changes(values.numbers, name)]
    return sorted(names, key=lambda name: not changes(other.numbers, name))


def _only(fits: Sequence[Fit], tolerance: float) -> Fit | None:
    """The one that fits, if there is no other."""
    return fits[0] if fits[0].error <= tolerance and len(_alike(fits, tolerance)) == 1 else None


def _alike(fits: Sequence[Fit], tolerance: float) -> list[Fit]:
    """Those that fit, and not much worse than the best."""
    return [fit for fit in fits if fit.error <= min(tolerance, max(100 * fits[0].error, 1e-9))]


def _error(values: Tensor, paper: Tensor, *, constant: bool) -> float:
    """The largest difference from the paper's values, relative to their standard deviation."""
    differences = values - paper
    centred = differences - differences.mean() if constant else differences
    return (centred.abs().max() / paper.std()).item()


def _agrees(term: Term, reference: str, model: str, fit: Fit) -> BehaviourLoss:
    return BehaviourLoss(
        term=term,
        verdict="agrees",
        reference=reference,
        model=model,
        factor=1.0,
        error=fit.error,
        because="the values are equal",
    )


def _not_seen(term: Term, reference: str, because: str) -> BehaviourLoss:
    return BehaviourLoss(
        term=term, verdict="not seen", reference=reference, model=None, factor=None, error=None, because=because
    )


def _undetermined(term: Term, reference: str, error: float, fits: Sequence[Fit], tolerance: float) -> BehaviourLoss:
    """Several fit alike, or none does."""
    alike = list(dict.fromkeys(fit.name for fit in _alike(fits, tolerance)))
    nearest = f"the nearest, {fits[0].name}, has a relative error of {fits[0].error:.2g}"
    return BehaviourLoss(
        term=term,
        verdict="undetermined",
        reference=reference,
        model=" or ".join(alike) or None,
        factor=None,
        error=error,
        because="several fit alike" if alike else f"nothing that is known fits; {nearest}",
    )
