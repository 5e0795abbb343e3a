"""Which iterations of the routing the gradient of W passes through."""

from __future__ import annotations

import torch
from torch import Tensor

from capsaudit.inspection.modules.contents import tensors_within
from capsaudit.parity.capsnet.front import matrices_of
from capsaudit.parity.capsnet.routing import Reading, Through, replayed
from capsaudit.parity.capsnet.stages import OUTPUTS, votes
from capsaudit.parity.prepare import Run
from capsaudit.parity.record import fitting

GRADIENTS = {
    "through all iterations": Through(),
    "through the last iteration": Through(sums=False, votes=False),
    "through all iterations, but for û in the agreement": Through(votes=False),
    "through all iterations, but for v in the agreement": Through(capsules=False),
}
"""The paper does not say whether the logits are a constant for the gradient."""

EARLIER = tuple(GRADIENTS)[:2]
"""Those that are not said to be a mistake."""

NO_GRADIENT = "none reaches W"


def gradient_in(run: Run, reading: Reading, output: str) -> list[str]:
    """The ways to stop the gradient that give the gradient of W that the model has: that of the sum of the squared scores, in which the
    order of axes means nothing.
    """
    weight = run.tensors["digit_caps"][0]
    found = _models_own(run, reading, output, weight)
    if found is None:
        return []
    if not found.count_nonzero():
        return [NO_GRADIENT]
    expected = {name: _expected(run, reading, output, name) for name in GRADIENTS}
    scale = found.square().mean().sqrt()
    return fitting({name: ((each - found).abs().max() / scale).item() for name, each in expected.items()})


def _models_own(run: Run, reading: Reading, output: str, weight: Tensor) -> Tensor | None:
    """None if the scores are not returned."""
    weight.requires_grad_(True)
    wanted = OUTPUTS[output](reading.v)
    scores = [each for each in tensors_within(run.returned()) if _is_same(each, wanted)]
    if not scores:
        return None
    if not scores[0].requires_grad:
        return torch.zeros_like(weight, dtype=torch.float64)
    (found,) = torch.autograd.grad(scores[0].square().sum(), weight, allow_unused=True)
    return torch.zeros_like(weight).double() if found is None else found.double()


def _is_same(tensor: Tensor, wanted: Tensor) -> bool:
    """In any order: the order of axes is the model's own."""
    if tensor.numel() != wanted.numel() or not tensor.is_floating_point():
        return False
    return torch.allclose(tensor.detach().double().flatten().sort()[0], wanted.flatten().sort()[0], rtol=1e-3)


def _expected(run: Run, reading: Reading, output: str, name: str) -> Tensor:
    """The gradient of W [as it is stored] with one way to stop it."""
    weight = run.weights["digit_caps"][0].clone().requires_grad_()
    with torch.enable_grad():
        predicted = next(
            made
            for matrices in matrices_of(weight, run.sizes)
            if torch.equal(made := votes(reading.front.capsules, matrices), reading.front.votes)
        )
        v, _ = replayed(run, predicted, reading.names, through=GRADIENTS[name])
        (found,) = torch.autograd.grad(OUTPUTS[output](v).square().sum(), weight)
    return found
