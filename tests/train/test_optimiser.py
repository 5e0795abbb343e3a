"""Adam through views in the order of memory, and the rate that it is given."""

import pytest
import torch
from torch import nn

from capsaudit.train.optimiser import DECAY, DECAY_STEPS, FLOOR, WARM_UP_STEPS, Adam, rate_at
from capsaudit.train.plan import RATE


def test_adam_in_memory_order_is_adam() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 5, 3, 3)
    last = torch.nn.Parameter(weight.clone(memory_format=torch.channels_last))
    plain_weight = torch.nn.Parameter(weight.clone())
    ours, theirs = Adam([last], rate=0.1), torch.optim.Adam([plain_weight], lr=0.1)
    for step in range(50):
        theirs.param_groups[0]["lr"] = 0.1 * min(1, (step + 1) / 40) if step < 40 else 0.1 * 0.96 ** (step / 2000)
        for parameter, optimiser in ((last, ours), (plain_weight, theirs)):
            optimiser.zero_grad()
            (parameter.sin() * weight).sum().backward()
            optimiser.step()
    torch.testing.assert_close(last.detach(), plain_weight.detach())


def test_what_is_not_trained_or_has_no_gradient_stays_where_it_is() -> None:
    trained, frozen, untouched = (nn.Parameter(torch.ones(3)) for _ in range(3))
    frozen.requires_grad_(False)
    optimiser = Adam([trained, frozen, untouched], rate=0.1)
    trained.sum().backward()
    optimiser.step()
    assert (trained < 1).all()
    assert torch.equal(frozen, torch.ones(3))
    assert torch.equal(untouched, torch.ones(3))
    assert optimiser.steps == 1


def test_gradients_are_forgotten() -> None:
    parameter = nn.Parameter(torch.ones(3))
    optimiser = Adam([parameter])
    parameter.sum().backward()
    optimiser.zero_grad()
    assert parameter.grad is None


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, RATE / 40),  # the first of 40 steps up
        (19, RATE / 2),
        (39, RATE),
        (40, RATE * 0.96 ** (40 / 2000)),
        (2000, RATE * 0.96),
        (4000, RATE * 0.96**2),
        (10**7, 1e-6),  # the floor
    ],
)
def test_the_rate_rises_and_then_decays_as_the_released_code_has_it(step: int, rate: float) -> None:
    assert (RATE, DECAY, DECAY_STEPS, FLOOR, WARM_UP_STEPS) == (0.001, 0.96, 2000, 1e-6, 40)
    assert rate_at(step, RATE) == pytest.approx(rate, rel=1e-12)


def test_a_rate_of_zero_stays_zero() -> None:
    """The floor is no rate of its own."""
    assert [rate_at(step, 0.0) for step in (0, 50, 10**6)] == [0, 0, 0]
