"""A loss function, called with known lengths, labels, images and reconstructions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from capsaudit.errors import CapsauditError
from capsaudit.inspection.foreign_errors import translate_errors
from capsaudit.inspection.modules.forward import Arguments
from capsaudit.inspection.python.build import load_attribute
from capsaudit.inspection.targets import Target
from capsaudit.parity.arguments import Known, arrangements, called, mapped, shown
from capsaudit.parity.calls import Call
from capsaudit.parity.methods import method_of
from capsaudit.parity.prepare import default_dtype
from capsaudit.parity.record import Recorder

Named = Target | str | Callable[..., object]
"""A function or a class in Python code, a method of the model by its name, or a function itself."""


class Values(NamedTuple):
    """What a loss gave for a sequence of known values: its numbers by name, each [call]; and the tensors of the images' size that it computed
    on the way, each [call, batch, pixels].
    """

    numbers: dict[str, Tensor]
    recorded: tuple[Tensor, ...]


@dataclass(frozen=True)
class Loss:
    """A loss, and with how many images of which dtype it is called. `call` and `output`: how its model is called, and what that returned.
    `before` is called with the known values first.
    """

    name: str
    function: Callable[..., object]
    before: Callable[[Known], None]
    call: Call
    output: object
    batch: int
    dtype: torch.dtype

    def known(self, images: Tensor, labels: Tensor, lengths: Tensor, reconstruction: Tensor) -> Known:
        """Values for a call: images [batch, channels, height, width], labels [batch], lengths [batch, class], reconstruction [batch, pixels].
        The class capsules have these lengths, and the output the form of the model's.
        """
        generator = torch.Generator().manual_seed(1)
        directions = torch.randn(*lengths.shape, self.call.dimension, generator=generator, dtype=torch.float64)
        capsules = F.normalize(directions, dim=-1) * lengths.unsqueeze(-1)
        known = Known(
            images=images.to(self.dtype),
            labels=labels,
            classes=self.call.classes,
            lengths=lengths.to(self.dtype),
            capsules=capsules.to(self.dtype),
            reconstruction=reconstruction.to(self.dtype),
        )
        return known._replace(output=_in_form(self.output, known, self.call.batch))

    def arrangements(self, known: Known) -> Iterator[Arguments]:
        """Arguments that it runs with, likeliest first.

        Raises:
            CapsauditError: it raised an error or returned no number for all that were tried.
        """
        tried: list[str] = []
        works = False
        for arguments in arrangements(self.function, known):
            try:
                numbers = self.values(arguments, [known]).numbers
            except CapsauditError as error:
                tried += error.faults
                continue
            if numbers:
                works = True
                yield arguments
            tried.append(f"{self.name} returned no number")
        if not works:
            raise CapsauditError(shown(tried))

    def values(self, arguments: Arguments, sequence: Sequence[Known]) -> Values:
        """What it gives for each of the known values.

        Raises:
            CapsauditError: it raised an error.
        """
        results = [self._called(arguments, known) for known in sequence]
        first = results[0][0]
        numbers = {
            name: torch.tensor([found.get(name, torch.nan) for found, _ in results], dtype=torch.float64)
            for name in first
        }
        counts = {len(recorded) for _, recorded in results}
        if len(counts) > 1:
            return Values(numbers, ())
        recorded = [torch.stack(tensors) for tensors in zip(*(recorded for _, recorded in results), strict=True)]
        return Values(numbers, tuple(recorded))

    def _called(self, arguments: Arguments, known: Known) -> tuple[dict[str, float], list[Tensor]]:
        self.before(known)
        with default_dtype(self.dtype), torch.no_grad(), Recorder({known.images.numel()}) as recorder:
            returned = called(self.name, self.function, arguments, known)
        recorded = [each.reshape(self.batch, -1) for each in recorder.found if each.shape[:1] == (self.batch,)]
        return dict(_numbers(returned, {1, self.batch, known.classes, self.batch * known.classes})), recorded


def losses(named: Named, module: nn.Module, call: Call, output: object) -> Iterator[Loss]:
    """The loss, in the ways to call it. `module`: a copy of the model in the dtype of the call, which returned `output`; its forward is replaced.

    Eleven images, since eleven times a round number, or a round number by eleven, is none; unless there are as many classes: it must be seen over
    which is averaged.

    Raises:
        CapsauditError: there is no such function or method.
    """
    name, function, before = _function(named, module)
    usual = 13 if call.classes == 11 else 11
    dtypes = (call.dtype,) if isinstance(named, str) else (torch.float64, torch.float32)
    for batch in dict.fromkeys((usual, call.batch)):
        for dtype in dtypes:
            yield Loss(name, function, before, call, output, batch, dtype)


def _function(named: Named, module: nn.Module) -> tuple[str, Callable[..., object], Callable[[Known], None]]:
    """The name of a loss, what to call, and what to do before it: the model's own forward is to return what is known."""
    if isinstance(named, str):

        def before(known: Known) -> None:
            module.forward = lambda *_args, **_kwargs: known.output

        return named, method_of(module, named), before
    name = named.text if isinstance(named, Target) else getattr(named, "__name__", type(named).__name__)
    found = load_attribute(named) if isinstance(named, Target) else named
    if isinstance(found, type):
        with translate_errors(f"{name}: making one without arguments failed"):
            found = found()
    if isinstance(found, nn.Module):
        found = found.forward
    if not callable(found):
        raise CapsauditError(
            f"{name}: is a {type(found).__name__}; expected a function, or a class whose objects can be called"
        )
    return name.rpartition(":")[2], found, lambda _: None


def _numbers(returned: object, sizes: set[int], name: str = "") -> Iterator[tuple[str, float]]:
    """The numbers in what a loss returned, by their place. A value for each image or class counts by its sum."""
    if isinstance(returned, Tensor):
        if returned.numel() in sizes and returned.is_floating_point():
            yield name, returned.double().sum().item()
    elif isinstance(returned, float):
        yield name, returned
    elif isinstance(returned, Mapping):
        for key, each in returned.items():
            yield from _numbers(each, sizes, f"{name}[{key!r}]")
    elif isinstance(returned, tuple | list):
        for place, each in enumerate(returned):
            yield from _numbers(each, sizes, f"{name}[{place}]")


def _in_form(output: object, known: Known, batch: int) -> object:
    """The output of a model with the known values in place of those of the same number for an image."""
    if isinstance(output, Tensor):
        return _known_like(output, known, batch)
    if isinstance(output, tuple | list | Mapping):
        return mapped(output, lambda each: _in_form(each, known, batch))
    if not hasattr(output, "__dict__"):
        return output
    made = copy.copy(output)
    vars(made).update({name: _in_form(each, known, batch) for name, each in vars(output).items()})
    return made


def _known_like(tensor: Tensor, known: Known, batch: int) -> Tensor:
    if tensor.shape[:1] != (batch,) or not tensor.is_floating_point():
        return tensor
    for each in (known.lengths, known.capsules, known.reconstruction):
        if each is not None and each[0].numel() == tensor[0].numel():
            return each.reshape(-1, *tensor.shape[1:])
    return tensor
