"""A trained Efficient-CapsNet of 8×8 images, its weights as other programs have them, and a forward pass that uses nothing of capsaudit."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from tests.train.foreign import State

TYPES, IN, CLASSES, CAPSULES, OUT = 4, 8, 10, 16, 16
NET = """
extends = "efficient-capsnet"
summary = "a network of 8×8 images"
[image]
height = 8
width = 8
[[layers]]
channels = 8
kernel = 3
stride = 1
bias = true
[[layers]]
channels = 32
kernel = 3
stride = 1
bias = true
[primary_caps]
kernel = 3
[sources]
image = "a test"
layers = "a test"
primary_caps = "a test"
"""


def write_net(folder: Path) -> Path:
    """The file of the network: 8 → 6 → 4 → 2, so 2·2 places of 32 channels, which are 4 capsules of 8 each."""
    path = folder / "efficient.toml"
    path.write_text(NET)
    return path


def as_others_name_it(own: State) -> State:
    """With the names of another program, and the counters of batches left out."""
    names = {"features.": "body.", "primary_caps.": "depthwise.", "digit_caps.weight": "W", "digit_caps.logits": "b"}
    made = {}
    for name, tensor in own.items():
        if not name.endswith("num_batches_tracked"):
            new = next(name.replace(old, other) for old, other in names.items() if name.startswith(old))
            made[new] = tensor.contiguous().clone()
    return made


def capsules_first(own: State) -> State:
    """W as [capsule, class, dimension in, dimension out] and the log priors as [capsule, class], as in Keras' order."""
    made = as_others_name_it(own)
    made["W"], made["b"] = made["W"].transpose(0, 1).contiguous(), made["b"].squeeze(2).T.contiguous()
    return made


def outputs_first(own: State) -> State:
    """W as [class, dimension out, dimension in, capsule]."""
    made = as_others_name_it(own)
    return made | {"W": made["W"].transpose(1, 3).contiguous()}


def at_equal_distances(own: State) -> State:
    """Channels c, c + 4, c + 8 … of a place are a capsule."""
    made = as_others_name_it(own)
    order = torch.arange(TYPES * IN).view(TYPES, IN).T.flatten()
    last = [name for name in made if name.startswith(("body.conv2", "body.bn2", "depthwise"))]
    return made | {name: made[name][order] for name in last}


def by_type(own: State) -> State:
    """Capsules numbered by type, then place; log priors as [1, class, capsule, 1]."""
    made = as_others_name_it(own)
    order = torch.arange(CAPSULES).view(-1, TYPES).T.flatten()
    return made | {"W": made["W"][:, order].contiguous(), "b": made["b"][:, order].unsqueeze(0).contiguous()}


def with_small_features(own: State, epsilon: float) -> State:
    """The same function with another ε: the features are so small that the least variance of a layer is a thousandth of ε."""
    made = as_others_name_it(own)
    for n in (1, 2):
        sums = made[f"body.bn{n}.running_var"] + 1e-3
        factor = 1.001 * epsilon / float(sums.min())
        made[f"body.bn{n}.running_var"] = sums * factor - epsilon
        for name in (f"body.conv{n}.weight", f"body.conv{n}.bias", f"body.bn{n}.running_mean"):
            made[name] = made[name] * factor**0.5
    return made


LAYOUTS = {
    each.__name__: each for each in (as_others_name_it, capsules_first, outputs_first, at_equal_distances, by_type)
}


def found_by_another_program(state: State, images: Tensor, epsilon: float = 1e-3) -> Tensor:
    """The digits that `as_others_name_it` finds in images [batch, 1, 8, 8], as its author would have written it."""
    x = images
    for n in (1, 2):
        x = F.relu(F.conv2d(x, state[f"body.conv{n}.weight"], state[f"body.conv{n}.bias"]))
        mean, variance, scale, shift = (
            state[f"body.bn{n}.{name}"].view(1, -1, 1, 1) for name in ("running_mean", "running_var", "weight", "bias")
        )
        x = (x - mean) / (variance + epsilon).sqrt() * scale + shift
    x = F.conv2d(x, state["depthwise.weight"], state["depthwise.bias"], groups=TYPES * IN)
    u = _squashed(x.permute(0, 2, 3, 1).reshape(len(x), CAPSULES, IN))
    votes = torch.einsum("bni,cnij->bcnj", u, state["W"])
    agreement = torch.einsum("bcnj,bcmj->bcn", votes, votes) / OUT**0.5
    coupling = agreement.softmax(1).unsqueeze(-1) + state["b"]
    found: Tensor = _squashed((coupling * votes).sum(2)).norm(dim=-1).argmax(1)
    return found


def _squashed(s: Tensor) -> Tensor:
    length = s.norm(dim=-1, keepdim=True)
    made: Tensor = (1 - torch.exp(-length)) * s / (length + 1e-20)
    return made


CODE = """
import torch
from torch import nn
from torch.nn import functional as F
def squash(s):
    n = s.norm(dim=-1, keepdim=True)
    return (1 - torch.exp(-n)) * s / (n + 1e-20)
class Net(nn.Module):
    softmax = 1
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 32, 3), nn.BatchNorm2d(32)
        self.depthwise = nn.Conv2d(32, 32, 3, groups=32)
        self.W, self.b = nn.Parameter(torch.randn(10, 16, 8, 16)), nn.Parameter(torch.zeros(10, 16, 1))
    def forward(self, x):
        x = self.bn2(F.relu(self.conv2(self.bn1(F.relu(self.conv1(x))))))
        u = squash(self.depthwise(x).permute(0, 2, 3, 1).reshape(len(x), 16, 8))
        votes = torch.einsum("bni,cnij->bcnj", u, self.W)
        a = torch.einsum("bcnj,bcmj->bcn", votes, votes) / 4
        c = a.softmax(self.softmax).unsqueeze(-1) + self.b
        return squash((c * votes).sum(2)).norm(dim=-1)
class OverInputs(Net):
    softmax = 2
class Wider(Net):
    def __init__(self):
        super().__init__()
        self.W = nn.Parameter(torch.randn(11, 16, 8, 16))
        self.b = nn.Parameter(torch.zeros(11, 16, 1))
"""
"""The program as a class, one whose softmax is over the inputs, and one with a class more."""
