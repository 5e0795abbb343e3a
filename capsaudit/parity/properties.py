"""Properties that need no reference: what any network has that can be trained and used, and what a capsule network has besides.

Each is tried on copies, and its reason has the figure that was measured. What could not be tried is neither.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase  # also of instance normalisation; it has no public name
from torch.nn.modules.dropout import _DropoutNd

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import one_line
from capsaudit.inspection.modules.contents import tensors_within
from capsaudit.inspection.modules.forward import Arguments
from capsaudit.inspection.modules.snapshot import restored
from capsaudit.inspection.modules.walk import walk
from capsaudit.inventory import BehaviourProperty, InventoryTensor
from capsaudit.parity.prepare import sizes_of
from capsaudit.parity.trial import Batch, Trial, returned, tensors_of, variant
from capsaudit.recognition.base import RecognisedNetwork

Checked = tuple[bool | None, str]
"""Whether a property holds, and the reason."""

_ROUNDING = 1e-9
"""The largest relative difference that is rounding in float64."""

_SEEN = 1e-4
"""The same in float32."""

_SHOWN = 1e-12
"""Differences below this are not shown by their size, which depends on the processor."""

_LARGE = 30.0
"""The factor of W at which a length that nothing keeps below 1 is above it. A squash may give 1 there, which is its limit."""

_BY_DESIGN = (_DropoutNd, _NormBase, nn.RNNBase, nn.MultiheadAttention, nn.RReLU)
"""Modules that compute something else in train mode: normalisation, dropout, layers with a dropout of their own, random slopes."""


class _Property(NamedTuple):
    name: str
    check: Callable[[Trial], Checked]
    of_capsules: bool = False


def properties_of(
    module: nn.Module, network: RecognisedNetwork | None, example: Arguments | None
) -> tuple[BehaviourProperty, ...]:
    """Every property, each with its reason. The module is as before afterwards.

    Args:
        module: The model.
        network: What its tensors form, if that is a capsule network; it is tried with known weights, any other model with its own.
        example: Arguments that its forward takes. A capsule network is run on images and labels first.
    """
    wanted = [each for each in _PROPERTIES if network or not each.of_capsules]
    try:
        with restored(module):
            trial = Trial(module, network, example)
            return tuple(_tried(each, trial) for each in wanted)
    except Exception as error:  # whatever a model does here, its parameters can be counted
        return tuple(BehaviourProperty(property=each.name, holds=None, because=_why(error)) for each in wanted)


def _tried(wanted: _Property, trial: Trial) -> BehaviourProperty:
    try:
        holds, because = wanted.check(trial)
    except Exception as error:
        holds, because = None, _why(error)
    return BehaviourProperty(property=wanted.name, holds=holds, because=because)


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, CapsauditError) else one_line(error)


def _repeatable(trial: Trial) -> Checked:
    """The random state is not set again in between, and what the model keeps is kept."""
    first, second = trial.precise.returned
    _expect_finite(first)
    return _judged(trial, _difference(first, second), "two runs on the same inputs")


def _independent(trial: Trial) -> Checked:
    """The first and the last example alone, beside the same in the batch."""
    together, ends = _repeated(trial), (trial.rows[0], trial.rows[-1])
    if len(trial.rows) == 1:
        return None, "forward takes one example, but not two"
    if _equal(*(tensors_within(trial.batch.rows([number])) for number in ends)):
        return None, "all examples are equal; name a function that returns the model and example inputs that differ"
    batch = f"a batch of {len(trial.rows)}"
    differences: list[float] = []
    for number in ends:
        try:
            alone = trial.returns([number])
        except CapsauditError as error:
            return False, f"it runs on {batch}, but not on one example alone: {error}"
        if not _differ_in_batch(alone, together, len(trial.rows)):
            return False, f"one example alone gives {_shapes(alone)}, {batch} gives {_shapes(together)}"
        differences += _by_row(alone, together, number)
    if not differences:
        return None, "nothing that forward returns has a row for each example"
    holds, because = _judged(trial, max(differences), f"an example alone and in {batch}")
    return holds, because if trial.network else f"{because}, with its own weights; with others it may be more"


def _repeated(trial: Trial) -> list[Tensor]:
    """What a run in eval mode returns, if a second one returns the same.

    Raises:
        CapsauditError: it does not, or returns what is not finite.
    """
    first, second = trial.precise.returned
    _expect_finite(first)
    if _difference(first, second) > _rounding(trial):
        raise CapsauditError("two runs on the same inputs differ, so no other cause of a difference can be seen")
    return first


def _expect_finite(tensors: Sequence[Tensor]) -> None:
    if not all(map(_is_finite, tensors)):
        raise CapsauditError("what forward returns is not finite")


def _equal(some: Sequence[Tensor], others: Sequence[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def _differ_in_batch(alone: Sequence[Tensor], together: Sequence[Tensor], count: int) -> bool:
    """Whether the shapes are the same but for one axis at most, which is that of the batch."""
    if [each.dim() for each in alone] != [each.dim() for each in together]:
        return False
    pairs = [list(zip(one.shape, many.shape, strict=True)) for one, many in zip(alone, together, strict=True)]
    return all([pair for pair in found if pair[0] != pair[1]] in ([], [(1, count)]) for found in pairs)


def _by_row(alone: Sequence[Tensor], together: Sequence[Tensor], number: int) -> Iterator[float]:
    """The differences of what has a row for each example."""
    for one, many in zip(alone, together, strict=True):
        for axis, size in enumerate(one.shape):
            if size != many.shape[axis]:
                yield _relative(many.narrow(axis, number, 1), one)


def _shapes(tensors: Sequence[Tensor]) -> str:
    return ", ".join("×".join(map(str, each.shape)) or "a single value" for each in tensors)


def _is_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())


def _difference(some: Sequence[Tensor], others: Sequence[Tensor]) -> float:
    """The largest difference, relative to the root mean square of the tensor that it is in; infinite where the shapes differ."""
    if [each.shape for each in some] != [each.shape for each in others]:
        return math.inf
    return max((_relative(one, other) for one, other in zip(some, others, strict=True)), default=0.0)


def _relative(one: Tensor, other: Tensor) -> float:
    if torch.equal(one, other) or not one.numel():
        return 0.0
    scale = one.abs().double().square().mean().sqrt().item() or 1.0
    found = (one - other).abs().max().item() / scale
    return found if math.isfinite(found) else math.inf


def _rounding(trial: Trial) -> float:
    """The largest relative difference that is rounding in the dtype of the outputs."""
    epsilon = max(torch.finfo(each.dtype).eps for each in trial.precise.returned[0])
    return _ROUNDING if epsilon < _ROUNDING else max(_SEEN, 10 * epsilon)


def _judged(trial: Trial, difference: float, what: str) -> Checked:
    """In float64 what is neither rounding nor large may be the rounding of a part that computes in float32."""
    size = f"up to {difference:.2g}" if difference >= _SHOWN else f"less than {_SHOWN}"
    because = f"{what} differ by {size}, relative to what is returned"
    if _rounding(trial) < difference < _SEEN:
        return None, f"{because}: more than the rounding of float64, less than that of float32"
    return difference <= _rounding(trial), because


def _black(trial: Trial) -> Checked:
    """Also with biases and running means of 0, so that what is squashed first is exactly 0."""
    arguments, blackened = _with_black_images(trial)
    if not blackened:
        return None, "its forward takes no floating-point input"
    zeros = {
        path: torch.zeros_like(tensor)
        for path, tensor in tensors_of(trial.own).items()
        if path.rpartition(".")[2] in ("bias", "running_mean") or path in _biases(trial.network)
    }
    return _finite(variant(trial.own, zeros), arguments, "with images and biases of 0")


def _with_black_images(trial: Trial) -> tuple[Arguments, int]:
    """And how many inputs are images: of a capsule network those with the shape of its image, of others all of floating point."""
    image = trial.network and trial.network.spec.image
    shape = (image.channels, image.height, image.width) if image else None
    blackened = 0

    def black(tensor: Tensor) -> Tensor:
        nonlocal blackened
        is_image = tensor.is_floating_point() and shape in (None, tuple(tensor.shape[1:]))
        blackened += is_image
        return torch.zeros_like(tensor) if is_image else tensor

    return Batch(trial.batch.rows(trial.rows), len(trial.rows)).changed(black).arguments, blackened


def _biases(network: RecognisedNetwork | None) -> set[str]:
    """The biases of the convolutions and of DigitCaps, whatever they are called."""
    layers = network.layers if network else {}
    convolutions = [each for name in layers for each in layers[name] if name.startswith(("conv", "primary_caps"))]
    return {each.name for each in (*convolutions, *layers.get("digit_caps", ())[1:]) if len(each.shape) < 4}


def _zero_primary(trial: Trial) -> Checked:
    """The channels of some capsules are 0, in both of the paper's orders of channels: `d` neighbouring ones, and as many at equal distances."""
    assert trial.network
    found = trial.network.layers["primary_caps"]
    kernels, biases = ([each for each in found if len(each.shape) == axes] for axes in (4, 1))
    channels, dimension = sum(each.shape[0] for each in kernels), sizes_of(trial.network.spec).dimension_in
    if channels == dimension:
        return None, "all primary capsules have the same kernels, so none of them alone can be 0"
    chosen = {*range(dimension), *range(0, channels, channels // dimension)}
    zeros = {**_without(trial.known, kernels, chosen), **_without(trial.known, biases, chosen)}
    what = f"with the {len(chosen)} of {channels} channels set to 0 that form one capsule in either order of channels"
    return _finite(variant(trial.known, zeros), trial.batch.rows(trial.rows), what)


def _without(module: nn.Module, found: Sequence[InventoryTensor], chosen: set[int]) -> dict[str, Tensor]:
    """Tensors that stand one after another along their first axis, with the rows of these numbers set to 0."""
    tensors, first = tensors_of(module), 0
    made: dict[str, Tensor] = {}
    for each in found:
        tensor = made[each.name] = tensors[each.name].detach().clone()
        tensor[[number - first for number in chosen if 0 <= number - first < len(tensor)]] = 0
        first += len(tensor)
    return made


def _zero_classes(trial: Trial) -> Checked:
    """W is 0, as is all that DigitCaps adds to it. The primary capsules are not."""
    assert trial.network
    tensors = tensors_of(trial.known)
    zeros = {each.name: torch.zeros_like(tensors[each.name]) for each in trial.network.layers["digit_caps"]}
    return _finite(variant(trial.known, zeros), trial.batch.rows(trial.rows), "with W = 0")


def _finite(module: nn.Module, arguments: Arguments, what: str) -> Checked:
    """Whether outputs are, and the gradients of their sum, in which each value has another factor."""
    found = returned(module, arguments)
    if bad := [each for each in found if not _is_finite(each)]:
        return False, f"{what}, {len(bad)} of {len(found)} tensors that forward returns are not finite"
    named = {path: each for path, each in tensors_of(module).items() if each.requires_grad}
    roots = [each.abs() if each.is_complex() else each for each in found if each.requires_grad]
    if not named or not roots:
        return True, f"{what}, what forward returns is finite, and has no gradient"
    total = torch.stack([(each * torch.linspace(0.5, 1.5, each.numel()).view_as(each)).sum() for each in roots]).sum()
    gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    reached = {path: each for path, each in zip(named, gradients, strict=True) if each is not None}
    if failed := [path for path, each in reached.items() if not _is_finite(each)]:
        some = f"the gradients of {len(failed)} of {len(reached)} parameters are not, such as that of {failed[0]}"
        return False, f"{what}, what forward returns is finite, but {some}"
    return True, f"{what}, what forward returns and the gradients of {len(reached)} parameters are finite"


def _short(trial: Trial) -> Checked:
    """Lengths of the class capsules, or else the values of the classes, at a W at which only a squash keeps them below 1."""
    assert trial.network
    sizes = sizes_of(trial.network.spec)
    outputs = trial.returns(trial.rows, gain=_LARGE)
    _expect_finite(outputs)
    lengths = _lengths(outputs, len(trial.rows), sizes.classes, sizes.dimension)
    if lengths is None:
        return None, "forward returns neither class capsules nor a value for each class"
    if lengths.min() < 0:
        return None, "the values that forward returns for the classes are no lengths: some are negative"
    because = f"with a large W the longest of {lengths.numel()} class capsules is {lengths.max().item():.9g}"
    return lengths.max().item() <= 1 + _rounding(trial), because


def _lengths(outputs: Sequence[Tensor], batch: int, classes: int, dimension: int) -> Tensor | None:
    """Of class capsules that are returned; else the values for the classes."""
    by_shape = {tuple(n for n in each.shape[1:] if n != 1): each for each in outputs if each.shape[:1] == (batch,)}
    if (capsules := by_shape.get((classes, dimension))) is None:
        return by_shape.get((classes,))
    lengths: Tensor = capsules.reshape(batch, classes, dimension).norm(dim=-1)
    return lengths


def _alike(trial: Trial) -> Checked:
    """Modules that differ by design stay in eval mode. Of a capsule network, reconstructions are left out."""
    evaluated, parts = _repeated(trial), dict(walk(trial.own))
    training = [path for path, part in parts.items() if not isinstance(part, _BY_DESIGN)]
    trained = trial.returns(trial.rows, training=training)
    if [each.shape for each in trained] != [each.shape for each in evaluated]:
        return False, f"eval mode gives {_shapes(evaluated)}, train mode gives {_shapes(trained)}"
    compared, images = (
        _difference(*([each for each in found if _is_image(trial, each) == wanted] for found in (evaluated, trained)))
        for wanted in (False, True)
    )
    if compared > _rounding(trial) and _draws(trial, trained, training):
        return None, "in train mode it draws random numbers by itself, as where dropout is a function and no module"
    holds, because = _judged(trial, compared, "train and eval mode")
    if kept := sorted({type(part).__name__ for part in parts.values() if isinstance(part, _BY_DESIGN)}):
        because += f", but for {', '.join(kept)}, which stayed in eval mode"
    if images > _rounding(trial):
        because += "; the reconstruction differs, as where the decoder is given the target in train mode only"
    return holds, because


def _draws(trial: Trial, trained: Sequence[Tensor], training: Sequence[str]) -> bool:
    """Whether another random state makes a difference."""
    return _difference(trained, trial.returns(trial.rows, training=training, seed=1)) > _rounding(trial)


def _is_image(trial: Trial, tensor: Tensor) -> bool:
    """Whether a capsule network returns it as images: it has as many values."""
    if trial.network is None:
        return False
    image = trial.network.spec.image
    return tensor.numel() == len(trial.rows) * image.channels * image.height * image.width


_PROPERTIES = (
    _Property("independent of the batch", _independent),
    _Property("repeatable", _repeatable),
    _Property("finite at a black image", _black),
    _Property("finite at zero primary capsules", _zero_primary, of_capsules=True),
    _Property("finite at zero class capsules", _zero_classes, of_capsules=True),
    _Property("lengths below 1", _short, of_capsules=True),
    _Property("same in train and eval mode", _alike),
)
"""In the order in which they are shown."""
