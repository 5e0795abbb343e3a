"""The Efficient-CapsNet of Mazzia et al. 2021 for MNIST as its authors' code has it, each stage of the forward pass on a line of its own."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def squash(s: Tensor, dim: int = -1) -> Tensor:
    length = s.norm(dim=dim, keepdim=True)
    squashed: Tensor = (1 - torch.exp(-length)) * s / (length + 1e-20)
    return squashed


class EfficientCapsNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 32, 5), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64)
        self.conv3, self.bn3 = nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64)
        self.conv4, self.bn4 = nn.Conv2d(64, 128, 3, stride=2), nn.BatchNorm2d(128)
        self.primary_caps = nn.Conv2d(128, 128, 9, groups=128)
        self.W, self.b = nn.Parameter(0.1 * torch.randn(10, 16, 8, 16)), nn.Parameter(torch.zeros(10, 16))
        self.fc1, self.fc2, self.fc3 = nn.Linear(160, 512), nn.Linear(512, 1024), nn.Linear(1024, 784)

    def forward(self, images: Tensor, targets: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = self.bn1(F.relu(self.conv1(images)))
        x = self.bn2(F.relu(self.conv2(x)))
        x = self.bn3(F.relu(self.conv3(x)))
        x = self.bn4(F.relu(self.conv4(x)))
        x = self.primary_caps(x)
        u = x.flatten(2).transpose(1, 2).reshape(len(x), -1, 8)
        u = squash(u)
        u_hat = torch.einsum("bid,jide->bjie", u, self.W)
        a = torch.einsum("bjie,bjke->bji", u_hat, u_hat) / 16**0.5
        c = F.softmax(a, dim=1) + self.b
        s = torch.einsum("bji,bjie->bje", c, u_hat)
        v = squash(s)
        scores = v.norm(dim=-1)
        chosen = scores.argmax(1) if targets is None else targets
        x = (v * F.one_hot(chosen, 10).unsqueeze(-1)).flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = torch.sigmoid(self.fc3(x))
        return scores, x
