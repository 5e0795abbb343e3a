"""Adam through views in the order of memory, at the rate that it is given, and what it keeps."""

import torch
from torch import nn

from capsaudit.train.optimiser import Adam
from capsaudit.train.schedule import Schedule


def test_adam_in_memory_order_is_adam() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 5, 3, 3)
    last = torch.nn.Parameter(weight.clone(memory_format=torch.channels_last))
    plain_weight = torch.nn.Parameter(weight.clone())
    ours, theirs = Adam([last], Schedule(rate=0.1)), torch.optim.Adam([plain_weight], lr=0.1)
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
    optimiser = Adam([trained, frozen, untouched], Schedule(rate=0.1))
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


def test_what_it_keeps_is_restored_exactly() -> None:
    """Another optimiser that goes on from the same state takes the same steps; one that starts anew does not."""
    weights = torch.linspace(-1, 1, 2 * 3 * 2 * 2).view(2, 3, 2, 2)

    def moved(parameter: nn.Parameter, optimiser: Adam) -> None:
        optimiser.zero_grad()
        (parameter.sin() * weights).sum().backward()
        optimiser.step()

    first = nn.Parameter(weights.clone(memory_format=torch.channels_last))
    ours = Adam([first])
    for _ in range(3):
        moved(first, ours)
    second, third = (nn.Parameter(first.detach().clone()) for _ in range(2))
    theirs, anew = Adam([second]), Adam([third])
    theirs.restore([{name: tensor.clone() for name, tensor in kept.items()} for kept in ours.state()], steps=3)
    for parameter, optimiser in ((first, ours), (second, theirs), (third, anew)):
        moved(parameter, optimiser)
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
