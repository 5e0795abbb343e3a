"""What the networks of all families have in common."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from capsaudit.models.fully_connected import Decoder


class Output(NamedTuple):
    """What a network computes of a batch of images.

    `scores` [batch, classes]: lengths of the class capsules, or a baseline's logits. `capsules` [batch, classes, dimension] and
    `reconstruction` [batch, channels, height, width] where the network has them.
    """

    scores: Tensor
    capsules: Tensor | None = None
    reconstruction: Tensor | None = None


class Network(nn.Module):
    """A network: called with images [batch, channels, height, width] and, in training, their classes, it returns an `Output`."""

    decoder: Decoder | None

    def __init__(self) -> None:
        super().__init__()
        self.decoder = None


class CapsuleNetwork(Network):
    """A network whose scores are the lengths of class capsules, which a decoder may reconstruct images from."""

    def output(self, capsules: Tensor, targets: Tensor | None) -> Output:
        """Lengths, capsules and reconstruction. The decoder is given the capsule of `targets`, or else the longest one."""
        lengths = capsules.norm(dim=-1)
        if self.decoder is None:
            return Output(lengths, capsules)
        chosen = lengths.argmax(-1) if targets is None else targets
        return Output(lengths, capsules, self.decoder.reconstruct(capsules, chosen))
