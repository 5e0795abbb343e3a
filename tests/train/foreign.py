"""A trained network of 8×8 images, and its weights in the layouts of three other implementations, with a forward pass of its own."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from capsaudit import api

TYPES, PLACES, CLASSES, IN, OUT = 3, 4, 10, 4, 8
NET = f"""
extends = "paper"
summary = "a network of 8×8 images"
[image]
height = 8
width = 8
[conv1]
channels = 16
kernel = 3
[primary_caps]
types = {TYPES}
dimension = {IN}
kernel = 3
[digit_caps]
dimension = {OUT}
[decoder]
hidden = [16]
[sources]
image = "a test"
conv1 = "a test"
primary_caps = "a test"
digit_caps = "a test"
decoder = "a test"
"""

State = dict[str, Tensor]


def write_net(folder: Path, more: str = "") -> Path:
    """The file of the network: 8 − 3 + 1 = 6, ⌊(6 − 3)/2⌋ + 1 = 2, so 2·2 places of 3 capsules."""
    path = folder / "net.toml"
    path.write_text(NET + more)
    return path


def train_net(folder: Path, net: Path, **settings: object) -> Path:
    """A run of it on the digits of the package, which gets most of them right."""
    common = {"epochs": 5, "batch_size": 16, "learning_rate": 0.005, "threads": 1, "data": "digits", "shift": 0}
    api.train(net, output=folder / "run", **(common | settings))  # type: ignore[arg-type]
    return folder / "run"


def by_type(w: Tensor) -> Tensor:
    """Capsules numbered by place, then type, as by type, then place."""
    made: Tensor = w.unflatten(0, (PLACES, TYPES)).transpose(0, 1).flatten(0, 1)
    return made


def shared(own: State) -> State:
    """What all three have alike, under other names."""
    found = {f"first.{name}": own[f"conv1.{name}"] for name in ("weight", "bias")}
    for number in (1, 2):
        found |= {f"back.{number}.{name}": own[f"decoder.fc{number}.{name}"] for name in ("weight", "bias")}
    return found


def convolution_a_dimension(own: State) -> State:
    """As many convolutions as a capsule has dimensions; W as [class, capsule, dimension in, dimension out]."""
    made = shared(own) | {"w": by_type(own["digit_caps.weight"]).transpose(0, 1)}
    for name in ("weight", "bias"):
        for d in range(IN):
            made[f"caps.{d}.{name}"] = own[f"primary_caps.{name}"].unflatten(0, (TYPES, IN))[:, d]
    return _whole(made)


def one_convolution(own: State) -> State:
    """One convolution; W as [1, capsule, class, dimension out, dimension in]."""
    primary = {f"caps.{name}": own[f"primary_caps.{name}"] for name in ("weight", "bias")}
    return _whole(shared(own) | primary | {"w": by_type(own["digit_caps.weight"]).transpose(2, 3).unsqueeze(0)})


def convolution_a_type(own: State) -> State:
    """A convolution for each type; W as [capsule, dimension in, class and dimension out], capsules by place."""
    made = shared(own) | {"w": own["digit_caps.weight"].transpose(1, 2).flatten(2)}
    for name in ("weight", "bias"):
        for t in range(TYPES):
            made[f"caps.{t}.{name}"] = own[f"primary_caps.{name}"].unflatten(0, (TYPES, IN))[t]
    return _whole(made)


LAYOUTS = {each.__name__: each for each in (convolution_a_dimension, one_convolution, convolution_a_type)}


def found_by_another_program(state: State, images: Tensor) -> Tensor:
    """The digits that `convolution_a_dimension` finds in images [batch, 1, 8, 8], as its author would have written it."""
    features = F.relu(F.conv2d(images, state["first.weight"], state["first.bias"]))
    caps = [
        F.conv2d(features, state[f"caps.{d}.weight"], state[f"caps.{d}.bias"], stride=2).flatten(1) for d in range(IN)
    ]
    u = _squashed(torch.stack(caps, dim=-1))
    votes = torch.einsum("bni,cnij->bncj", u, state["w"])
    logits = torch.zeros(len(images), TYPES * PLACES, CLASSES)
    for _ in range(3):
        v = _squashed((logits.softmax(2).unsqueeze(-1) * votes).sum(1))
        logits = logits + (votes * v.unsqueeze(1)).sum(-1)
    found: Tensor = v.norm(dim=-1).argmax(1)
    return found


def _squashed(s: Tensor) -> Tensor:
    square = (s**2).sum(-1, keepdim=True)
    made: Tensor = square / (1 + square) * s / (square.sqrt() + 1e-8)
    return made


def _whole(state: State) -> State:
    return {name: tensor.contiguous().clone() for name, tensor in state.items()}
