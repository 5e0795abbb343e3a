"""Losses written in the ways people write them: each deviation from the paper's is named with its factor, and none is invented."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit.catalogue import load_all
from capsaudit.errors import CapsauditError
from capsaudit.inspection.module import inspect_module
from capsaudit.inventory import BehaviourLoss
from capsaudit.parity.behaviour import behaviour
from capsaudit.parity.loss.function import Named
from capsaudit.parity.loss.terms import MARGINS
from capsaudit.parity.loss.verdicts import loss_rows
from capsaudit.parity.prepare import call_of
from capsaudit.recognition.base import Match
from capsaudit.recognition.closest import closest
from capsaudit.train.losses import margin_loss, reconstruction_loss
from tests.parity.networks import FourConvolutions, LayerByLayer, OneForward
from tests.parity.test_calls import InLoss

PIXELS = 144
"""Of the examples' images, 12×12."""


def held(loss: Named, model: nn.Module | None = None) -> dict[str, BehaviourLoss]:
    module = model or OneForward()
    match = closest(inspect_module(module, "mine"), load_all())
    assert isinstance(match, Match)
    rows = loss_rows(loss, module, match.network, call_of(module, match.network))
    return {row.term: row for row in rows}


def hinges(lengths: Tensor, t: Tensor) -> Tensor:
    return t * F.relu(0.9 - lengths) ** 2 + 0.5 * (1 - t) * F.relu(lengths - 0.1) ** 2


# Without a deviation


def from_indices(lengths: Tensor, labels: Tensor) -> Tensor:
    return hinges(lengths, torch.eye(10)[labels]).sum(1).mean()


def from_one_hot(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return hinges(y_pred, y_true).sum(dim=1).sum()


def from_capsules(v: Tensor, target: Tensor, *, size_average: bool = True) -> Tensor:
    length = torch.sqrt((v**2).sum(dim=2))
    loss = hinges(length, F.one_hot(target, 10).float()).sum(1)
    return loss.mean() if size_average else loss.sum()


def keyword_only(*, output: Tensor, target: Tensor) -> Tensor:
    left = F.relu(0.9 - output, inplace=False) ** 2
    right = F.relu(output - 0.1) ** 2
    labels = torch.zeros(len(target), 10).scatter_(1, target.view(-1, 1), 1.0)
    return (labels * left + 0.5 * (1.0 - labels) * right).sum(1).mean()


def each_image(scores: Tensor, y: Tensor) -> Tensor:
    return hinges(scores, F.one_hot(y, 10)).sum(-1)


class CapsuleLoss(nn.Module):
    """The terms of a loss, made without arguments, its images as they are and its reconstructions as rows."""

    def forward(self, images: Tensor, labels: Tensor, classes: Tensor, reconstructions: Tensor) -> Tensor:
        margin = hinges(classes, labels).sum()
        difference = F.mse_loss(reconstructions, images.view(len(images), -1), reduction="sum")
        return (margin + 0.0005 * difference) / len(images)


def with_terms(output: tuple[Tensor, Tensor], labels: Tensor, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    lengths, made = output
    margin = from_indices(lengths, labels)
    reconstruction = ((made - images.flatten(1)) ** 2).sum(1).mean()
    return margin, reconstruction, margin + 0.0005 * reconstruction


def in_dict(data: Tensor, x: Tensor, target: Tensor, recon: Tensor) -> dict[str, Tensor]:
    """0.0005 · 144 = 0.072."""
    reconstruction = 0.072 * F.mse_loss(recon.view_as(data), data)
    return {"loss": from_indices(x, target) + reconstruction, "reconstruction": reconstruction}


def float32_alone(lengths: Tensor, labels: Tensor) -> Tensor:
    assert lengths.dtype == torch.float32
    return from_indices(lengths, labels)


PLAIN = [from_indices, from_one_hot, from_capsules, keyword_only, each_image, float32_alone, margin_loss]
WHOLE = [CapsuleLoss, with_terms, in_dict]


@pytest.mark.parametrize("loss", PLAIN)
def test_a_margin_loss_as_in_the_paper(loss: Named) -> None:
    rows = held(loss)
    assert (rows["margin"].verdict, rows["margin"].factor) == ("agrees", 1), rows["margin"]
    assert rows["margin"].error is not None
    assert rows["margin"].error < 1e-4
    assert rows["reconstruction"].verdict == "not seen"


@pytest.mark.parametrize(
    ("loss", "over"),
    [
        (from_indices, "averaged over the images"),
        (from_one_hot, "summed over the images"),
        (each_image, "summed over the images"),
    ],
)
def test_over_what_is_averaged_is_said(loss: Named, over: str) -> None:
    assert held(loss)["margin"].model == f"eq. 4, summed over the classes, {over}"


@pytest.mark.parametrize("loss", WHOLE)
def test_both_terms_as_in_the_paper(loss: Named) -> None:
    rows = held(loss)
    assert {term: row.verdict for term, row in rows.items()} == {"margin": "agrees", "reconstruction": "agrees"}, rows
    assert all(row.error is not None and row.error < 1e-6 and row.factor == 1 for row in rows.values())


def test_a_reconstruction_loss_alone() -> None:
    rows = held(reconstruction_loss)
    assert (rows["margin"].verdict, rows["reconstruction"].verdict) == ("not seen", "agrees")


# One deviation each


def margin(
    plus: float = 0.9, minus: float = 0.1, down: float = 0.5, power: int = 2, times: float = 1
) -> Callable[[Tensor, Tensor], Tensor]:
    def loss(lengths: Tensor, labels: Tensor) -> Tensor:
        t = F.one_hot(labels, 10)
        absent = down * (1 - t) * F.relu(lengths - minus) ** power
        return times * (t * F.relu(plus - lengths) ** power + absent).sum(1).mean()

    return loss


def of_softmax(lengths: Tensor, labels: Tensor) -> Tensor:
    return from_indices(lengths.softmax(dim=1), labels)


def of_softmax_not_squared(lengths: Tensor, labels: Tensor) -> Tensor:
    return margin(power=1)(lengths.softmax(dim=1), labels)


def of_squares(lengths: Tensor, labels: Tensor) -> Tensor:
    return from_indices(lengths**2, labels)


def averaged(lengths: Tensor, labels: Tensor) -> Tensor:
    return hinges(lengths, F.one_hot(labels, 10)).mean()


def of_softmax_with_others(lengths: Tensor, labels: Tensor) -> Tensor:
    return margin(plus=0.8, minus=0.05)(lengths.softmax(dim=1), labels)


def clamped(lengths: Tensor, labels: Tensor) -> Tensor:
    """It has no other values for lengths that there are."""
    return margin(down=1)(lengths.clamp(0, 1), labels)


def cross_entropy(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output, target)


def second_softmax(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.softmax(1), target)


def squared_error(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output, F.one_hot(target, 10).to(output))


def binary(output: Tensor, target: Tensor) -> Tensor:
    return F.binary_cross_entropy(output, target)


@pytest.mark.parametrize(
    ("loss", "model", "factor"),
    [
        (margin(power=1), "eq. 4, not squared, summed over the classes", None),
        (of_softmax, "eq. 4 of the softmax of the lengths, summed over the classes", None),
        (
            of_softmax_with_others,
            "eq. 4 of the softmax of the lengths, m⁺ = 0.8, m⁻ = 0.05, summed over the classes",
            None,
        ),
        (clamped, "eq. 4, λ = 1, summed over the classes", 1),
        (of_softmax_not_squared, "eq. 4 of the softmax of the lengths, not squared, summed over the classes", None),
        (of_squares, "eq. 4 of the squared lengths, summed over the classes", None),
        (averaged, "eq. 4, averaged over the classes", 0.1),
        (margin(down=1), "eq. 4, λ = 1, summed over the classes", 1),
        (margin(plus=0.95), "eq. 4, m⁺ = 0.95, summed over the classes", 1),
        (margin(plus=1, minus=0), "eq. 4, m⁺ = 1, m⁻ = 0, summed over the classes", 1),
        (margin(minus=0.125, down=0.25), "eq. 4, λ = 0.25, m⁻ = 0.125, summed over the classes", 1),
        (margin(plus=0.8, power=1), "eq. 4, not squared, m⁺ = 0.8, summed over the classes", None),
        (margin(times=0.3), "eq. 4, summed over the classes times 0.3", 0.3),
        (cross_entropy, "cross entropy of the lengths, summed over the classes", None),
        (second_softmax, "cross entropy of the softmax of the lengths, summed over the classes", None),
        (squared_error, "squared difference of the lengths from 1 and 0, averaged over the classes", None),
        (binary, "binary cross entropy of the lengths, averaged over the classes", None),
    ],
)
def test_a_deviation_of_the_margin_loss_is_named(loss: Named, model: str, factor: float | None) -> None:
    row = held(loss)["margin"]
    assert (row.verdict, row.model) == ("differs", f"{model}, averaged over the images")
    assert row.factor == (None if factor is None else pytest.approx(factor))
    assert row.error is not None
    assert row.error > 1e-3


def both(reconstruction: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    def loss(lengths: Tensor, labels: Tensor, images: Tensor, reconstruction_: Tensor) -> Tensor:
        return from_indices(lengths, labels) + reconstruction(reconstruction_.flatten(1), images.flatten(1))

    return loss


@pytest.mark.parametrize(
    ("reconstruction", "model", "factor", "because"),
    [
        (lambda r, x: 0.0005 * F.mse_loss(r, x), "0.0005 · mean of squared differences", 1 / PIXELS, "144 times too weak"),
        (lambda r, x: F.mse_loss(r, x), "1 · mean of squared differences", 1 / PIXELS / 0.0005, "13.89 times too strong"),
        (lambda r, x: 0.392 * F.mse_loss(r, x), "0.392 · mean of squared differences", 784 / PIXELS, "5.444 times"),
        (lambda r, x: 0.005 * ((r - x) ** 2).sum(1).mean(), "0.005 · sum of squared differences", 10, "10 times too strong"),
        (lambda r, x: 0.0005 * (r - x).abs().sum(1).mean(), "0.0005 · sum of absolute differences", None, "only this fits"),
        (lambda r, x: F.binary_cross_entropy(r, x), "1 · mean of binary cross entropies", None, "only this fits"),
        (lambda r, x: (r - x).norm(dim=1).mean(), "1 · sum of Euclidean distances", None, "only this fits"),
    ],
)  # fmt: skip
def test_a_deviation_of_the_reconstruction_loss_is_named(
    reconstruction: Callable[[Tensor, Tensor], Tensor], model: str, factor: float | None, because: str
) -> None:
    rows = held(both(reconstruction))
    row = rows["reconstruction"]
    assert rows["margin"].verdict == "agrees"
    assert (row.verdict, row.model) == ("differs", f"{model} of an image, averaged over the images")
    assert row.factor == (None if factor is None else pytest.approx(factor))
    assert because in row.because


def test_a_sum_beside_an_average_depends_on_the_batch() -> None:
    row = held(both(lambda made, images: 0.0005 * F.mse_loss(made, images, reduction="sum")))["reconstruction"]
    assert (row.verdict, row.factor) == ("differs", None)
    assert row.model == "0.0005 · sum of squared differences of an image, summed over the images"
    assert "depends on the number of images" in row.because


def test_one_term_that_nothing_explains_does_not_hide_the_other() -> None:
    rows = held(both(lambda made, images: ((made - images) ** 4).sum(1).mean()))
    assert (rows["margin"].verdict, rows["reconstruction"].verdict) == ("agrees", "undetermined")
    assert "nothing that is known fits; the nearest, " in rows["reconstruction"].because


def test_a_margin_loss_that_nothing_explains_is_not_guessed() -> None:
    row = held(lambda lengths, labels: margin(power=3)(lengths, labels))["margin"]
    assert (row.verdict, row.model, row.factor) == ("undetermined", None, None)
    assert "the nearest, eq. 4" in row.because


def failing(lengths: Tensor, labels: Tensor) -> Tensor:
    raise ZeroDivisionError(f"{len(lengths)} by {labels.dim() * 0}")


def textual(lengths: Tensor) -> str:
    return f"text of {len(lengths)}"


def infinite(lengths: Tensor) -> Tensor:
    return lengths.sum() / 0


# Methods of the model


class WithLoss(LayerByLayer):
    """The loss calls forward."""

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        output = self(images, labels)
        first = hinges(output["probabilities"], labels).sum(1).mean()
        return first + 0.0005 * F.mse_loss(output["images"], images.flatten(1))


class ScoresAlone(FourConvolutions):
    def criterion(self, v_norm: Tensor, y: Tensor) -> Tensor:
        return margin(down=1)(v_norm, y)


@pytest.mark.parametrize(("plus", "minus"), [(0.853, 0.147), (0.75, 0.25)])
@pytest.mark.parametrize("form", MARGINS)
def test_thresholds_between_points_of_the_grid_are_followed(form: str, plus: float, minus: float) -> None:
    """The grid has steps of 0.1, so that both are as far from it as can be."""

    def loss(lengths: Tensor, labels: Tensor) -> Tensor:
        present, absent = MARGINS[form](lengths, torch.eye(10, dtype=lengths.dtype)[labels], plus, minus)
        return (present + 0.5 * absent) / len(labels)

    assert f"{form}, m⁺ = {plus}, m⁻ = {minus}, " in str(held(loss)["margin"].model)


def test_a_method_that_calls_forward() -> None:
    """What its forward returns is known then."""
    rows = held("loss", WithLoss())
    assert (rows["margin"].verdict, rows["reconstruction"].verdict) == ("agrees", "differs")
    assert rows["reconstruction"].factor == pytest.approx(1 / PIXELS)


def test_a_method_that_runs_the_decoder() -> None:
    """Its margin loss has no part of the absent classes, and both are summed over the images."""
    rows = held("loss", InLoss())
    assert (rows["margin"].model, rows["margin"].verdict) == (
        "eq. 4, λ = 0, summed over the classes, summed over the images",
        "differs",
    )
    assert rows["reconstruction"].verdict == "agrees"


def test_a_method_on_lengths() -> None:
    rows = held("criterion", ScoresAlone())
    assert list(rows) == ["margin"]  # neither the model nor the loss has a reconstruction
    assert rows["margin"].model == "eq. 4, λ = 1, summed over the classes, averaged over the images"


def test_the_model_keeps_its_forward_and_the_random_state() -> None:
    model, state = WithLoss(), torch.get_rng_state()
    found = behaviour(model, inspect_module(model, "mine"), loss="loss")
    assert (found.verdict, len(found.loss)) == ("differs", 2)
    assert "the reconstruction loss does: “0.0005 · mean of squared differences" in found.because
    assert "forward" not in vars(model)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("los", "WithLoss has no method 'los'; did you mean 'loss'?"),
        (failing, "raised ZeroDivisionError: 11 by 0 (test_losses.py, line "),
        (lambda: torch.ones(()), "no parameter of it has the name of a known value"),
        (textual, "returned no number"),
        (infinite, "is not finite"),
        (3, "is a int; expected a function"),
    ],
)
def test_a_loss_that_cannot_be_called(loss: Named, words: str) -> None:
    with pytest.raises(CapsauditError) as raised:
        held(loss, WithLoss())
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("loss", "verdict"), [(lambda lengths: 0.0 * lengths.sum(), "not seen"), (from_indices, "agrees")]
)
def test_a_loss_without_any_term_was_not_compared(loss: Callable[..., Tensor], verdict: str) -> None:
    """A loss of one term alone agrees."""
    module = OneForward()
    found = behaviour(module, inspect_module(module, "mine"), loss=loss)
    assert {row.verdict for row in found.stages} == {"agrees"}
    assert found.verdict == verdict
    assert ("margin loss" in found.because) == (verdict == "not seen")
