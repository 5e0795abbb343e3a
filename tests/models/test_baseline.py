"""The baseline's forward pass, against torch's own functions strung together."""

import torch
from torch.nn import functional as F

from capsaudit.catalogue import load_variant
from capsaudit.families.baseline import Baseline, BaselineLayer, FullyConnected
from capsaudit.models import baseline, build
from capsaudit.spec import Image


def test_a_small_baseline_is_what_the_paper_describes() -> None:
    spec = Baseline(
        image=Image(channels=2, height=9, width=8),
        padding="same",
        layers=(
            BaselineLayer(channels=3, kernel=5, stride=1, pool=2),
            BaselineLayer(channels=4, kernel=3, stride=1, pool=1),
        ),
        fully_connected=FullyConnected(hidden=(6,), classes=5, dropout=0.5),
    )
    model = build(spec).double().eval()
    assert type(model) is baseline.Baseline
    assert [name for name, _ in model.convolutions.named_children()] == ["conv1", "conv2"]
    weights = [parameter for _, parameter in model.named_parameters()]
    images = torch.randn(3, 2, 9, 8, dtype=torch.float64)
    x = F.max_pool2d(F.relu(F.conv2d(images, weights[0], weights[1], padding=2)), 2)
    x = F.relu(F.conv2d(x, weights[2], weights[3], padding=1)).flatten(1)
    x = F.linear(F.relu(F.linear(x, weights[4], weights[5])), weights[6], weights[7])
    torch.testing.assert_close(model(images).scores, x)


def test_dropout_stands_before_the_last_layer_in_training_only() -> None:
    model = build(load_variant("baseline-mnist", settings=["layers=[]", "fully_connected.hidden=[64]"]).spec)
    images = torch.rand(2, 1, 28, 28)
    assert not torch.allclose(model(images).scores, model(images).scores)
    model.eval()
    torch.testing.assert_close(model(images).scores, model(images).scores)
