"""Models that are hard to count, small enough to count by hand."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Tied(nn.Module):
    """An embedding whose table is also the weight of the output layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.output = nn.Linear(3, 7, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Any:
        return self.output(self.embedding(x))


class TwoNames(nn.Module):
    """One module, registered twice and called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = self.first

    def forward(self, x: Tensor) -> Any:
        return self.second(self.first(x))


class RootSharesChild(nn.Module):
    """The root registers its child's weight, and two parameters of its own, one of them 0-dim."""

    def __init__(self) -> None:
        super().__init__()
        self.child = nn.Linear(4, 2)
        self.weight = self.child.weight
        self.bare = nn.Parameter(torch.ones(5))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Any:
        return self.child(x) * self.scale + self.bare.sum() + (x @ self.weight.T)


class Lists(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.listed = nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))])
        self.keyed = nn.ParameterDict({"a": nn.Parameter(torch.ones(4)), "b": self.listed[0]})


class PartlyFrozen(nn.Module):
    """A frozen layer, and one whose weight is frozen but not its bias."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(3, 2).requires_grad_(False)
        self.partly = nn.Linear(2, 2)
        self.partly.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Any:
        return self.partly(self.frozen(x))


class Cycle(nn.Module):
    """A child that contains its parent. `named_modules(remove_duplicate=False)` never ends on it."""

    def __init__(self) -> None:
        super().__init__()
        self.child = nn.Linear(2, 2)
        self.child.parent = self

    def forward(self, x: Tensor) -> Any:
        return self.child(x)


class OddCalls(nn.Module):
    """A child called by `.forward`, a child that is not called by default, and keyword arguments only."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = nn.Linear(2, 2)
        self.never = nn.Linear(2, 5)

    def forward(self, *, x: Tensor, flag: bool = False) -> Any:
        return self.never(x) if flag else self.direct.forward(x)


class Diamonds(nn.Module):
    """Each level contains the next one twice: the last one has 2**(depth + 1) names."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.left = Diamonds(depth - 1) if depth else nn.Linear(1, 1)
        self.right = self.left


class Model(nn.Module):
    """A model made of a forward function and attributes."""

    def __init__(self, forward: Callable[[Any, Tensor], object], **attributes: object) -> None:
        super().__init__()
        self.run = forward
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> object:
        return self.run(self, x)


class PlainObject:
    """An object that torch does not know."""

    def __init__(self, value: object) -> None:
        self.value = value


def linear() -> nn.Linear:
    """3·3 values."""
    return nn.Linear(3, 3, bias=False)
