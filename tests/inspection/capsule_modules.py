"""Models on which counting tools go wrong, small enough to count by hand."""

import torch
from torch import Tensor, nn


class Tied(nn.Module):
    """An embedding whose table is the output layer's weight as well."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 3)
        self.output = nn.Linear(3, 7, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.embedding(x))


class TwoNames(nn.Module):
    """One module, registered twice and called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class RootHoldsChilds(nn.Module):
    """A parameter of the root that is its child's weight, and two bare ones, one of them 0-dim."""

    def __init__(self) -> None:
        super().__init__()
        self.child = nn.Linear(4, 2)
        self.weight = self.child.weight
        self.bare = nn.Parameter(torch.ones(5))
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.child(x) * self.scale + self.bare.sum() + (x @ self.weight.T)


class Lists(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.listed = nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))])
        self.keyed = nn.ParameterDict({"a": nn.Parameter(torch.ones(4)), "b": self.listed[0]})


class PartlyFrozen(nn.Module):
    """A frozen layer, and one whose bias alone is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(3, 2).requires_grad_(False)
        self.partly = nn.Linear(2, 2)
        self.partly.weight.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.partly(self.frozen(x))


class Cycle(nn.Module):
    """A child that holds its parent, which torch's own `named_modules(remove_duplicate=False)` never comes back from."""

    def __init__(self) -> None:
        super().__init__()
        self.child = nn.Linear(2, 2)
        self.child.parent = self

    def forward(self, x: Tensor) -> Tensor:
        return self.child(x)


class OddCalls(nn.Module):
    """A child called by `.forward`, one in a branch that is never run, keywords only."""

    def __init__(self) -> None:
        super().__init__()
        self.direct = nn.Linear(2, 2)
        self.never = nn.Linear(2, 5)

    def forward(self, *, x: Tensor, flag: bool = False) -> Tensor:
        return self.never(x) if flag else self.direct.forward(x)


class Diamonds(nn.Module):
    """Each level holds the next one twice: 2**depth names of the last."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.left = Diamonds(depth - 1) if depth else nn.Linear(1, 1)
        self.right = self.left
