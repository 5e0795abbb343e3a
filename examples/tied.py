"""A small language model whose output layer uses the weight of its embedding."""

from torch import Tensor, nn


class Tied(nn.Module):
    """1000·64 + (64 + 1)·64 = 68,160 values that are stored; 1000·64 more where the output layer is counted as well."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 64)
        self.hidden = nn.Linear(64, 64)
        self.output = nn.Linear(64, 1000, bias=False)
        self.output.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        scores: Tensor = self.output(self.hidden(self.embedding(tokens)).relu())
        return scores
