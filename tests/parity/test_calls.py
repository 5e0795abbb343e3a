"""Models whose forwards take other arguments are called all the same; what was tried is said where none works; methods are called after forward."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit.catalogue import load_all
from capsaudit.errors import CapsauditError
from capsaudit.inspection.module import inspect_module
from capsaudit.inspection.modules.forward import Arguments
from capsaudit.inventory import Behaviour
from capsaudit.parity.arguments import Known, arrangements, described
from capsaudit.parity.behaviour import behaviour
from capsaudit.parity.calls import Call
from capsaudit.parity.prepare import call_of
from capsaudit.recognition.base import Match
from capsaudit.recognition.closest import closest
from tests.parity.networks import FourConvolutions, OneForward

IMAGES = torch.rand(2, 1, 12, 12)
LABELS = torch.tensor([7, 4])


class KeywordIndices(OneForward):
    def forward(self, x: Tensor, *, labels: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x, labels)


class KeywordOneHot(OneForward):
    """A product with indices would be one with a row of three."""

    def forward(self, *, images: Tensor, y_true: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        assert y_true.shape[1] == 10
        return super().forward(images, y_true.argmax(1))


class OneHotOfIntegers(OneForward):
    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        chosen = (target & 1) * torch.arange(10)
        assert target.dim() == 2
        return super().forward(x, chosen.sum(1))


class LabelsThird(OneForward):
    def forward(self, x: Tensor, reconstruct: bool = True, target: Tensor | None = None) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        assert reconstruct
        return super().forward(x, target)


class LabelsFirst(OneForward):
    def forward(self, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x, y)


class Anything(OneForward):
    def forward(self, *args: Tensor, **kwargs: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(*args, **kwargs)


class Float32Only(OneForward):
    """Its first lines take float32 alone."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        assert x.dtype == torch.float32
        return super().forward(x, y)


class OfTwo(OneForward):
    """The number of images is written into it."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().forward(x.view(2, 1, 12, 12), y)


class InDict(OneForward):
    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(batch["pixels"] * batch["mask"], batch["digit"].squeeze(1))


class InRows(OneForward):
    """Images as rows, labels as one-hot rows of bool, and a number that stays as it is."""

    def forward(self, rows: Tensor, scale: float, hot: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        assert (scale, hot.dtype) == (1.0, torch.bool)
        return super().forward(rows.view(-1, 1, 12, 12) * scale, hot.long().argmax(1))


class ChannelsLast(OneForward):
    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().forward(x.permute(0, 3, 1, 2), y)


class Never(OneForward):
    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        raise RuntimeError(f"not of {len(x)}", y)


def call_for(model: nn.Module, example: Arguments | None) -> Call:
    match = closest(inspect_module(model, "mine"), load_all())
    assert isinstance(match, Match)
    return call_of(model, match.network, example)


def behaviour_of(model: nn.Module, example: Arguments | None = None, methods: tuple[str, ...] = ()) -> Behaviour:
    return behaviour(model, inspect_module(model, "mine"), example, methods=methods)


@pytest.mark.parametrize(
    "model",
    [OneForward, KeywordIndices, KeywordOneHot, OneHotOfIntegers, LabelsThird, LabelsFirst, Anything, Float32Only],
)
def test_labels_are_given_by_position_or_by_name(model: type[OneForward]) -> None:
    """The decoder is seen to be masked by the labels only if the right ones came to the right images."""
    found = behaviour_of(model())
    assert (found.verdict, {row.verdict for row in found.stages}) == ("agrees", {"agrees"}), found.because


@pytest.mark.parametrize(
    ("model", "example", "batch"),
    [
        (OfTwo, Arguments((IMAGES,)), 2),
        (InDict, Arguments(({"pixels": IMAGES, "digit": LABELS[:, None], "mask": torch.ones(2, 1, 1, 1)},)), 3),
        (InRows, Arguments((IMAGES.flatten(1), 1.0), {"hot": F.one_hot(LABELS, 10).bool()}), 3),
        (ChannelsLast, Arguments((IMAGES.permute(0, 2, 3, 1),)), 3),
    ],
)
def test_example_inputs_show_how_a_model_is_called(model: type[OneForward], example: Arguments, batch: int) -> None:
    assert call_for(model(), example).batch == batch
    found = behaviour_of(model(), example)
    assert (found.verdict, {row.verdict for row in found.stages}) == ("agrees", {"agrees"}), found.because


def test_no_value_is_given_twice() -> None:
    """`data` has the images, so `x` may be anything else."""
    known = Known(IMAGES, LABELS, 10, lengths=torch.rand(2, 10), capsules=torch.rand(2, 10, 16))
    found = [described(each) for each in arrangements(InLoss().loss, known)]
    assert found[0] == "data = images, x = lengths, target = labels as indices"
    assert "data = images, x = capsules, target = labels as one-hot rows" in found
    assert not any("x = images" in each for each in found)


def test_without_its_example_a_model_of_two_images_does_not_run() -> None:
    assert behaviour_of(OfTwo()).verdict == "not run"


def test_what_was_tried_is_said() -> None:
    found = behaviour_of(Never(), Arguments((IMAGES,)))
    assert (found.verdict, found.stages) == ("not run", ())
    for words in ("with images, labels as indices: forward", "with images, labels as one-hot rows:", "with images: "):
        assert words in found.because
    for words in ("('not of 3', None) (test_calls.py, line ", "('not of 2', None) (test_calls.py, line "):
        assert words in found.because


def test_a_call_serves_other_copies_and_again() -> None:
    """Images and labels in the order of the call; the same values each time."""
    model = KeywordIndices().double()
    call = call_for(model, None)
    images, labels = torch.rand(3, 1, 12, 12, dtype=torch.float64), torch.tensor([2, 1, 0])
    with torch.no_grad():
        once, again, direct = call(model, images), call(model, images), model(images, labels=labels)
    for one, two, three in zip(once, again, direct, strict=True):  # type: ignore[call-overload]
        assert torch.equal(one, two)
        assert torch.equal(one, three)


class InLoss(FourConvolutions):
    """The decoder is run by `loss` alone, through another method."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.Sequential(
            nn.Linear(160, 32), nn.ReLU(), nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 144), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.conv(x))
        u = torch.cat([self.squash(conv(h).flatten(2).transpose(1, 2)) for conv in self.types], dim=1)
        hat = torch.einsum("bnd,ndk->bnk", u, self.weight).view(-1, 16, 10, 16)
        b = hat.new_zeros(hat.shape[:3])
        for _ in range(3):
            v = self.squash((b.softmax(2)[..., None] * hat).sum(1))
            b = b + (hat * v[:, None]).sum(-1)
        return v

    def squash(self, s: Tensor) -> Tensor:
        length: Tensor = s.norm(dim=-1, keepdim=True)
        return s * length / (1 + length**2)

    def masked(self, v: Tensor, target: Tensor) -> Tensor:
        return (v * target[..., None]).flatten(1)

    def rebuild(self, v: Tensor, target: Tensor) -> Tensor:
        rebuilt: Tensor = self.decoder(self.masked(v, target))
        return rebuilt

    def loss(self, data: Tensor, x: Tensor, target: Tensor, *, weight: float = 0.0005) -> Tensor:
        margin = target * F.relu(0.9 - x.norm(dim=-1)) ** 2
        rebuilt = self.rebuild(x, target)
        return margin.sum() + weight * (rebuilt - data.flatten(1)).square().sum()

    def broken(self, x: Tensor) -> Tensor:
        raise ValueError(f"no use for {x.dim()} axes")

    def apart(self) -> None:
        """Takes nothing."""


class InLossUnmasked(InLoss):
    def masked(self, v: Tensor, target: Tensor) -> Tensor:
        del target
        return v.flatten(1)


def decoder_row(found: Behaviour) -> tuple[str, str | None, str]:
    row = next(row for row in found.stages if row.stage == "decoder")
    return row.verdict, row.model, row.because


def test_methods_that_run_the_decoder_are_named() -> None:
    """Not `squash` and `masked`, which do not use it."""
    verdict, model, because = decoder_row(behaviour_of(InLoss()))
    assert (verdict, model) == ("not seen", None)
    assert "--method rebuild or --method loss" in because
    assert "squash" not in because


@pytest.mark.parametrize("method", ["loss", "rebuild"])
@pytest.mark.parametrize(
    ("model", "expected"), [(InLoss, ("agrees", "masked by the target")), (InLossUnmasked, ("differs", "not masked"))]
)
def test_a_method_is_called_after_forward(method: str, model: type[InLoss], expected: tuple[str, str]) -> None:
    """`data` takes the images, so `x` is what forward returned."""
    assert decoder_row(behaviour_of(model(), methods=(method,)))[:2] == expected


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("los", "InLoss has no method 'los'; did you mean 'loss'?"),
        ("weight", "InLoss has no method 'weight'"),
        ("broken", "broken(x = images) raised ValueError: no use for 4 axes (test_calls.py, line "),
        ("apart", "no parameter of it has the name of a known value"),
    ],
)
def test_a_method_that_does_not_run(method: str, words: str) -> None:
    with pytest.raises(CapsauditError) as raised:
        behaviour_of(InLoss(), methods=(method,))
    assert words in str(raised.value)
