"""Running a copy of a model with known weights, so that every stage of its forward pass can be told apart."""

from __future__ import annotations

import copy
import math
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
from capsaudit.inspection.modules.forward import Arguments, restored_random_state
from capsaudit.inspection.modules.walk import registered, walk
from capsaudit.inventory import InventoryTensor
from capsaudit.parity.arguments import described, given_in, with_output
from capsaudit.parity.calls import Call, example_batch, ways
from capsaudit.parity.methods import method_call
from capsaudit.parity.record import Recorder, Recording
from capsaudit.recognition.base import RecognisedNetwork
from capsaudit.spec import Convolution, Spec

BATCH = 3
"""Images of a run, unless the model runs on another number only: two cannot show whether an average over the batch is taken over images or
over something else of that size.
"""

GAINS = (1.0, 0.2, 3.0)
"""Factors of the weights of both capsule layers. At small lengths all squashes are alike, at large ones all softmaxes are."""

CapsuleSpec = CapsNet | EfficientCapsNet
"""The families whose layers can be given known weights."""


class Sizes(NamedTuple):
    """Primary capsules and their dimension, classes and theirs."""

    capsules: int
    dimension_in: int
    classes: int
    dimension: int


class Run(NamedTuple):
    """One forward pass: what went in, the weights, and what was recorded.

    `spec`: that of the family whose stages are looked for. `labels` is None if forward was given none. `weights` are those of the layers, by
    the layers' names, in float64; `tensors` are those of the copy that was called.
    """

    spec: Any
    sizes: Sizes
    images: Tensor
    labels: Tensor | None
    weights: dict[str, list[Tensor]]
    recording: Recording
    module: nn.Module
    tensors: dict[str, list[Tensor]]
    call: Call

    def again(self) -> Recording:
        """Call the same copy once more.

        Raises:
            CapsauditError: its forward raised an error.
        """
        with restored_random_state(), default_dtype(self.call.dtype), torch.no_grad():
            return _recorded(self.module, self.images, self.call, self.spec)

    def returned(self) -> object:
        """What the same copy returns, with the graph of its gradient.

        Raises:
            CapsauditError: its forward raised an error.
        """
        with restored_random_state(), default_dtype(self.call.dtype), torch.enable_grad():
            return self.call._replace(methods=())(self.module, self.images)


def sizes_of(spec: Spec) -> Sizes:
    """From the arithmetic of DigitCaps."""
    digit = next(layer for layer in layers(spec) if layer.name == "digit_caps")
    capsules, dimension_in = digit.input_shape
    return Sizes(capsules, dimension_in, *digit.output_shape)


def call_of(module: nn.Module, network: RecognisedNetwork, example: Arguments | None = None) -> Call:
    """The first way to call the model that works for a copy of it. `example`: arguments that it was given with.

    Raises:
        CapsauditError: the model cannot be copied, or its forward raised an error in all ways that were tried.
    """
    tried: dict[str, list[str]] = {}
    for call in _calls(module, network, example):
        try:
            called_copy(call, module, network.spec)
        except CapsauditError as error:
            tried.setdefault(described(call.arguments), []).extend(error.faults)
        else:
            return call
    ways = (f"with {words}: {', and '.join(dict.fromkeys(faults))}" for words, faults in tried.items())
    batches = " and ".join(map(str, dict.fromkeys(call.batch for call in _calls(module, network, example))))
    raise CapsauditError(
        f"the model did not run in any of the ways that were tried, with batches of {batches}: {'; '.join(ways)}"
    )


def with_methods(call: Call, module: nn.Module, network: RecognisedNetwork, names: Sequence[str]) -> Call:
    """The call with methods behind it, whose arguments are found by the names of their parameters.

    Raises:
        CapsauditError: there is no such method, or it raised an error for all arguments that were tried.
    """
    for name in names:
        copied, output = called_copy(call, module, network.spec)
        known = with_output(call.known(_images(network.spec, call)), output, call.dimension)
        with restored_random_state(), default_dtype(call.dtype), torch.no_grad():
            found = method_call(copied, name, known, given_in(call.arguments))
        call = call._replace(methods=(*call.methods, found))
    return call


def _calls(module: nn.Module, network: RecognisedNetwork, example: Arguments | None) -> Iterator[Call]:
    """A batch of three in float64 is best; a model may be written for another number of images or for float32."""
    assert isinstance(network.spec, CapsuleSpec)
    sizes, image = sizes_of(network.spec), _image(network.spec)
    batches = dict.fromkeys((BATCH, example_batch(example, image) or BATCH))
    for arguments in ways(module, image, sizes.classes, example):
        for batch in batches:
            for dtype in (torch.float64, torch.float32):
                yield Call(arguments, dtype, batch, sizes.classes, sizes.dimension)


def called_copy(call: Call, module: nn.Module, spec: Spec) -> tuple[nn.Module, object]:
    """A copy that was called, and its output."""
    with restored_random_state(), default_dtype(call.dtype), torch.no_grad():
        copied = copy_of(module, call.dtype)
        return copied, call(copied, _images(spec, call))


def _images(spec: Spec, call: Call, generator: torch.Generator | None = None) -> Tensor:
    """Images of a call, in float64."""
    generator = generator or torch.Generator().manual_seed(0)
    return torch.rand((call.batch, *_image(spec)), generator=generator, dtype=torch.float64)


def _image(spec: Spec) -> tuple[int, int, int]:
    return spec.image.channels, spec.image.height, spec.image.width


def run_with(
    module: nn.Module, network: RecognisedNetwork, gain: float, call: Call | None = None, *, training: bool = False
) -> Run:
    """Call a copy whose recognised layers have known weights. `call`: how; found if it is not given. `training`: in train mode, but for batch
    normalisations: the statistics of a batch would change all that follows.

    Raises:
        CapsauditError: the model cannot be copied or does not run.
    """
    spec, call = network.spec, call or call_of(module, network)
    assert isinstance(spec, CapsuleSpec)
    generator = torch.Generator().manual_seed(0)
    with restored_random_state(), default_dtype(call.dtype), torch.no_grad():
        torch.manual_seed(0)
        copied = copy_of(module, call.dtype)
        tensors = _fill(copied, network, gain, generator)
        weights = {
            name: [each.detach().to(torch.float64, copy=True) for each in found] for name, found in tensors.items()
        }
        _set_training(copied, training=training)
        images = _images(spec, call, generator)
        recording = _recorded(copied, images, call, spec)
        labels = call.labels if call.has_labels else None
        return Run(spec, sizes_of(spec), images, labels, weights, recording, copied, tensors, call)


def _recorded(module: nn.Module, images: Tensor, call: Call, spec: CapsuleSpec) -> Recording:
    with Recorder(_interesting(spec, call.batch)) as recorder:
        output = call(module, images)
    return Recording(recorder.found, output, call.batch)


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
    _set_training(copied, training=False)
    return copied


def _set_training(module: nn.Module, *, training: bool) -> None:
    for _, part in walk(module):
        part.training = training and not isinstance(part, _BatchNorm)


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


def _interesting(spec: CapsuleSpec, batch: int) -> set[int]:
    """How many values the tensors have that are looked for: what the layers give, the votes, the scores."""
    capsules, _, classes, dimension = sizes_of(spec)
    sizes = [math.prod(layer.output_shape) for layer in layers(spec)]
    return {batch * size for size in (*sizes, capsules * classes * dimension, classes)}


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
