"""A model that properties are tried on: copies of it, with its own weights or with known ones, and arguments that its forward takes."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from capsaudit.errors import CapsauditError
from capsaudit.families.capsnet import CapsNet
from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.inspection.modules.contents import tensors_within
from capsaudit.inspection.modules.forward import Arguments, materialise, run_forward
from capsaudit.inspection.modules.walk import registered
from capsaudit.parity.arguments import Known, filled_in
from capsaudit.parity.calls import ways
from capsaudit.parity.prepare import BATCH, copy_of, default_dtype, sizes_of
from capsaudit.recognition.base import RecognisedNetwork

_EXAMPLES = 2
"""Of a run: as many as show that one changes another's output."""


class Batch(NamedTuple):
    """Arguments of forward for several examples: tensors whose first axis has this `size` have a row for each."""

    arguments: Arguments
    size: int

    def rows(self, wanted: Sequence[int], dtype: torch.dtype | None = None) -> Arguments:
        """New tensors with these rows, on the CPU, those of floating point as `dtype`. A row beyond the last has the values of another one
        in another order, so that it is valid where that one is.
        """

        def chosen(tensor: Tensor) -> Tensor:
            if tensor.dim() and len(tensor) == self.size:
                tensor = torch.stack([_row(tensor, number) for number in wanted])
            return tensor.detach().to("cpu", dtype if tensor.is_floating_point() else None, copy=True)

        return self.changed(chosen).arguments

    def changed(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """The same with every tensor changed."""
        positional = tuple(_mapped(each, change) for each in self.arguments.positional)
        keywords = {key: _mapped(each, change) for key, each in self.arguments.keywords.items()}
        return self._replace(arguments=Arguments(positional, keywords))


def _mapped(value: object, change: Callable[[Tensor], Tensor]) -> object:
    """A value with the tensors in it changed, also those in lists, tuples and dicts.

    >>> _mapped({"x": [torch.ones(1), "text"]}, torch.neg)
    {'x': [tensor([-1.]), 'text']}
    """
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: _mapped(each, change) for key, each in value.items()}
    if type(value) in (list, tuple):
        changed = [_mapped(each, change) for each in value]  # type: ignore[attr-defined]
        return changed if type(value) is list else tuple(changed)
    return value


def _row(tensor: Tensor, number: int) -> Tensor:
    row = tensor[number % len(tensor)]
    if number < len(tensor):
        return row
    order = torch.randperm(row.numel(), generator=torch.Generator().manual_seed(number)).to(row.device)
    return row.flatten()[order].view_as(row)


class Precise(NamedTuple):
    """A model in float64, that dtype, and what two runs of it return; in its own dtypes, and None, where it does not run in float64."""

    module: nn.Module
    dtype: torch.dtype | None
    returned: list[list[Tensor]]


class Trial:
    """A model, and what it is run on: `rows` of `batch`. `own` is a copy in eval mode; only copies of that are run."""

    def __init__(self, module: nn.Module, network: RecognisedNetwork | None, example: Arguments | None) -> None:
        """Find arguments that forward takes. `network`: the capsule network that it is, if it is one.

        Raises:
            CapsauditError: the model cannot be copied, or its forward raised an error for every kind of arguments that was tried.
        """
        if example and any(is_lazy(each.tensor) for each in registered(module)):
            module = materialise(module, *example)
        self.network = network
        self.own = copy_of(module, None)
        self.batch, self.rows = self._arguments(example)

    def _arguments(self, example: Arguments | None) -> tuple[Batch, range]:
        faults: list[str] = []
        for batch in _batches(self.own, self.network, example):
            for rows in dict.fromkeys((range(_EXAMPLES), range(batch.size))):  # a model may take one size only
                try:
                    run(self.own, batch, rows, None)
                except CapsauditError as error:
                    faults += error.faults
                else:
                    return batch, rows
        raise CapsauditError(*faults[:1] or ["there is no input to run it on"])

    @cached_property
    def known(self) -> nn.Module:
        """A capsule network with weights at which its routing has an effect; any other model with its own."""
        return variant(self.own, _known_weights(self.own, self.network)) if self.network else self.own

    @cached_property
    def precise(self) -> Precise:
        """`known` in float64 if it can be."""
        try:
            module = _as_float64(self.known)
            return Precise(module, torch.float64, run(module, self.batch, self.rows, torch.float64, times=2))
        except Exception:  # tensors of other kinds fail in ways of their own
            return Precise(self.known, None, run(self.known, self.batch, self.rows, None, times=2))

    def returns(
        self, rows: Sequence[int], *, training: Sequence[str] = (), seed: int = 0, gain: float = 1.0
    ) -> list[Tensor]:
        """What it returns for these rows, with the modules of these paths in train mode, and W multiplied by a gain.

        Raises:
            CapsauditError: its forward raised an error.
        """
        module, dtype, _ = self.precise
        if self.network and gain != 1:
            w = self.network.layers["digit_caps"][0].name
            module = variant(module, {w: tensors_of(module)[w].detach() * gain})
        return run(module, self.batch, rows, dtype, training=training, seed=seed)[0]


def _batches(module: nn.Module, network: RecognisedNetwork | None, example: Arguments | None) -> Iterator[Batch]:
    """For a capsule network images with labels, or alone; then the inputs that were given."""
    if network is not None:
        spec = network.spec
        assert isinstance(spec, CapsNet | EfficientCapsNet)
        classes, image = spec.digit_caps.classes, (spec.image.channels, spec.image.height, spec.image.width)
        images = torch.rand((BATCH, *image), generator=torch.Generator().manual_seed(0), dtype=_dtype(module))
        known = Known(images, torch.arange(BATCH).flip(0) % classes, classes)
        for arguments in ways(module, image, classes, example):
            yield Batch(Arguments(*filled_in(arguments, known)), BATCH)
    if example is not None:
        sizes = [len(each) for each in tensors_within(example) if each.dim()]
        yield Batch(example, sizes[0] if sizes else 1)


def _dtype(module: nn.Module) -> torch.dtype:
    found = (each.tensor.dtype for each in registered(module) if each.tensor.is_floating_point())
    return next(found, torch.get_default_dtype())


def variant(module: nn.Module, replaced: Mapping[str, Tensor] | None = None) -> nn.Module:
    """A copy with some tensors replaced, by their paths. It shares its other parameters with `module`.

    Raises:
        CapsauditError: a tensor that is to be replaced is not registered.
    """
    replaced = replaced or {}
    tensors = tensors_of(module)
    memo: dict[int, object] = {id(each): each for each in tensors.values() if isinstance(each, nn.Parameter)}
    for path, new in replaced.items():
        old = _named(tensors, path)
        memo[id(old)] = nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new
    copied = copy.deepcopy(module, memo)
    now = tensors_of(copied)
    for path, new in replaced.items():
        if _named(now, path).data_ptr() != new.data_ptr():
            raise CapsauditError(f"{path} cannot be replaced in a copy")
    return copied


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Its registered tensors by their paths, each under its first one."""
    found: dict[int, tuple[str, Tensor]] = {}
    for each in registered(module):
        found.setdefault(id(each.tensor), (each.path, each.tensor))
    return dict(found.values())


def _named(tensors: Mapping[str, Tensor], path: str) -> Tensor:
    if path not in tensors:
        raise CapsauditError(f"{path} is computed when the model runs, so its values cannot be set")
    return tensors[path]


def _known_weights(module: nn.Module, network: RecognisedNetwork) -> dict[str, Tensor]:
    """Kernels that give values of about the size of what they take, and a W at which the sums s_j of the first iteration are about 1 long.

    With a W as small as most initialisations the agreement of the capsules has no effect; with a large one all lengths are 1.
    """
    sizes = sizes_of(network.spec)
    w, *_ = network.layers["digit_caps"]
    deviations = {w.name: 1.5 * sizes.classes / math.sqrt(sizes.capsules * sizes.dimension)}
    for layer, found in network.layers.items():
        kernels = [each for each in found if len(each.shape) == 4 and layer != "digit_caps"]
        deviations |= {each.name: 2 / math.sqrt(math.prod(each.shape[1:])) for each in kernels}
    generator, tensors = torch.Generator().manual_seed(0), tensors_of(module)
    return {path: _spread(_named(tensors, path), deviation, generator) for path, deviation in deviations.items()}


def _spread(like: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """Values with this standard deviation, evenly spread: they are drawn faster than normal ones."""
    drawn = torch.empty(like.shape).uniform_(-1, 1, generator=generator)
    return drawn.mul_(deviation * math.sqrt(3)).to(like.dtype)


def _as_float64(module: nn.Module) -> nn.Module:
    tensors = tensors_of(module)
    if any(each.is_complex() for each in tensors.values()):
        raise CapsauditError("complex values have no place in float64")
    return variant(module, {path: each.detach().double() for path, each in tensors.items() if each.is_floating_point()})


def run(
    module: nn.Module,
    batch: Batch,
    rows: Sequence[int],
    dtype: torch.dtype | None,
    *,
    training: Sequence[str] = (),
    seed: int = 0,
    times: int = 1,
) -> list[list[Tensor]]:
    """What a copy returns, as often as it is run; its random state is set once. `dtype`: of the inputs and of what forward creates.

    Raises:
        CapsauditError: its forward raised an error.
    """
    copied = variant(module)
    for path in training:
        copied.get_submodule(path).training = True
    torch.manual_seed(seed)
    with torch.no_grad(), default_dtype(dtype or torch.get_default_dtype()):
        return [[each.clone() for each in returned(copied, batch.rows(rows, dtype))] for _ in range(times)]


def returned(module: nn.Module, arguments: Arguments) -> list[Tensor]:
    """The floating-point tensors that forward returns.

    Raises:
        CapsauditError: it raised an error, or returns no such tensor.
    """
    found = tensors_within(run_forward(module, *arguments))
    if floating := [each for each in found if each.is_floating_point() or each.is_complex()]:
        return floating
    raise CapsauditError("forward returns no floating-point tensor")
