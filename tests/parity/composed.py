"""A capsule network put together from one choice for each stage, by the names that behaviour shows.

Its formulas are its own, so that a slip in the tables of `capsaudit/parity` is a disagreement. 12×12 images, 5 types of 8 at 2×2 places:
12 − 5 + 1 = 8; ⌊(8 − 5)/2⌋ + 1 = 2; 20 capsules. 10 classes of 16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise, permutations
from typing import NamedTuple

import torch
from torch import Tensor, nn

SIDE, CHANNELS, TYPES, PLACES, DIMENSION, CLASSES = 12, 8, 5, 4, 8, 10
CAPSULES = TYPES * PLACES

Function = Callable[[Tensor], Tensor]
Choices = Mapping[str, str]

ACTIVATIONS: dict[str, Function] = {
    "ReLU": lambda x: x.clamp(min=0),
    "no activation": lambda x: x,
    "leaky ReLU": lambda x: torch.where(x > 0, x, 0.01 * x),
    "ELU": lambda x: torch.where(x > 0, x, torch.exp(x) - 1),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "tanh": lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x)),
}


class Layout(NamedTuple):
    """From channels [batch, 40, 2, 2] to capsules [batch, 20, 8], and back."""

    cut: Function
    back: Function


LAYOUTS: dict[str, Layout] = {
    "channels of one place": Layout(
        lambda x: x.permute(0, 2, 3, 1).reshape(len(x), CAPSULES, 8),
        lambda u: u.reshape(len(u), 2, 2, 8 * TYPES).permute(0, 3, 1, 2),
    ),
    "channels of one place, taken at equal distances": Layout(
        lambda x: x.reshape(len(x), 8, CAPSULES).transpose(1, 2),
        lambda u: u.transpose(1, 2).reshape(len(u), 8 * TYPES, 2, 2),
    ),
    "neighbouring pixels of one channel": Layout(
        lambda x: x.contiguous().view(-1, CAPSULES, 8),
        lambda u: u.contiguous().view(-1, 8 * TYPES, 2, 2),
    ),
    "values at equal distances in channels-last memory": Layout(
        lambda x: x.permute(0, 2, 3, 1).reshape(len(x), 8, CAPSULES).transpose(1, 2),
        lambda u: u.transpose(1, 2).reshape(len(u), 2, 2, 8 * TYPES).permute(0, 3, 1, 2),
    ),
}


def _squash(s: Tensor, dim: int, softening: float = 1.0) -> Tensor:
    squared = (s * s).sum(dim, keepdim=True)
    return squared / (softening + squared) * _unit(s, dim)


def _exponential(s: Tensor, dim: int) -> Tensor:
    return (1 - 1 / torch.exp((s * s).sum(dim, keepdim=True).sqrt())) * _unit(s, dim)


def _unit(s: Tensor, dim: int) -> Tensor:
    """Of length 1, or 0: a ReLU makes some capsules zero."""
    return s / (s * s).sum(dim, keepdim=True).sqrt().clamp(min=1e-30)


SQUASHES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "eq. 1": _squash,
    "no squash": lambda s, _: s,
    "|s|²/(0.5 + |s|²) · s/|s|": lambda s, dim: _squash(s, dim, 0.5),
    "(1 − e^−|s|) · s/|s|": _exponential,
    "eq. 1 twice": lambda s, dim: _squash(_squash(s, dim), dim),
    "eq. 1 after a ReLU": lambda s, dim: _squash(s * (s > 0), dim),
}
OVER_WRONG_AXES = {name: SQUASHES[name] for name in ("eq. 1", "|s|²/(0.5 + |s|²) · s/|s|")}


def _over(function: Callable[[Tensor, int], Tensor], dim: int) -> Function:
    return lambda s: function(s, dim)


def _element_by_element(function: Callable[[Tensor, int], Tensor]) -> Function:
    return lambda s: function(s.unsqueeze(-1), -1).squeeze(-1)


def _within(layout: Layout, function: Function) -> Function:
    """Apply to the capsules that another layout would cut."""
    return lambda x: layout.back(function(layout.cut(x)))


def primary_squashes(chosen: str) -> dict[str, Function]:
    """What may become of channels [batch, 40, 2, 2], if they are cut by the layout `chosen`."""
    own = LAYOUTS[chosen]
    made = {name: _within(own, _over(squash, -1)) for name, squash in SQUASHES.items()}
    made[f"eq. 1 of s/{TYPES}"] = _within(own, lambda u: _squash(u / TYPES, -1))
    for name, squash in OVER_WRONG_AXES.items():
        made[f"{name}, over the {CAPSULES} capsules"] = _within(own, _over(squash, 1))
        made[f"{name}, element by element"] = _element_by_element(squash)
        for other in LAYOUTS.keys() - {chosen}:
            made[f"{name}, over {other}"] = _within(LAYOUTS[other], _over(squash, -1))
    return made


def class_squashes() -> dict[str, Function]:
    """Of sums s [batch, class, dimension]."""
    made = {name: _over(squash, -1) for name, squash in SQUASHES.items()}
    for name, squash in OVER_WRONG_AXES.items():
        made[f"{name}, over the {CLASSES} classes"] = _over(squash, 1)
        made[f"{name}, element by element"] = _element_by_element(squash)
    return made


def _softmax(b: Tensor, dim: int, rest: Tensor | None = None) -> Tensor:
    """`rest` is one more logit, of what is not returned."""
    highest = b.amax(dim, keepdim=True) if rest is None else b.amax(dim, keepdim=True).maximum(rest)
    raised = torch.exp(b - highest)
    return raised / (raised.sum(dim, keepdim=True) + (0 if rest is None else torch.exp(rest - highest)))


SOFTMAXES: dict[str, Function] = {
    "over the classes": lambda b: _softmax(b, 2),
    "over the inputs": lambda b: _softmax(b, 1),
    "over the classes and none of the above": lambda b: _softmax(b, 2, rest=torch.zeros(())),
    "over the batch": lambda b: _softmax(b, 0),
    "over a single value": lambda b: _softmax(b.unsqueeze(3), 3).squeeze(3),
}

AGREEMENTS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "added, each image by itself": lambda b, u, _, v: b + _products(u, v),
    "added, averaged over the batch": lambda b, u, _, v: b + (_products(u, v).sum(0) / len(u)).expand_as(b),
    "added, summed over the batch": lambda b, u, _, v: b + _products(u, v).sum(0).expand_as(b),
    "replaces the logits": lambda _, u, __, v: _products(u, v),
    "added, of s in place of v": lambda b, u, s, _: b + _products(u, s),
    "added, the cosine of û and v": lambda b, u, _, v: b + _products(_unit(u, 3), _unit(v, 2)),
}
"""The logits b of the next iteration, of the votes, the sums s and the capsules v of this one."""


def _products(u_hat: Tensor, v: Tensor) -> Tensor:
    return (u_hat * v.unsqueeze(1)).sum(3)


ONE_HOT = "one-hot of the longest"

OUTPUTS: dict[str, Function] = {
    "lengths": lambda v: (v * v).sum(2).sqrt(),
    "squared lengths": lambda v: (v * v).sum(2),
    "softmax of the lengths": lambda v: _softmax((v * v).sum(2).sqrt(), 1),
    "softmax of the squared lengths": lambda v: _softmax((v * v).sum(2), 1),
    "log softmax of the lengths": lambda v: _softmax((v * v).sum(2).sqrt(), 1).log(),
    ONE_HOT: lambda v: torch.eye(CLASSES)[(v * v).sum(2).argmax(1)],
}

GIVEN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "masked by the target": lambda v, y: v * torch.eye(CLASSES)[y].unsqueeze(2),
    "masked by the prediction": lambda v, _: v * torch.eye(CLASSES)[(v * v).sum(2).argmax(1)].unsqueeze(2),
    "not masked": lambda v, _: v,
}

LAST = {name: ACTIVATIONS[name] for name in ("sigmoid", "no activation", "ReLU", "tanh")}


class Decoder(NamedTuple):
    """What it is given in training and in eval mode, and its activations."""

    training: str = "masked by the target"
    evaluation: str = "masked by the target"
    hidden: str = "ReLU"
    last: str = "sigmoid"


DECODERS: dict[str, Decoder] = {
    **{given: Decoder(given, given) for given in GIVEN},
    **{f"{one}; in eval mode {two}": Decoder(one, two) for one, two in permutations(GIVEN, 2)},
    **{
        f"{Decoder().training}, {name} between its layers": Decoder(hidden=name)
        for name in ACTIVATIONS
        if name != "ReLU"
    },
    **{f"{Decoder().training}, {name} at its end": Decoder(last=name) for name in LAST if name != "sigmoid"},
}


class Passes(NamedTuple):
    """What the gradient passes through before the last iteration: û in the sums, û in the agreement, v in the agreement."""

    sums: bool
    votes: bool
    capsules: bool


GRADIENTS: dict[str, Passes] = {
    "through all iterations": Passes(True, True, True),
    "through the last iteration": Passes(False, False, False),
    "through all iterations, but for û in the agreement": Passes(True, False, True),
    "through all iterations, but for v in the agreement": Passes(True, True, False),
}

ZERO, KEPT = "zero", "kept from call to call"

LAYOUT, PRIMARY, CLASS = "primary_caps.layout", "primary_caps.squash", "digit_caps.squash"

PAPER: Choices = {
    "conv1": "ReLU",
    LAYOUT: "channels of one place",
    PRIMARY: "eq. 1",
    "logits": ZERO,
    "softmax": "over the classes",
    "agreement": "added, each image by itself",
    "iterations": "3",
    CLASS: "eq. 1",
    "output": "lengths",
    "decoder": "masked by the target",
    "gradient": "through all iterations",
}


def alternatives(layout: str = PAPER[LAYOUT]) -> dict[str, list[str]]:
    """All choices of every stage but the paper's, of which that of the layout decides which squashes of the primary capsules there are."""
    every: dict[str, list[str]] = {
        "conv1": [*ACTIVATIONS],
        LAYOUT: [*LAYOUTS],
        PRIMARY: sorted(primary_squashes(layout)),
        "logits": [ZERO, KEPT],
        "softmax": [*SOFTMAXES],
        "agreement": [*AGREEMENTS],
        "iterations": ["1", "2", "3", "4"],
        CLASS: [*class_squashes()],
        "output": [*OUTPUTS],
        "decoder": [*DECODERS],
        "gradient": [*GRADIENTS],
    }
    return {stage: [name for name in names if name != PAPER[stage]] for stage, names in every.items()}


class Composed(nn.Module):
    """The paper's network but for these `choices`."""

    def __init__(self, choices: Choices) -> None:
        super().__init__()
        self.choices = {**PAPER, **choices}
        self.logits: Tensor | None = None
        self.conv1 = nn.Conv2d(1, CHANNELS, 5)
        self.primary = nn.Conv2d(CHANNELS, 8 * TYPES, 5, stride=2)
        self.W = nn.Parameter(torch.randn(CAPSULES, CLASSES, 8, 16))
        sizes = (CLASSES * 16, 24, 48, SIDE * SIDE)
        self.decoder = nn.ModuleList([nn.Linear(*pair) for pair in pairwise(sizes)])

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        u_hat = torch.einsum("njdk,bnd->bnjk", self.W, self.capsules(x))
        v = self.routed(u_hat)
        return OUTPUTS[self.choices["output"]](v), self.decoded(v, y)

    def capsules(self, x: Tensor) -> Tensor:
        layout = self.choices[LAYOUT]
        channels = self.primary(ACTIVATIONS[self.choices["conv1"]](self.conv1(x)))
        return LAYOUTS[layout].cut(primary_squashes(layout)[self.choices[PRIMARY]](channels))

    def routed(self, u_hat: Tensor) -> Tensor:
        softmax, update = SOFTMAXES[self.choices["softmax"]], AGREEMENTS[self.choices["agreement"]]
        squash = class_squashes()[self.choices[CLASS]]
        passes = GRADIENTS[self.choices["gradient"]]
        in_sum = u_hat if passes.sums else u_hat.detach()
        in_agreement = u_hat if passes.votes else u_hat.detach()
        b = torch.zeros(u_hat.shape[:3]) if self.logits is None else self.logits
        for _ in range(int(self.choices["iterations"]) - 1):
            s = (softmax(b).unsqueeze(3) * in_sum).sum(1)
            compared = (each if passes.capsules else each.detach() for each in (s, squash(s)))
            b = update(b.expand(u_hat.shape[:3]), in_agreement, *compared)
        self.logits = b.detach() if self.choices["logits"] == KEPT else None
        return squash((softmax(b).unsqueeze(3) * u_hat).sum(1))

    def decoded(self, v: Tensor, y: Tensor) -> Tensor:
        decoder = DECODERS[self.choices["decoder"]]
        hidden, last = ACTIVATIONS[decoder.hidden], LAST[decoder.last]
        given = GIVEN[decoder.training if self.training else decoder.evaluation](v, y)
        first, second, third = self.decoder
        return last(third(hidden(second(hidden(first(given.flatten(1)))))))
