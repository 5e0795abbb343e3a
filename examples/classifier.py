"""A model that is no capsule network."""

from torch import Tensor, nn


class SmallClassifier(nn.Module):
    """A convolution, a batch norm, a head: 4·(9 + 1) + 2·4 + 10·(4·26·26 + 1) = 27,098."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Linear(4 * 26 * 26, classes)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.head(self.body(x).flatten(1))
        return scores
