"""What one forward pass in eval mode does not show, and models of which little or nothing is recorded."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from tests.parity.networks import Example, FourConvolutions, OneForward, squash
from tests.parity.test_behaviour import behaviour_of, deviations

Array = npt.NDArray[np.float64]


class KeptAverage(FourConvolutions):
    """The logits are a buffer, updated by every call with the average over the batch, but for the last iteration."""

    b: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("b", torch.zeros(16, 10))

    def route(self, hat: Tensor) -> Tensor:
        b = self.b
        for last in (False, False, True):
            v = squash(torch.einsum("ij,bije->bje", b.softmax(-1), hat))
            if not last:
                b = b + torch.einsum("bije,bje->bij", hat, v).mean(0)
        self.b = b.detach()
        lengths: Tensor = v.norm(dim=-1)
        return lengths


class KeptAttribute(FourConvolutions):
    """The logits are an attribute, with the agreement of the last iteration too."""

    b: Tensor | None = None

    def route(self, hat: Tensor) -> Tensor:
        b = torch.zeros(len(hat), 16, 10) if self.b is None else self.b
        for _ in range(3):
            v = squash(torch.einsum("bij,bije->bje", b.softmax(-1), hat))
            b = b + torch.einsum("bije,bje->bij", hat, v)
        self.b = b.detach()
        lengths: Tensor = v.norm(dim=-1)
        return lengths


@pytest.mark.parametrize("example", [KeptAverage, KeptAttribute])
def test_logits_that_are_kept_from_call_to_call(example: type[FourConvolutions]) -> None:
    found = behaviour_of(example())
    rows = {row.stage: row for row in found.stages}
    assert (rows["logits"].verdict, rows["logits"].model) == ("differs", "kept from call to call")
    assert rows["logits"].error is not None
    assert rows["logits"].error > 1e-3
    assert (rows["gradient"].verdict, rows["gradient"].model) == ("not seen", None)


class Noisy(FourConvolutions):
    """Two calls differ, and kept logits are not why."""

    calls = 0

    def route(self, hat: Tensor) -> Tensor:
        self.calls += 1
        return super().route(hat * self.calls)


def test_calls_that_differ_for_another_reason_are_no_kept_logits() -> None:
    rows = {row.stage: row for row in behaviour_of(Noisy()).stages}
    assert (rows["logits"].verdict, rows["logits"].model) == ("undetermined", None)


class OnceOnly(FourConvolutions):
    """A second call raises an error."""

    is_called = False

    def route(self, hat: Tensor) -> Tensor:
        if self.is_called:
            raise ValueError
        self.is_called = True
        return super().route(hat)


class ChangedInPlace(FourConvolutions):
    """The coefficients are changed after the sum that they are needed for, so that there is no gradient."""

    def route(self, hat: Tensor) -> Tensor:
        b = torch.zeros(len(hat), 16, 10)
        for _ in range(3):
            c = b.softmax(-1)
            v = squash((c.unsqueeze(-1) * hat).sum(1))
            b = b + torch.einsum("bije,bje->bij", hat, v)
            c.zero_()
        lengths: Tensor = v.norm(dim=-1)
        return lengths


@pytest.mark.parametrize(
    ("example", "open_"),
    [
        (OnceOnly, {"logits": "undetermined", "gradient": "not seen"}),
        (ChangedInPlace, {"gradient": "not seen"}),
    ],
)
def test_what_fails_after_the_forward_pass_leaves_its_stages(
    example: type[FourConvolutions], open_: dict[str, str]
) -> None:
    found = behaviour_of(example())
    assert {row.stage: row.verdict for row in found.stages if row.verdict != "agrees"} == open_


def with_decoder(**layers: nn.Module) -> OneForward:
    model = OneForward()
    for name, layer in layers.items():
        model.decoder.register_module(name[1:], layer)
    return model


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        ({"_5": nn.Identity()}, "masked by the target, no activation at its end"),
        ({"_5": nn.ReLU()}, "masked by the target, ReLU at its end"),
        ({"_5": nn.Tanh()}, "masked by the target, tanh at its end"),
        ({"_1": nn.ELU(), "_3": nn.ELU()}, "masked by the target, ELU between its layers"),
    ],
)
def test_activations_of_the_decoder(layers: dict[str, nn.Module], named: str) -> None:
    assert deviations(behaviour_of(with_decoder(**layers))) == {"decoder": named}


def test_an_activation_that_is_not_listed_is_not_guessed() -> None:
    (row,) = [row for row in behaviour_of(with_decoder(_5=nn.Softsign())).stages if row.verdict != "agrees"]
    assert (row.stage, row.verdict, row.model) == ("decoder", "undetermined", None)
    assert "the nearest, masked by the target" in row.because


class ByMode(OneForward):
    """The target is used in training alone: in eval mode there is none, as the paper has it."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().forward(x, y if self.training else None)


class ByModeReversed(OneForward):
    def forward(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return super().forward(x, None if self.training else y)


def test_the_decoder_is_judged_by_what_it_is_given_in_training() -> None:
    found = behaviour_of(ByMode())
    assert {row.stage: row.model for row in found.stages}["decoder"] == (
        "masked by the target; in eval mode masked by the prediction"
    )
    assert found.verdict == "agrees"
    assert deviations(behaviour_of(ByModeReversed())) == {
        "decoder": "masked by the prediction; in eval mode masked by the target"
    }


class HiddenRouting(FourConvolutions):
    """The routing is in NumPy, so that none of its values is recorded."""

    axis, passes, averages = 2, 3, False

    def route(self, hat: Tensor) -> Tensor:
        votes = hat.detach().numpy()
        b = np.zeros(votes.shape[:3])
        for _ in range(self.passes):
            c = np.exp(b - b.max(self.axis, keepdims=True))
            s = ((c / c.sum(self.axis, keepdims=True))[..., None] * votes).sum(1)
            v = np_squash(s)
            agreed = (votes * v[:, None]).sum(-1)
            b = b + (agreed.mean(0, keepdims=True) if self.averages else agreed)
        return torch.from_numpy(np.linalg.norm(v, axis=-1))


class HiddenForward(HiddenRouting):
    """The whole forward pass is in NumPy: the lengths are all that can be compared."""

    def forward(self, x: Tensor) -> Tensor:
        w = {name: tensor.detach().numpy() for name, tensor in self.named_parameters()}
        h = np.maximum(np_conv(x.numpy(), w["conv.weight"], w["conv.bias"], 1), 0)
        grids = [np_conv(h, w[f"types.{t}.weight"], w[f"types.{t}.bias"], 2) for t in range(4)]
        u = np.concatenate([np_squash(each.reshape(len(h), 8, -1).transpose(0, 2, 1)) for each in grids], 1)
        return self.route(torch.from_numpy(np.einsum("bnd,ndk->bnk", u, w["weight"]).reshape(-1, 16, 10, 16)))


def np_squash(s: Array) -> Array:
    length = np.linalg.norm(s, axis=-1, keepdims=True)
    squashed: Array = s * length / (1 + length**2)
    return squashed


def np_conv(images: Array, weight: Array, bias: Array, stride: int) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(images, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    made: Array = np.einsum("bchwkl,ockl->bohw", windows, weight) + bias[:, None, None]
    return made


@pytest.mark.parametrize("hidden", [HiddenRouting, HiddenForward])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {}),
        ({"axis": 1}, {"softmax": "over the inputs"}),
        ({"passes": 4}, {"iterations": "4"}),
        ({"averages": True, "axis": 1}, {"softmax": "over the inputs", "agreement": "added, averaged over the batch"}),
    ],
)
def test_readings_are_searched_where_nothing_is_recorded(
    hidden: type[HiddenRouting], settings: dict[str, object], expected: dict[str, str]
) -> None:
    """NumPy has no gradient."""
    example: type[Example] = type("Changed", (hidden,), settings)
    assert deviations(behaviour_of(example())) == {**expected, "gradient": "none reaches W"}


@torch.jit.script
def scripted_routing(hat: Tensor) -> Tensor:
    b = torch.zeros(hat.shape[0], 16, 10, dtype=hat.dtype)
    v = hat.sum(1)
    for _ in range(3):
        s = (b.softmax(1).unsqueeze(-1) * hat).sum(1)
        n2 = (s**2).sum(-1, keepdim=True)
        v = n2 / (1 + n2) * s / torch.sqrt(n2)
        b = b + (hat * v.unsqueeze(1)).sum(-1)
    return v


class Scripted(FourConvolutions):
    def route(self, hat: Tensor) -> Tensor:
        lengths: Tensor = scripted_routing(hat).norm(dim=-1)
        return lengths


def test_a_scripted_function_is_seen_into() -> None:
    found = behaviour_of(Scripted())
    assert deviations(found) == {"softmax": "over the inputs"}
    assert {row.stage: row.error for row in found.stages}["agreement"] is not None
