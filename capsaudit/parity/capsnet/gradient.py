"""Which iterations of the routing the gradient of W passes through."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from capsaudit.inspection.modules.contents import tensors_within
from capsaudit.parity.capsnet.routing import Reading, Through, replayed
from capsaudit.parity.equations import OUTPUTS, votes
from capsaudit.parity.front import matrices_of
from capsaudit.parity.prepare import Run
from capsaudit.parity.record import TOLERANCE

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


def gradient_errors(run: Run, reading: Reading, output: str) -> Iterator[tuple[str, float]]:
    """The relative error of the gradient of W for each way to stop it: that of the sum of the squared scores, in which the order of axes means
    nothing. Nothing if the scores are not returned.
    """
    found = _models_own(run, reading, output)
    if found is None:
        return
    if not found.count_nonzero():
        yield NO_GRADIENT, 0.0
        return
    weight, predicted = _votes(run, reading)
    for name, through in GRADIENTS.items():
        v, _ = replayed(run, predicted, reading.names, through=through)
        (expected,) = torch.autograd.grad(OUTPUTS[output](v).square().sum(), weight, retain_graph=True)
        yield name, ((expected - found).abs().max() / found.abs().max()).item()


def _models_own(run: Run, reading: Reading, output: str) -> Tensor | None:
    """None if the scores are not returned."""
    weight = run.tensors["digit_caps"][0]
    weight.requires_grad_(True)
    wanted = OUTPUTS[output](reading.v)
    scores = next((each for each in tensors_within(run.returned()) if _is_same(each, wanted)), None)
    if scores is None:
        return None
    if not scores.requires_grad:
        return torch.zeros_like(weight)
    (found,) = torch.autograd.grad(scores.square().sum(), weight, allow_unused=True)
    return torch.zeros_like(weight) if found is None else found.double()


def _is_same(tensor: Tensor, wanted: Tensor) -> bool:
    """In any order: the order of axes is the model's own."""
    if tensor.numel() != wanted.numel() or not tensor.is_floating_point():
        return False
    return torch.allclose(tensor.detach().double().flatten().sort()[0], wanted.flatten().sort()[0], rtol=TOLERANCE)


def _votes(run: Run, reading: Reading) -> tuple[Tensor, Tensor]:
    """W as it is stored, and the votes of the reading as a function of it."""
    weight = run.weights["digit_caps"][0].clone().requires_grad_()
    with torch.enable_grad():
        made = (votes(reading.front.capsules, matrices) for matrices in matrices_of(weight, run.sizes))
        return weight, next(each for each in made if torch.equal(each, reading.front.votes))
