"""What the training step is compared with: the network as textbooks write it, and the same network without any routing.

Both are written here for the benchmark, in plain torch, with torch's defaults.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def squash(vectors: Tensor) -> Tensor:
    squared = vectors.square().sum(-1, keepdim=True)
    return vectors * squared / (1 + squared) / (squared + 1e-8).sqrt()


class Reference(nn.Module):
    """The paper's network; `routing` says how the primary capsules reach the digit capsules."""

    def __init__(self, routing: str, *, size: int = 28) -> None:
        super().__init__()
        self.routing = routing
        self.grid = ((size - 8) - 9) // 2 + 1
        self.conv1 = nn.Conv2d(1, 256, 9)
        self.primary = nn.Conv2d(256, 256, 9, stride=2)
        self.weight = nn.Parameter(0.1 * torch.randn(32 * self.grid**2, 10, 8, 16))
        self.decoder = nn.Sequential(
            *(nn.Linear(160, 512), nn.ReLU(), nn.Linear(512, 1024), nn.ReLU(), nn.Linear(1024, size**2), nn.Sigmoid())
        )

    def forward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        features = self.primary(F.relu(self.conv1(images)))
        batch = len(images)
        capsules = squash(features.view(batch, 32, 8, self.grid**2).transpose(2, 3).reshape(batch, -1, 8))
        outputs = self.textbook(capsules) if self.routing == "textbook" else self.without_routing(capsules)
        mask = F.one_hot(targets, 10).unsqueeze(-1)
        return outputs.norm(dim=-1), self.decoder((outputs * mask).flatten(1)).view_as(images)

    def textbook(self, capsules: Tensor) -> Tensor:
        """W broadcast over the batch, û [batch, 1152, 10, 16] in the graph, three iterations."""
        weight = self.weight.transpose(-1, -2).unsqueeze(0)
        votes = (weight @ capsules[:, :, None, :, None]).squeeze(-1)
        logits = torch.zeros(*votes.shape[:3], 1)
        outputs = votes.new_zeros(())
        for iteration in range(3):
            outputs = squash((logits.softmax(2) * votes).sum(1))
            if iteration < 2:
                logits = logits + (votes * outputs.unsqueeze(1)).sum(-1, keepdim=True)
        return outputs

    def without_routing(self, capsules: Tensor) -> Tensor:
        """All couplings 1/10: a fully connected layer and a squash."""
        return squash(torch.einsum("bid,icde->bce", capsules, self.weight) / 10)
