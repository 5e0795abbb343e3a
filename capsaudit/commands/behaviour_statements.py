"""What the built network is seen to do: values by name, each measured by running it with random weights and images."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit.families.capsnet import CapsNet
from capsaudit.models import Network, build
from capsaudit.models.network import Output
from capsaudit.spec import Data, Spec
from capsaudit.train.losses import present, reconstruction_loss

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda values: values,
    "ReLU": F.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
}
_RIGHT, _WRONG = 1, 2
"""Two classes, so that one capsule is the correct one and another is not."""
NOT_SEEN = "none of the known ones"


@cache
def behaviour_of(spec: Spec) -> Data:
    """How a capsule network of three or more classes behaves; the seed is fixed, so that the same network gives the same values."""
    if not isinstance(spec, CapsNet) or spec.digit_caps.classes <= _WRONG:
        return {}
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = build(spec, device="cpu")
        images = torch.rand(2, spec.image.channels, spec.image.height, spec.image.width)
        return {
            "activation of conv1": _activation(model, images),
            **_of_output(model, images),
            **_labels(model, images),
        }


def _activation(model: Network, images: Tensor) -> str:
    """The function that makes conv1's outputs of what its kernels and biases give."""
    conv1 = model.get_submodule("conv1")
    assert isinstance(conv1, nn.Conv2d)
    plain, found = F.conv2d(images, conv1.weight, conv1.bias, conv1.stride, conv1.padding), conv1(images)
    if plain.shape != found.shape:  # padding "same" of a convolution is not that of the library
        return NOT_SEEN
    names = (name for name, function in _ACTIVATIONS.items() if torch.allclose(function(plain), found, atol=1e-5))
    return next(names, NOT_SEEN)


def _of_output(model: Network, images: Tensor) -> Data:
    output = model(images)
    lengths = output.capsules is not None and torch.allclose(output.scores, output.capsules.norm(dim=-1), atol=1e-6)
    found: Data = {
        "output": "lengths of the capsules" if lengths else NOT_SEEN,
        "values of the output": output.scores.shape[1],
    }
    if model.decoder is not None and output.capsules is not None:
        found["capsules that the decoder sees in training"] = _seen_by_the_decoder(model, images)
        found["capsules that the reconstruction loss trains"] = _trained_by_reconstruction(model, output, images)
    return found


def _seen_by_the_decoder(model: Network, images: Tensor) -> str:
    """Which capsules change the reconstruction when they change: the correct one, others, or both."""
    assert model.decoder is not None
    right = torch.full((len(images),), _RIGHT)
    capsules = torch.rand(len(images), *model(images, right).capsules.shape[1:])
    before = model.decoder.reconstruct(capsules, right)
    changes = {}
    for place in (_RIGHT, _WRONG):
        other = capsules.clone()
        other[:, place] += 1
        changes[place] = not torch.equal(model.decoder.reconstruct(other, right), before)
    return {(True, False): "the correct one", (True, True): "all", (False, True): "others", (False, False): "none"}[
        changes[_RIGHT], changes[_WRONG]
    ]


def _trained_by_reconstruction(model: Network, output: Output, images: Tensor) -> str:
    """The capsules that the gradient of the reconstruction loss reaches."""
    assert model.decoder is not None
    assert output.capsules is not None
    right = torch.full((len(images),), _RIGHT)
    with torch.enable_grad():
        capsules = output.capsules.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(
            reconstruction_loss(model.decoder.reconstruct(capsules, right), images), capsules
        )
    reached = gradient.abs().sum((0, 2)).nonzero().flatten().tolist()
    return "the correct one" if reached == [_RIGHT] else "none" if not reached else "others"


def _labels(model: Network, images: Tensor) -> Data:
    """How training writes the label of a digit as ten values."""
    label = present(torch.tensor([[1]]), model(images).scores[:1])[0]
    return {
        "place of the capsule for digit 1, where labels start with 0": int(label.argmax()) + 1,
        "ones in a label": int((label == 1).sum()),
        "zeros in a label": int((label == 0).sum()),
    }
