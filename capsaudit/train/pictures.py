"""Pictures of a run: the loss curve, digits beside their reconstructions, and the effect of each dimension of a capsule.

What the decoder makes is drawn only where there is something to see.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from msgspec import Struct
from torch import Tensor

from capsaudit.atomic_write import write_together
from capsaudit.data.batches import Batch, Batches
from capsaudit.errors import CapsauditError
from capsaudit.models import Network
from capsaudit.models.fully_connected import Decoder
from capsaudit.results import Reason, Run, RunPicture
from capsaudit.results.base import reason
from capsaudit.results.train_smoke import PictureKind
from capsaudit.text import escaped
from capsaudit.train.smoke import Trained

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_EXPLAINED = 0.2
"""Reconstructions are drawn if they explain this share of the variance of held-out images. Below it, all are the same grey spot."""
LEAST_CHANGE = 0.3
"""The effect of the dimensions is drawn if one of them changes a pixel by this much, where 1 is the range from black to white."""

_SHOWN = 10
_STEPS = tuple(0.05 * step for step in range(-5, 6))
"""Sabour et al. 2017, figure 4: one dimension at a time is tweaked by intervals of 0.05 in the range [−0.25, 0.25]."""


class FullRun(Struct, frozen=True):
    """What pictures show of a full run: the loss of each step, and the test error of its last epoch."""

    variant: str
    steps: int
    losses: tuple[float, ...]
    test_error: float


class Subject(Struct, frozen=True):
    """A full run, with the model and the test images."""

    run: FullRun
    model: Network
    test: Batches


def draw(trained: Trained | Subject, folder: Path) -> tuple[RunPicture, ...]:
    """Write the pictures of a run; those of a decoder that has learnt too little are left out. Each is returned with its file or the reason.

    Raises:
        CapsauditError: the folder or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CapsauditError(f"{folder}: pictures could not be written: {error.strerror}") from error
    variant = trained.run.variant
    pictures, contents = [], {}
    for kind, made in _made(trained):
        path = folder / f"{variant.replace('/', '_')}-{kind}.{'svg' if kind == 'loss' else 'png'}"
        if isinstance(made, Reason):
            pictures.append(RunPicture(variant=variant, kind=kind, reasons=(made,)))
        else:
            pictures.append(RunPicture(variant=variant, kind=kind, file=str(path)))
            contents[path] = _drawn(made, path.suffix)
    write_together(contents)
    return tuple(pictures)


def _made(trained: Trained | Subject) -> Iterator[tuple[PictureKind, Figure | Reason]]:
    """The kinds of pictures that this network has, each as a figure or as the reason why there is nothing to see."""
    yield "loss", _loss_curve(trained.run)
    if (seen := _decoded(trained)) is not None:
        yield "reconstructions", _reconstructions(trained.run, seen)
        yield "dimensions", _dimensions(trained.run, seen)


class _Decoded(NamedTuple):
    """Held-out images, and what the network makes of them."""

    decoder: Decoder
    batch: Batch
    scores: Tensor
    capsules: Tensor
    reconstruction: Tensor

    @property
    def explained(self) -> float:
        """The share of the variance of digits that their reconstructions explain, from 0 to 1; 0 also where they are not finite."""
        wanted, made = self.batch.wanted[:, 0], self.decoder.reconstruct(self.capsules, self.batch.targets[:, 0])
        left = (made - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum()
        return max(0.0, float(1 - left))


@torch.no_grad()
def _decoded(trained: Trained | Subject) -> _Decoded | None:
    model = trained.model.eval()
    device = next(model.parameters()).device
    batch = Batch(*(tensor.to(device) for tensor in next(trained.test.one_pass())))
    scores, capsules, reconstruction = model(batch.images)
    if model.decoder is None or capsules is None or reconstruction is None:
        return None
    return _Decoded(model.decoder, batch, scores, capsules, reconstruction)


def _loss_curve(run: Run | FullRun) -> Figure:
    figure = _figure(6.4, 3.6)
    axes = figure.add_subplot()
    finite = [(step, loss) for step, loss in enumerate(run.losses, start=1) if loss is not None]
    axes.plot([step for step, _ in finite], [loss for _, loss in finite], color="#1f5fa8", linewidth=1.2)
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.set_title(_title(run), fontsize=10, parse_math=False)
    axes.grid(alpha=0.3)
    return figure


def _title(run: Run | FullRun) -> str:
    if isinstance(run, FullRun):
        return f"{escaped(run.variant)}: test error {run.test_error:.2%}"
    return f"{escaped(run.variant)}: {run.verdict}, accuracy {run.accuracy.before:.1%} → {run.accuracy.after:.1%}"


@torch.no_grad()
def _reconstructions(run: Run | FullRun, seen: _Decoded) -> Figure | Reason:
    explained, batch = seen.explained, seen.batch
    if explained < LEAST_EXPLAINED:
        return reason("explained too little", steps=run.steps, explained=explained, least=LEAST_EXPLAINED)
    found = seen.scores.topk(batch.targets.shape[1], dim=1).indices
    figure = _figure(_SHOWN * 0.8 + 1.2, 2.6)
    rows = figure.subplots(2, min(_SHOWN, len(batch.images)), squeeze=False)
    for column, (above, below) in enumerate(zip(*rows, strict=True)):
        _tile(above, batch.images[column], f"label {_classes(batch.targets[column])}")
        _tile(below, seen.reconstruction[column], f"found {_classes(found[column])}")
    _name_rows(rows, ("held-out image", "reconstruction"))
    how = f"reconstructions from the longest capsule, {explained:.0%} of the variance explained"
    figure.suptitle(f"{escaped(run.variant)}: {how}", fontsize=9, parse_math=False)
    return figure


@torch.no_grad()
def _dimensions(run: Run | FullRun, seen: _Decoded) -> Figure | Reason:
    """A row for each dimension of the longest capsule of a held-out digit that was recognised."""
    chosen = seen.scores.argmax(1)
    right = (chosen == seen.batch.targets[:, 0]).nonzero().flatten()
    example = int(right[0]) if len(right) else 0
    digit = int(chosen[example])
    images = _varied(seen.decoder, seen.capsules[example], digit)
    change = max(0.0, float((images.amax(1) - images.amin(1)).max()))
    if change < LEAST_CHANGE:
        return reason("changed too little", steps=run.steps, change=change, least=LEAST_CHANGE)
    figure = _figure(len(_STEPS) * 0.6 + 1, len(images) * 0.6 + 0.9)
    rows = figure.subplots(len(images), len(_STEPS), squeeze=False)
    for row, of_dimension in zip(rows, images, strict=True):
        for axes, step, image in zip(row, _STEPS, of_dimension, strict=True):
            _tile(axes, image, f"{step:+.2f}" if row[0] is rows[0][0] else "")
    _name_rows(rows, [f"dimension {number}" for number in range(1, len(images) + 1)])
    figure.supxlabel("what is added to the dimension, column by column", fontsize=8)
    figure.suptitle(
        f"{escaped(run.variant)}: each dimension of the capsule for {digit}, varied", fontsize=9, parse_math=False
    )
    return figure


def _varied(decoder: Decoder, capsules: Tensor, digit: int) -> Tensor:
    """What the decoder makes of a capsule with each dimension changed by each step, [dimensions, steps, channels, height, width]."""
    steps = torch.tensor(_STEPS, device=capsules.device)
    targets = torch.full((len(_STEPS),), digit, device=capsules.device)
    images = []
    for dimension in range(capsules.shape[1]):
        tweaked = capsules.repeat(len(_STEPS), 1, 1)
        tweaked[:, digit, dimension] += steps
        images.append(decoder.reconstruct(tweaked, targets))
    return torch.stack(images)


def _classes(classes: Tensor) -> str:
    return ", ".join(map(str, sorted(classes.tolist())))


def _tile(axes: Axes, image: Tensor, top: str) -> None:
    axes.imshow(image.mean(0).clamp(0, 1).cpu().numpy(), cmap="gray", vmin=0, vmax=1)
    axes.set_title(top, fontsize=7, pad=2)
    axes.set(xticks=[], yticks=[])


def _name_rows(rows: Iterable[Sequence[Axes]], names: Iterable[str]) -> None:
    for row, name in zip(rows, names, strict=True):
        row[0].set_ylabel(name, fontsize=7, rotation=0, ha="right", va="center")


def _figure(width: float, height: float) -> Figure:
    """A figure of its own, without pyplot's global state; the same input gives the same bytes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams["svg.hashsalt"] = "capsaudit"
    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def _drawn(figure: Figure, suffix: str) -> bytes:
    stream = io.BytesIO()
    metadata = {"Date": None} if suffix == ".svg" else {}
    figure.savefig(stream, format=suffix[1:], metadata=metadata)
    return stream.getvalue()
