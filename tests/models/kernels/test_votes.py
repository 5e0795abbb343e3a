"""Every use of the predictions û in factored form, against û itself."""

import pytest
import torch
from torch import Tensor

from capsaudit.models.kernels.votes import Votes, VotesGradient

BATCH, CLASSES, IN, OUT = 3, 4, 5, 2
GRIDS = [pytest.param((1, 6), id="a W each"), pytest.param((2, 3), id="a W for two"), pytest.param((6, 1), id="one W")]


class Explicit:
    """û [batch, capsule, class, dim out], formed."""

    def __init__(self, places: int, matrices: int) -> None:
        torch.manual_seed(0)
        self.capsules = torch.randn(BATCH, places * matrices, IN, dtype=torch.float64, requires_grad=True)
        self.weight = torch.randn(matrices, CLASSES, IN, OUT, dtype=torch.float64, requires_grad=True)
        grouped = self.capsules.reshape(BATCH, places, matrices, IN)
        self.votes = torch.einsum("bpmd,mcde->bpmce", grouped, self.weight).flatten(1, 2)
        self.factored = Votes(self.capsules.detach(), self.weight.detach())
        self.coefficients = torch.rand(CLASSES, BATCH, places, matrices, dtype=torch.float64)
        self.vectors = torch.randn(CLASSES, BATCH, OUT, dtype=torch.float64)

    @property
    def by_capsule(self) -> Tensor:
        """The coefficients as [batch, capsule, class]."""
        return self.coefficients.flatten(2).permute(1, 2, 0)


@pytest.mark.parametrize("grid", GRIDS)
def test_weighted_sums_of_the_predictions(grid: tuple[int, int]) -> None:
    """Σ_i c_ij û_j|i."""
    each = Explicit(*grid)
    found = each.factored.product(each.factored.weigh(each.coefficients))
    torch.testing.assert_close(found, torch.einsum("bic,bicd->cbd", each.by_capsule, each.votes.detach()))


@pytest.mark.parametrize("grid", GRIDS)
def test_uniform_sums_of_the_predictions(grid: tuple[int, int]) -> None:
    each = Explicit(*grid)
    torch.testing.assert_close(each.factored.uniform_sums(), each.votes.detach().sum(1).transpose(0, 1))


@pytest.mark.parametrize("grid", GRIDS)
def test_agreement_of_the_predictions_with_vectors(grid: tuple[int, int]) -> None:
    """û_j|i · v_j."""
    each = Explicit(*grid)
    found = each.factored.agreement(each.factored.lift(each.vectors))
    expected = torch.einsum("bicd,cbd->cbi", each.votes.detach(), each.vectors)
    torch.testing.assert_close(found.flatten(2), expected)


@pytest.mark.parametrize("grid", GRIDS)
def test_parameters_of_pairs_are_spread_over_the_images_and_their_gradient_gathered(grid: tuple[int, int]) -> None:
    each = Explicit(*grid)
    pairs = torch.randn(grid[0] * grid[1], CLASSES, dtype=torch.float64)
    spread = each.factored.per_pair(pairs)
    assert spread.shape == each.coefficients.shape
    for image in range(BATCH):
        torch.testing.assert_close(spread[:, image].flatten(1).t(), pairs)
    torch.testing.assert_close(each.factored.to_pairs(spread), BATCH * pairs)


@pytest.mark.parametrize("grid", GRIDS)
def test_gradients_of_a_weighted_sum(grid: tuple[int, int]) -> None:
    """A gradient of û of the form c ⊗ v goes straight into u and W; a uniform one too."""
    each = Explicit(*grid)
    gradient = VotesGradient(each.factored)
    gradient.add(each.coefficients, each.vectors, each.factored.lift(each.vectors))
    gradient.add_uniform(0.25, each.vectors)
    loss = torch.einsum("bic,bicd,cbd->", each.by_capsule + 0.25, each.votes, each.vectors)
    d_capsules, d_weight = torch.autograd.grad(loss, (each.capsules, each.weight))
    torch.testing.assert_close(gradient.of_capsules(), d_capsules)
    torch.testing.assert_close(gradient.of_weight(), d_weight)


def test_the_gradient_of_w_goes_on_from_an_earlier_batch() -> None:
    each = Explicit(1, 6)
    once, twice = VotesGradient(each.factored), VotesGradient(each.factored)
    for gradient in (once, twice):
        gradient.add(each.coefficients, each.vectors, each.factored.lift(each.vectors))
    again = VotesGradient(each.factored, twice.d_w)
    again.add(each.coefficients, each.vectors, each.factored.lift(each.vectors))
    torch.testing.assert_close(again.of_weight(), 2 * once.of_weight())
