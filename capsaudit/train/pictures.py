"""Pictures of a run: the loss curve, digits beside their reconstructions, and the effect of each dimension of a capsule."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from capsaudit.atomic_write import write_together
from capsaudit.errors import CapsauditError
from capsaudit.results import Run
from capsaudit.text import escaped
from capsaudit.train.smoke import Trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = 10
_STEPS = tuple(0.05 * step for step in range(-5, 6))
"""Sabour et al. 2017, figure 4: one dimension at a time is tweaked by intervals of 0.05 in the range [−0.25, 0.25]."""


def draw(trained: Trained, folder: Path) -> tuple[Path, ...]:
    """Write the pictures of a run; a network without a decoder has a loss curve only. Returns the paths.

    Raises:
        CapsauditError: the folder or a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CapsauditError(f"{folder}: pictures could not be written: {error.strerror}") from error
    name = trained.run.variant.replace("/", "_")
    figures = {folder / f"{name}-loss.svg": _loss_curve(trained.run)}
    if trained.model.decoder is not None:
        figures[folder / f"{name}-reconstructions.png"] = _reconstructions(trained)
        figures[folder / f"{name}-dimensions.png"] = _dimensions(trained)
    write_together({path: _drawn(figure, path.suffix) for path, figure in figures.items()})
    return tuple(figures)


def _loss_curve(run: Run) -> Figure:
    figure = _figure(6.4, 3.6)
    axes = figure.add_subplot()
    finite = [(step, loss) for step, loss in enumerate(run.losses, start=1) if loss is not None]
    axes.plot([step for step, _ in finite], [loss for _, loss in finite], color="#1f5fa8", linewidth=1.2)
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    axes.set_title(_title(run), fontsize=10, parse_math=False)
    axes.grid(alpha=0.3)
    return figure


def _title(run: Run) -> str:
    return f"{escaped(run.variant)}: {run.verdict}, accuracy {run.accuracy.before:.1%} → {run.accuracy.after:.1%}"


@torch.no_grad()
def _reconstructions(trained: Trained) -> Figure:
    batch = next(trained.test.one_pass())
    model = trained.model.eval()
    device = next(model.parameters()).device
    output = model(batch.images[:_SHOWN].to(device))
    found = output.scores.topk(batch.targets.shape[1], dim=1).indices
    figure = _figure(_SHOWN * 0.8, 2.2)
    for column, image in enumerate(batch.images[:_SHOWN]):
        predicted = ", ".join(map(str, sorted(found[column].tolist())))
        true = ", ".join(map(str, sorted(batch.targets[column].tolist())))
        _tile(figure, 2, _SHOWN, column + 1, image, true)
        _tile(figure, 2, _SHOWN, _SHOWN + column + 1, output.reconstruction[column], predicted)
    title = f"{escaped(trained.run.variant)}: held-out digits, and below them the reconstructions from their longest capsules"
    figure.suptitle(title, fontsize=9, parse_math=False)
    return figure


@torch.no_grad()
def _dimensions(trained: Trained) -> Figure:
    """A row for each dimension of the longest capsule of a held-out digit that was recognised."""
    batch = next(trained.test.one_pass())
    model = trained.model.eval()
    if model.decoder is None:
        raise TypeError("only a network with a decoder can show its dimensions")
    device = next(model.parameters()).device
    output = model(batch.images.to(device))
    chosen = output.scores.argmax(1)
    right = (chosen == batch.targets[:, 0].to(device)).nonzero().flatten()
    example = int(right[0]) if len(right) else 0
    capsules, digit = output.capsules[example], chosen[example]
    dimensions = capsules.shape[1]
    figure = _figure(len(_STEPS) * 0.6, dimensions * 0.6 + 0.5)
    for row in range(dimensions):
        tweaked = capsules.repeat(len(_STEPS), 1, 1)
        tweaked[:, digit, row] += torch.tensor(_STEPS, device=device)
        images = model.decoder.reconstruct(tweaked, digit.repeat(len(_STEPS)))
        for column, image in enumerate(images):
            label = f"{_STEPS[column]:+.2f}" if row == 0 else ""
            _tile(figure, dimensions, len(_STEPS), row * len(_STEPS) + column + 1, image, label)
    title = f"{escaped(trained.run.variant)}: each dimension of the capsule for {int(digit)}, varied"
    figure.suptitle(title, fontsize=9, parse_math=False)
    return figure


def _tile(figure: Figure, rows: int, columns: int, place: int, image: Tensor, label: str) -> None:
    axes = figure.add_subplot(rows, columns, place)
    axes.imshow(image.mean(0).clamp(0, 1).cpu().numpy(), cmap="gray", vmin=0, vmax=1)
    axes.set_title(label, fontsize=7, pad=2)
    axes.axis("off")


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
