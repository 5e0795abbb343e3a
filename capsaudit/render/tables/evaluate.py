"""The evaluation of a run or of a file of weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from capsaudit.render.document import ABSENT, Cell, Column, Document, Grid, number, word
from capsaudit.render.tables.base import changes
from capsaudit.results import Audit, EvaluatedWeights, Evaluation, WeightReading

_MOST = 0.5
"""A larger error on training images is no sign of a network that was trained and is read as it was meant."""

_NAMES = {"last": "last", "chosen": "chosen by the validation error", "file": "of the file"}


def evaluate(result: Evaluation) -> Document:
    """The errors, how somebody's tensors were read, and which digits were taken for which."""
    error = result.test_error.last if result.test_error.chosen is None else result.test_error.chosen
    title = f"{result.run}: test error {_percent(error)} ± {_percent(result.standard_error)}"
    confusion = (_confusion(result.confusion),) if result.confusion else ()
    return Document(title=title, parts=(_errors(result), *_sentences(result), *_readings(result), *confusion))


def _errors(result: Evaluation) -> Grid:
    two = result.images == "multimnist"
    columns = [
        "weights",
        "epoch",
        "test error",
        "standard error",
        *(["digits missed"] if two else []),
        "reconstruction",
    ]
    return Grid(
        name="errors",
        columns=tuple(Column(name, right=name != "weights", wraps=name == "weights") for name in columns),
        rows=tuple(_row(weights, two=two) for weights in result.weights),
    )


def _row(weights: EvaluatedWeights, *, two: bool) -> tuple[Cell, ...]:
    shares = [weights.test_error, weights.standard_error, *([weights.digit_error] if two else [])]
    squared = weights.reconstruction_error
    return (
        word(_NAMES[weights.name]),
        number(weights.epoch),
        *(Cell(_percent(share), str(share)) for share in shares),
        Cell(ABSENT, None) if squared is None else Cell(f"{squared:,.2f}", str(squared)),
    )


def _sentences(result: Evaluation) -> Iterator[str]:
    changed = f", with {changes(result.changes)}" if result.changes else ""
    yield f"Network: {result.variant}{changed}; {result.parameters:,} parameters."
    yield _audited(result.audit)
    yield f"Data: {result.data}; {result.test_images:,} test images{_TWO if result.images == 'multimnist' else ''}."
    if any(weights.reconstruction_error is not None for weights in result.weights):
        yield (
            f"Reconstruction: squared differences of pixels from 0 to 1, summed over the {result.pixels:,} pixels of an image, averaged "
            "over the images; the decoder is given the capsule of the digit in the image."
        )
    if result.foreign:
        yield from _about_foreign(result)
    yield from result.notes


_TWO = (
    ", each two overlaid digits: the test error is the share of images in which not both are found, and digits missed is 1 minus "
    "the mean of hits"
)


def _audited(found: Audit) -> str:
    """The variant that the tensors are recognised as, their count, and the layers that have another one."""
    frozen = f" and {found.frozen:,} frozen" if found.frozen else ""
    counted = f"Audit of {Path(found.target).name}: {found.trainable:,} trainable{frozen} parameters"
    if found.closest is None:
        return f"{counted}; the tensors are not recognised as a network of any family."
    if found.has_its_tensors:
        return f"{counted}; the tensors are those of {found.closest}, layer by layer."
    differing = (f"{each.name} {number(each.difference, signed=True).text}" for each in found.layers if each.difference)
    difference = number(found.difference, signed=True).text
    layers = ", ".join(differing) or "none by its count"
    return (
        f"{counted}; closest to {found.closest} ({found.closest_total:,}), {difference}. Layers that differ: {layers}."
    )


def _about_foreign(result: Evaluation) -> Iterator[str]:
    yield (
        "The tensors of the file were brought into capsaudit's module of this network. The test error is that of this network with these "
        f"weights. {_about_the_code(result.model)}"
    )
    if result.assumed:
        yield f"Assumed as in {result.variant}, because a file does not show it: {', '.join(result.assumed)}."
    if result.left_out:
        yield f"Left out, because the network has no such tensors: {', '.join(result.left_out)}."


def _about_the_code(found: Audit | None) -> str:
    """Whether the code that the weights were trained with computes the same, as far as that was determined."""
    if found is None:
        return "The code that they were trained with was not run and may compute something else; --model TARGET compares it."
    behaviour = found.behaviour
    if behaviour is None:
        return f"What {found.target} computes was not determined."
    if behaviour.verdict == "agrees":
        return f"{found.target} computes the same as this network; {behaviour.because}."
    if behaviour.verdict == "differs":
        return f"It is not that of {found.target}, which computes something else: {behaviour.because}."
    return f"Whether {found.target} computes the same is not known ({behaviour.verdict}): {behaviour.because}."


def _readings(result: Evaluation) -> Iterator[Grid | str]:
    if not result.readings:
        return
    best = next(reading for reading in result.readings if reading.used)
    same = sum(reading.error == best.error for reading in result.readings) - 1
    yield (
        f"Shapes do not decide how the tensors are meant. The reading with the lowest error on the first {result.reading_images:,} training "
        "images was used; no test image had a part in it."
    )
    if same:
        yield f"{same} of the other readings gave the same error, so the training images did not decide between them."
    if best.error > _MOST:
        yield (
            f"Even this reading gets more than {_MOST:.0%} of these training images wrong: the weights are untrained, or the code that they "
            "were trained with computes what no reading does."
        )
    columns = (
        Column("channels of a capsule", wraps=True),
        Column("capsules in W by", wraps=True),
        Column("axes of W", wraps=True),
        *([Column("ε of batch normalisation", right=True)] if best.epsilon is not None else []),
        Column("error on training images", right=True),
        Column("used"),
    )
    yield Grid(name="readings", columns=columns, rows=tuple(map(_reading, result.readings)))


def _reading(reading: WeightReading) -> tuple[Cell, ...]:
    names = (reading.channels, reading.capsules, reading.axes)
    used = Cell("yes", "yes", "good") if reading.used else Cell("no", "no")
    epsilon = () if reading.epsilon is None else (word(f"{reading.epsilon:g}"),)
    return (*map(word, names), *epsilon, Cell(_percent(reading.error), str(reading.error)), used)


def _confusion(table: tuple[tuple[int, ...], ...]) -> Grid:
    """A row for each digit in the images, a column for each digit found."""
    columns = (Column("digit"), *(Column(f"found {digit}", right=True) for digit in range(len(table))))
    rows = tuple(
        (Cell(str(digit), digit), *(_count(count, right=digit == found) for found, count in enumerate(row)))
        for digit, row in enumerate(table)
    )
    return Grid(name="confusion", columns=columns, rows=rows)


def _count(count: int, *, right: bool) -> Cell:
    return number(count, tone="good" if right else "bad" if count else "")


def _percent(share: float) -> str:
    return f"{share:.2%}"
