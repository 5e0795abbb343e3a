"""Each property is told from the others: one model breaks it, a clean one has all, and no model is changed."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit import api
from capsaudit.inspection.module import inspect_module
from capsaudit.inspection.modules.forward import Arguments
from capsaudit.inventory import Behaviour, BehaviourProperty
from capsaudit.models import efficient_capsnet
from capsaudit.parity.behaviour import behaviour
from tests.parity.networks import ElementByElement, MeanAgreement

BATCH, REPEATABLE, MODES = "independent of the batch", "repeatable", "same in train and eval mode"
BLACK, LENGTHS = "finite at a black image", "lengths below 1"
PRIMARY, CLASSES = "finite at zero primary capsules", "finite at zero class capsules"
ALL = [BATCH, REPEATABLE, BLACK, PRIMARY, CLASSES, LENGTHS, MODES]
OF_ANY_MODEL = [BATCH, REPEATABLE, BLACK, MODES]


def safe(s: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(s, dim=-1, keepdim=True)
    return s * length / (1 + length**2)


def without_epsilon(s: Tensor) -> Tensor:
    """0/0 in the forward pass."""
    square = (s**2).sum(-1, keepdim=True)
    return square / (1 + square) * s / square.sqrt()


def outside_the_root(s: Tensor) -> Tensor:
    """Finite in the forward pass; the gradient of the root is infinite."""
    square = (s**2).sum(-1, keepdim=True)
    return square / (1 + square) * s / (square.sqrt() + 1e-8)


def own_length(s: Tensor) -> Tensor:
    """s |s| / (1 + |s|²), which divides by nothing that may be 0, with a root whose gradient is infinite."""
    square = (s**2).sum(-1, keepdim=True)
    return s * square.sqrt() / (1 + square)


def places(channels: Tensor) -> Tensor:
    return channels.permute(0, 2, 3, 1).reshape(len(channels), -1, 8)


def equal_distances(channels: Tensor) -> Tensor:
    return channels.view(len(channels), 8, 16).transpose(1, 2)


class Clean(nn.Module):
    """12×12 images, 4 types of capsules at 2×2 places, all in one forward. W is as small as in many repositories, and smaller."""

    def __init__(
        self,
        primary: Callable[[Tensor], Tensor] = safe,
        classes: Callable[[Tensor], Tensor] = safe,
        cut: Callable[[Tensor], Tensor] = places,
    ) -> None:
        super().__init__()
        self.conv1, self.primary = nn.Conv2d(1, 16, 5), nn.Conv2d(16, 32, 5, stride=2)
        self.W = nn.Parameter(0.001 * torch.randn(16, 10, 8, 16))
        self.decoder = nn.Sequential(nn.Linear(160, 32), nn.ReLU(), nn.Linear(32, 144), nn.Sigmoid())
        self.squashes, self.cut = (primary, classes), cut

    def forward(self, x: Tensor, y: Tensor | None = None) -> Any:
        v = self.routed(self.votes(x))
        lengths = torch.linalg.vector_norm(v, dim=-1)
        y = lengths.argmax(1) if y is None else y
        return lengths, self.decoder((v * F.one_hot(y, 10).unsqueeze(-1)).flatten(1))

    def votes(self, x: Tensor) -> Tensor:
        u = self.squashes[0](self.cut(self.primary(F.relu(self.conv1(x)))))
        return torch.einsum("bid,ijde->bije", u, self.W)

    def routed(self, hat: Tensor) -> Tensor:
        b = self.logits(hat)
        for i in range(3):
            v = self.squashes[1](torch.einsum("bij,bije->bje", b.softmax(2), hat))
            if i < 2:
                b = self.updated(b, torch.einsum("bije,bje->bij", hat, v))
        return v

    def logits(self, hat: Tensor) -> Tensor:
        return hat.new_zeros(hat.shape[:3])

    def updated(self, b: Tensor, agreement: Tensor) -> Tensor:
        return b + agreement


class Averaged(Clean):
    def updated(self, b: Tensor, agreement: Tensor) -> Tensor:
        return b + agreement.mean(0)


class AveragedAndLarge(Averaged):
    """28×28 images and 1152 capsules: 28 − 9 + 1 = 20, ⌊(20 − 9)/2⌋ + 1 = 6, 32·6·6. Where all lengths are nearly 1, they show nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.primary = nn.Conv2d(1, 16, 9), nn.Conv2d(16, 256, 9, stride=2)
        self.W = nn.Parameter(0.001 * torch.randn(1152, 10, 8, 16))
        self.decoder = nn.Sequential(nn.Identity())

    def forward(self, x: Tensor, y: Tensor | None = None) -> Any:
        return super().forward(x, y)[0]


class ByBatchSize(Clean):
    def updated(self, b: Tensor, agreement: Tensor) -> Tensor:
        return b + agreement / len(agreement)


class Keeping(Clean):
    """The logits of a call are where the next one begins."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Tensor | None = None

    def logits(self, hat: Tensor) -> Tensor:
        return super().logits(hat) if self.kept is None else self.kept.expand(len(hat), -1, -1)

    def updated(self, b: Tensor, agreement: Tensor) -> Tensor:
        self.kept = (b + agreement).detach().mean(0)
        return b + agreement


class Noisy(Clean):
    def logits(self, hat: Tensor) -> Tensor:
        return torch.randn(len(hat), 16, 10, dtype=hat.dtype)


class Halved(Clean):
    def routed(self, hat: Tensor) -> Tensor:
        v = super().routed(hat)
        return v / 2 if self.training else v


class More(Clean):
    """In train mode, another tensor too."""

    def forward(self, x: Tensor, y: Tensor | None = None) -> Any:
        scores, image = super().forward(x, y)
        return (scores, image, 1 - image) if self.training else (scores, image)


class TargetInTraining(Clean):
    def forward(self, x: Tensor, y: Tensor | None = None) -> Any:
        return super().forward(x, y if self.training else None)


class Dropping(Clean):
    """With what differs in training by design, as modules."""

    def __init__(self) -> None:
        super().__init__()
        self.dropout, self.norm = nn.Dropout(), nn.BatchNorm2d(32, affine=False)

    def votes(self, x: Tensor) -> Tensor:
        channels = self.norm(self.primary(self.dropout(F.relu(self.conv1(x)))))
        return torch.einsum("bid,ijde->bije", safe(places(channels)), self.W)


class DroppingAndHalved(Dropping, Halved):
    """The half is no part of that design."""


class DroppingByFunction(Clean):
    def routed(self, hat: Tensor) -> Tensor:
        return super().routed(F.dropout(hat, training=self.training))


class FailingInTheDark(Clean):
    def votes(self, x: Tensor) -> Tensor:
        if not x.any():
            raise ValueError("it is dark\nand cold")
        return super().votes(x)


class Alone(Clean):
    def votes(self, x: Tensor) -> Tensor:
        if len(x) == 1:
            raise ValueError("too few")
        return super().votes(x)


def behaviour_of(model: nn.Module, *, properties: bool = False, example: Arguments | None = None) -> Behaviour:
    return behaviour(model, inspect_module(model, "mine"), example, properties=properties)


def rows_of(model: nn.Module) -> dict[str, BehaviourProperty]:
    return {row.property: row for row in behaviour_of(model).properties}


def broken(model: nn.Module) -> dict[str, bool | None]:
    return {name: row.holds for name, row in rows_of(model).items() if row.holds is not True}


@pytest.mark.parametrize("cut", [places, equal_distances])
@pytest.mark.parametrize("seed", range(3))
def test_a_clean_network_has_all(cut: Callable[[Tensor], Tensor], seed: int) -> None:
    torch.manual_seed(seed)
    rows = rows_of(Clean(cut=cut))
    assert list(rows) == ALL
    assert {name: row.holds for name, row in rows.items()} == dict.fromkeys(ALL, True)
    assert all(any(digit in row.because for digit in "0123456789") for row in rows.values())  # its figure


@pytest.mark.parametrize("variant", ["paper", "released-code", "trainable-logits", "frozen-logits", "selected-decoder"])
def test_the_shipped_variants_have_all(variant: str) -> None:
    small = api.load_variant(variant, settings=("image.size=24", "primary_caps.types=4", "conv1.channels=16"))
    assert broken(api.build(small)) == {}


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Averaged(), {BATCH: False}),
        (AveragedAndLarge(), {BATCH: False}),
        (ByBatchSize(), {BATCH: False}),
        (Alone(), {BATCH: False}),
        (Keeping(), {BATCH: None, REPEATABLE: False, MODES: None}),
        (Noisy(), {BATCH: None, REPEATABLE: False, MODES: None}),
        (Clean(classes=lambda s: s), {LENGTHS: False}),
        (Clean(classes=lambda s: s / 50), {LENGTHS: False}),  # only at a large W
        (Halved(), {MODES: False}),
        (More(), {MODES: False}),
        (DroppingAndHalved(), {MODES: False}),
        (DroppingByFunction(), {MODES: None}),
        (FailingInTheDark(), {BLACK: None}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_is_broken_by_a_model_of_its_own(model: nn.Module, names: dict[str, bool | None]) -> None:
    """What cannot be told where two runs differ is not tried."""
    assert broken(model) == names


@pytest.mark.parametrize("cut", [places, equal_distances])
@pytest.mark.parametrize(
    ("squash", "where"),
    [
        (without_epsilon, "tensors that forward returns are not finite"),
        (outside_the_root, "forward returns is finite, but the gradients"),
        (own_length, "forward returns is finite, but the gradients"),
    ],
)
def test_the_two_squashes_are_told_apart(
    cut: Callable[[Tensor], Tensor], squash: Callable[[Tensor], Tensor], where: str
) -> None:
    """A black image reaches both."""
    for name, model in ((PRIMARY, Clean(primary=squash, cut=cut)), (CLASSES, Clean(classes=squash, cut=cut))):
        rows = rows_of(model)
        assert broken(model) == {BLACK: False, name: False}
        assert where in rows[name].because
        assert where in rows[BLACK].because


def test_the_reconstruction_of_the_target_in_training_is_no_difference() -> None:
    rows = rows_of(TargetInTraining())
    assert broken(TargetInTraining()) == {}
    assert "the reconstruction differs" in rows[MODES].because
    assert "the reconstruction differs" not in rows_of(Clean())[MODES].because


def test_what_differs_by_design_is_named() -> None:
    rows = rows_of(Dropping())
    assert broken(Dropping()) == {}
    assert "but for BatchNorm2d, Dropout, which stayed in eval mode" in rows[MODES].because


def test_a_property_that_raises_says_so_in_one_line() -> None:
    because = rows_of(FailingInTheDark())[BLACK].because
    assert "ValueError: it is dark" in because
    assert "\n" not in because


def test_examples_that_depend_on_their_batch() -> None:
    """One averages over the batch, one gives an image alone another shape: `squeeze` removes the batch's axis."""
    assert rows_of(MeanAgreement())[BATCH].holds is False
    assert rows_of(ElementByElement())[BATCH].because == "one example alone gives 10, a batch of 2 gives 2×10"
    assert rows_of(ElementByElement())[LENGTHS].holds is False


@pytest.mark.parametrize("variant", ["efficient-capsnet", "efficient-capsnet-decoder"])
def test_an_efficient_capsnet_has_all(variant: str) -> None:
    found = behaviour_of(api.build(api.load_variant(variant)))
    assert {row.property: row.holds for row in found.properties} == dict.fromkeys(ALL, True)


@pytest.mark.parametrize("part", ["PrimaryCaps", "DigitCaps"])
def test_the_two_squashes_of_an_efficient_capsnet(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    kind = getattr(efficient_capsnet, part)
    forward = kind.forward

    def with_another_squash(self: nn.Module, inputs: Tensor) -> Tensor:
        with monkeypatch.context() as patched:
            patched.setattr(efficient_capsnet, "squash", outside_the_root)
            made: Tensor = forward(self, inputs)
            return made

    monkeypatch.setattr(kind, "forward", with_another_squash)
    model = api.build("efficient-capsnet")
    assert broken(model) == {BLACK: False, PRIMARY if part == "PrimaryCaps" else CLASSES: False}


def state_of(model: nn.Module) -> tuple[Any, ...]:
    values = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes = [part.training for part in model.modules()]
    hooks = [len(part._forward_hooks) for part in model.modules()]
    gradients = [parameter.grad for parameter in model.parameters()]
    return values, modes, hooks, gradients, torch.get_rng_state(), torch.get_default_dtype()


@pytest.mark.parametrize("model", [Clean(), Noisy(), Keeping(), Dropping(), FailingInTheDark(), Alone()])
def test_the_model_stays_as_it_is(model: nn.Module) -> None:
    model.train()
    values, *before, state, dtype = state_of(model)
    rows_of(model)
    now, *after, state_now, dtype_now = state_of(model)
    assert all(torch.equal(tensor, now[name]) for name, tensor in values.items())
    assert (before, dtype) == (after, dtype_now)
    assert torch.equal(state, state_now)
    assert getattr(model, "kept", None) is None


class Sharing(Clean):
    """A copy of it is the same model, whose weights a forward pass changes."""

    def __deepcopy__(self, memo: dict[int, object]) -> "Sharing":
        return self

    def votes(self, x: Tensor) -> Tensor:
        self.W.data.add_(1)
        return super().votes(x)


def test_also_one_that_cannot_be_copied_stays_as_it_is() -> None:
    model = Sharing()
    before = model.W.detach().clone()
    found = behaviour_of(model, properties=True)
    assert {row.property: row.holds for row in found.properties} == dict.fromkeys(ALL)
    assert "shares its tensors" in found.properties[0].because
    assert torch.equal(model.W, before)


class Perceptron(nn.Module):
    """No capsule network."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3))

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.layers(x)
        return made


class Centred(Perceptron):
    """A normalisation over the batch, also in eval mode."""

    def forward(self, x: Tensor) -> Tensor:
        made = super().forward(x)
        return made - made.mean(0)


class Divided(Perceptron):
    """0/0 at a black image."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x / x.norm(dim=1, keepdim=True))


class Counted(Perceptron):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (2 if self.training else 1)


class Moving(Perceptron):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + torch.rand(1)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Perceptron(), {}),
        (Centred(), {BATCH: False}),
        (Divided(), {BLACK: False}),
        (Counted(), {MODES: False}),
        (Moving(), {BATCH: None, REPEATABLE: False, MODES: None}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_model_has_properties_if_they_are_asked_for(model: nn.Module, names: dict[str, bool | None]) -> None:
    example = Arguments((torch.rand(2, 6),))
    assert behaviour_of(model, example=example).properties == ()
    found = behaviour_of(model, example=example, properties=True)
    assert (found.verdict, [row.property for row in found.properties]) == ("not recognised", OF_ANY_MODEL)
    assert {row.property: row.holds for row in found.properties if row.holds is not True} == names
    rows = {row.property: row for row in found.properties}
    assert names or "with its own weights" in rows[BATCH].because


class ByName(nn.Module):
    """A fixed batch, an argument by keyword, inputs in a dict, and integers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 4)

    def forward(self, inputs: dict[str, Tensor], *, scale: float) -> dict[str, Tensor]:
        return {"made": self.embedding(inputs["words"]).view(4, 3, 4) * scale}


def test_inputs_are_as_they_were_given() -> None:
    """One alone has a view that fails. There is no image that could be black."""
    words = torch.tensor([[6, 0, 1], [2, 3, 6], [1, 1, 1], [5, 4, 3]])
    found = behaviour_of(ByName(), example=Arguments(({"words": words},), {"scale": 2.0}), properties=True)
    rows = {row.property: row for row in found.properties}
    assert {name: row.holds for name, row in rows.items()} == {BATCH: False, REPEATABLE: True, BLACK: None, MODES: True}
    assert "it runs on a batch of 4, but not on one example alone" in rows[BATCH].because
    assert "no floating-point input" in rows[BLACK].because


def test_equal_examples_show_no_dependence() -> None:
    example = Arguments((torch.zeros(2, 3, dtype=torch.int64),))
    rows = {row.property: row for row in behaviour_of(nn.Embedding(7, 4), example=example, properties=True).properties}
    assert rows[BATCH].holds is None
    assert "all examples are equal" in rows[BATCH].because


def test_a_model_that_does_not_run_has_reasons_only() -> None:
    found = behaviour_of(Perceptron(), example=Arguments((torch.rand(2, 7),)), properties=True)
    assert {row.holds for row in found.properties} == {None}
    assert all("forward raised RuntimeError" in row.because for row in found.properties)


def test_properties_do_not_change_the_verdict() -> None:
    """Nor are they left out with the stages if they are asked for."""
    model = MeanAgreement()
    inventory = inspect_module(model, "mine")
    found = behaviour(model, inventory)
    assert (found.verdict, found.stages != ()) == ("differs", True)
    only = behaviour(model, inventory, stages=False, properties=True)
    assert (only.verdict, only.stages, only.properties) == ("not run", (), found.properties)
    assert behaviour(model, inventory, stages=False) == msgspec.structs.replace(only, properties=())
