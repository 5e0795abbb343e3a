"""Running a copy of a model with known weights, so that every stage of its forward pass can be told apart."""

from __future__ import annotations

import copy
import inspect
import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from capsaudit.arithmetic import conv_output
from capsaudit.errors import CapsauditError
from capsaudit.families import layers
from capsaudit.families.capsnet import CapsNet
from capsaudit.families.efficient_capsnet import EfficientCapsNet
from capsaudit.inspection.modules.forward import restored_random_state, run_forward
from capsaudit.inspection.modules.walk import registered, walk
from capsaudit.inventory import InventoryTensor
from capsaudit.parity.record import Recorder, Recording
from capsaudit.recognition.base import RecognisedNetwork
from capsaudit.spec import Convolution, Spec

BATCH = 3
"""Images of a run: two cannot show whether an average over the batch is taken over images or over something else of that size."""

GAINS = (1.0, 0.2, 3.0)
"""Factors of the weights of both capsule layers. At small lengths all squashes are alike, at large ones all softmaxes are."""

CapsuleSpec = CapsNet | EfficientCapsNet
"""The families whose layers can be given known weights."""

_LABELS = re.compile(r"y|.*(label|target|class|truth|hot).*", re.IGNORECASE)


class Sizes(NamedTuple):
    """Primary capsules and their dimension, classes and theirs."""

    capsules: int
    dimension_in: int
    classes: int
    dimension: int


class Run(NamedTuple):
    """One forward pass: what went in, the weights, and what was recorded.

    `spec`: that of the family whose stages are looked for. `labels` is None if forward was given none. `weights` are those of the layers, by
    the layers' names, in float64; `tensors` are those of the copy that was run. `given`: the arguments.
    """

    spec: Any
    sizes: Sizes
    images: Tensor
    labels: Tensor | None
    weights: dict[str, list[Tensor]]
    recording: Recording
    module: nn.Module
    tensors: dict[str, list[Tensor]]
    given: tuple[Tensor, ...]

    def again(self, *, training: bool = False) -> Recording:
        """Run the same copy once more. Batch normalisations stay in eval mode: the statistics of a batch would change all that follows.

        Raises:
            CapsauditError: its forward raised an error.
        """
        for _, part in walk(self.module):
            part.training = training and not isinstance(part, _BatchNorm)
        with restored_random_state(), default_dtype(self.given[0].dtype), torch.no_grad():
            return _recorded(self.module, self.given, self.spec)

    def returned(self) -> object:
        """What the same copy returns in eval mode, with the graph of its gradient.

        Raises:
            CapsauditError: its forward raised an error.
        """
        for _, part in walk(self.module):
            part.training = False
        with restored_random_state(), default_dtype(self.given[0].dtype), torch.enable_grad():
            return run_forward(self.module, self.given, {})


def sizes_of(spec: Spec) -> Sizes:
    """From the arithmetic of DigitCaps."""
    digit = next(layer for layer in layers(spec) if layer.name == "digit_caps")
    capsules, dimension_in = digit.input_shape
    return Sizes(capsules, dimension_in, *digit.output_shape)


def run_with(module: nn.Module, network: RecognisedNetwork, gain: float) -> Run:
    """Run a copy whose recognised layers have known weights, with labels where forward takes them.

    Raises:
        CapsauditError: the model cannot be copied, or its forward raised an error for every kind of arguments that was tried.
    """
    assert isinstance(network.spec, CapsuleSpec)
    faults: list[str] = []
    for dtype in (torch.float64, torch.float32):
        for labels, form in label_forms(module, network.spec.digit_caps.classes):
            try:
                return _run(module, network, gain, dtype, labels, form)
            except CapsauditError as error:
                faults += error.faults
    raise CapsauditError(f"the model did not run on its image alone or with labels: {faults[0]}")


def _run(
    module: nn.Module, network: RecognisedNetwork, gain: float, dtype: torch.dtype, labels: Tensor | None, form: str
) -> Run:
    spec = network.spec
    assert isinstance(spec, CapsuleSpec)
    generator = torch.Generator().manual_seed(0)
    with restored_random_state(), default_dtype(dtype), torch.no_grad():
        torch.manual_seed(0)
        copied = copy_of(module, dtype)
        tensors = _fill(copied, network, gain, generator)
        weights = {
            name: [each.detach().to(torch.float64, copy=True) for each in found] for name, found in tensors.items()
        }
        shape = (BATCH, spec.image.channels, spec.image.height, spec.image.width)
        images = torch.rand(shape, generator=generator, dtype=torch.float64)
        given = [images.to(dtype)]
        if labels is not None:
            given.append(F.one_hot(labels, spec.digit_caps.classes).to(dtype) if form == "one-hot" else labels)
        recording = _recorded(copied, tuple(given), spec)
        return Run(spec, sizes_of(spec), images, labels, weights, recording, copied, tensors, tuple(given))


def _recorded(module: nn.Module, given: tuple[Tensor, ...], spec: CapsuleSpec) -> Recording:
    with Recorder(_interesting(spec)) as recorder:
        output = run_forward(module, given, {})
    return Recording(recorder.found, output, BATCH)


def label_forms(module: nn.Module, classes: int) -> Iterator[tuple[Tensor | None, str]]:
    """Labels as indices, as one-hot rows, and none; only none where forward has no parameter for them."""
    takes = list(inspect.signature(module.forward).parameters.values())[1:2]
    labels = torch.arange(BATCH).flip(0) % classes
    if takes and (takes[0].default is takes[0].empty or _LABELS.fullmatch(takes[0].name)):
        yield labels, "indices"
        yield labels, "one-hot"
    yield None, ""


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    """What a forward creates without a dtype has this one."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def copy_of(module: nn.Module, dtype: torch.dtype | None) -> nn.Module:
    """On the CPU, in eval mode, module by module: a user's `eval()` may do more. `dtype`: of its floating-point tensors; None: as they are.

    Raises:
        CapsauditError: it cannot be copied.
    """
    try:
        copied = copy.deepcopy(module)
        if {id(each.tensor) for each in registered(copied)} & {id(each.tensor) for each in registered(module)}:
            raise CapsauditError("the model cannot be copied: its copy shares its tensors")
        copied.to("cpu", dtype)
    except CapsauditError:
        raise
    except Exception as error:
        raise CapsauditError(f"the model cannot be copied: {type(error).__name__}") from error
    for _, part in walk(copied):
        part.training = False
    return copied


def _fill(
    module: nn.Module, network: RecognisedNetwork, gain: float, generator: torch.Generator
) -> dict[str, list[Tensor]]:
    """Write known values into the tensors of each layer, and return these tensors."""
    named = {each.path: each.tensor for each in registered(module)}
    filled: dict[str, list[Tensor]] = {}
    for name, tensors in network.layers.items():
        for tensor in tensors:
            if tensor.name not in named:
                raise CapsauditError(f"{tensor.name} is computed when the model runs, so its values cannot be set")
            if named[tensor.name].is_floating_point():
                named[tensor.name].copy_(_values(name, tensor, gain, generator))
            filled.setdefault(name, []).append(named[tensor.name])
    return filled


def _values(layer: str, tensor: InventoryTensor, gain: float, generator: torch.Generator) -> Tensor:
    """Normal values. The gain is that of the capsule layers; what the other layers give is of about the size of what they take."""
    drawn = torch.randn(tensor.shape, generator=generator, dtype=torch.float32)
    if layer.startswith("bn"):
        return _norm_values(tensor.name, drawn)
    if layer == "digit_caps":
        return drawn * gain
    fan_in = math.prod(tensor.shape[1:]) if len(tensor.shape) > 1 else 10
    return drawn * 2 / math.sqrt(fan_in) * (gain if layer == "primary_caps" else 1)


def _norm_values(name: str, drawn: Tensor) -> Tensor:
    """Variances are positive, and far above any ε."""
    if name.endswith("var"):
        return 3 + drawn.abs()
    return drawn / 2 if name.endswith(("bias", "mean")) else 1 + drawn.abs() / 2


def _interesting(spec: CapsuleSpec) -> set[int]:
    """How many values the tensors have that are looked for: what the layers give, the votes, the scores."""
    capsules, _, classes, dimension = sizes_of(spec)
    sizes = [math.prod(layer.output_shape) for layer in layers(spec)]
    return {BATCH * size for size in (*sizes, capsules * classes * dimension, classes)}


def convolved(images: Tensor, weights: Sequence[Tensor], conv: Convolution) -> Tensor:
    """The convolution of the spec; where several stand for it, their channels one after another."""
    padded = _padded(images, conv)
    biases: list[Tensor | None] = [each for each in weights if each.dim() == 1] or [None] * len(weights)
    kernels = [each for each in weights if each.dim() == 4]
    return torch.cat([F.conv2d(padded, w, b, conv.stride) for w, b in zip(kernels, biases, strict=True)], 1)


def _padded(images: Tensor, conv: Convolution) -> Tensor:
    if conv.padding != "same":
        return F.pad(images, [0 if conv.padding == "valid" else conv.padding] * 4)
    height, width = images.shape[2:]
    (top, bottom), (left, right) = _margins(height, conv), _margins(width, conv)
    return F.pad(images, (left, right, top, bottom))


def _margins(size: int, conv: Convolution) -> tuple[int, int]:
    missing = max((conv_output(size, conv) - 1) * conv.stride + conv.kernel - size, 0)
    return missing // 2, missing - missing // 2
