"""The embedded digits: 1,797 handwritten ones of 8×8 pixels that come with scikit-learn (the test set of Alpaydin and Kaynak's
"Optical Recognition of Handwritten Digits", UCI 1998). No network is needed.
"""

from __future__ import annotations

import torch

from capsaudit.data.dataset import Dataset, Split

_HELD_OUT = 360
NAME = "scikit-learn's 8×8 digits"


def load_digits() -> Dataset:
    """1,437 images to train on and 360 to test on, always the same ones."""
    from sklearn.datasets import load_digits as load

    found = load()
    images = torch.from_numpy(found.images).mul(255 / 16).round().to(torch.uint8)
    labels = torch.from_numpy(found.target).long()
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    test, train = order[:_HELD_OUT], order[_HELD_OUT:]
    return Dataset(
        train=Split(images[train], labels[train]),
        test=Split(images[test], labels[test]),
        name=NAME,
    )
