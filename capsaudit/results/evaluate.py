"""What `evaluate` returns."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from capsaudit.knobs import KnobChange
from capsaudit.results.audit import Audit
from capsaudit.results.base import Result
from capsaudit.results.train import TestError

WeightsName = Literal["last", "chosen", "file"]


class EvaluatedWeights(Struct, frozen=True, kw_only=True):
    """Weights and what they got wrong. `epoch`: how many epochs they were trained; None of a file. `standard_error`: √(p(1 − p)/n) for n
    test images. `digit_error`: the share of digits that are not found; where two are overlaid, 1 minus the mean of hits.
    `reconstruction_error`: squared differences of pixels from 0 to 1, summed over an image, averaged over the images; None without a decoder.
    """

    name: WeightsName
    file: str
    epoch: int | None
    test_error: float
    standard_error: float
    digit_error: float
    reconstruction_error: float | None


class WeightReading(Struct, frozen=True, kw_only=True):
    """A way to read somebody's tensors, and its error on training images. `channels`: which ones are a capsule; `capsules`: their order in
    W; `axes`: those of W, the outermost in memory first; `epsilon`: what batch normalisation adds to the variance, None without one.
    `used`: whether the test error is by this reading.
    """

    channels: str
    capsules: str
    axes: str
    epsilon: float | None = None
    error: float
    used: bool


class Evaluation(Result, frozen=True, kw_only=True):
    """The test error of a run or of a file of weights. `run`: the folder or the file. `variant`: the trained one, or the closest to what is
    in the file; `changes`: what differs from it. `test_error`: of a file, `last` is that of its weights. `standard_error`: of the chosen
    weights, or else of the last ones; so is `confusion`, images by their digit (rows) and by the digit found, which is None where two
    digits are overlaid. `foreign`: the file was not written by capsaudit, and its tensors were brought into capsaudit's module; then
    `readings` has the ways to read them, judged on so many `reading_images` of the training images, `assumed` the knobs that a file does
    not show, and `left_out` the tensors without a part in the variant. `pixels`: of an image, over all its channels. `audit`: what `audit` says of
    the file, of a run that of its last weights; `model`: what it says of the code that somebody's weights belong to, compared with the network
    that they are evaluated in, None where it was not named.
    """

    run: str
    variant: str
    changes: tuple[KnobChange, ...] = ()
    parameters: int
    audit: Audit
    model: Audit | None = None
    epochs: int | None
    data: str
    images: Literal["digits", "multimnist"]
    test_images: int
    test_error: TestError
    standard_error: float
    weights: tuple[EvaluatedWeights, ...]
    confusion: tuple[tuple[int, ...], ...] | None
    pixels: int
    foreign: bool = False
    readings: tuple[WeightReading, ...] = ()
    reading_images: int = 0
    assumed: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
