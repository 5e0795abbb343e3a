"""The vocabulary of interpretation: every choice that a reader of a paper has to make, as frozen, typed settings ("knobs").

No setting has a default: a value stands in a variant file, beside the source that it comes from.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

LARGEST_SIZE = 2**63 - 1
"""A tensor's sizes are 64-bit integers; no network can have a larger one."""

Size = Annotated[int, Meta(ge=1, le=LARGEST_SIZE, description="a positive integer below 2^63")]
Iterations = Annotated[int, Meta(ge=1, le=100, description="an integer from 1 to 100")]
Share = Annotated[float, Meta(ge=0, lt=1, description="a number from 0 up to, not including, 1")]
Flag = Annotated[bool, Meta(description="true or false")]
Padding = Annotated[
    Literal["valid", "same"] | Annotated[int, Meta(ge=0, le=LARGEST_SIZE)],
    Meta(description='"valid", "same" or a number of pixels'),
]
SharedW = Annotated[Literal["none", "grid", "all"], Meta(description='"none", "grid" or "all"')]
Logits = Annotated[Literal["zero", "frozen", "trainable"], Meta(description='"zero", "frozen" or "trainable"')]
Coupling = Annotated[Literal["computed", "trainable"], Meta(description='"computed" or "trainable"')]
Gradient = Annotated[Literal["all", "last"], Meta(description='"all" or "last"')]
DecoderInput = Annotated[Literal["masked", "selected"], Meta(description='"masked" or "selected"')]
Widths = Annotated[tuple[Size, ...], Meta(description="a list of positive integers")]


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group of knobs."""


class Image(Settings, frozen=True):
    """The input: channels, and its size in pixels."""

    channels: Size
    height: Size
    width: Size


class Convolution(Settings, frozen=True):
    """A convolution with square kernels.

    `padding` is `valid` (none), `same` (⌈size / stride⌉ out, the odd pixel at the far side, as TensorFlow does it) or a
    number of pixels on each side.
    """

    channels: Size
    kernel: Size
    stride: Size
    padding: Padding
    bias: Flag


class PrimaryCaps(Settings, frozen=True):
    """The convolution whose channels are cut into `types` capsules of `dimension` at each place of its grid."""

    types: Size
    dimension: Size
    kernel: Size
    stride: Size
    padding: Padding
    bias: Flag

    @property
    def convolution(self) -> Convolution:
        """The same layer as a plain convolution: 32 types of 8 are 256 channels."""
        return Convolution(
            channels=self.types * self.dimension,
            kernel=self.kernel,
            stride=self.stride,
            padding=self.padding,
            bias=self.bias,
        )


class DigitCaps(Settings, frozen=True):
    """The capsules that stand for classes, and how the primary capsules are routed to them.

    `shared_w`: one matrix W for each pair of primary capsule and class (`none`), for each pair of type and class, shared over
    the grid (`grid`), or for each class (`all`). `logits`: the log priors b start from a constant zero, are stored but frozen,
    or are trained. `coupling`: the coefficients c are computed by routing, or those of the first iteration are trained.
    `none_of_the_above`: the softmax has one more place, of logit zero, for what belongs to no class. `gradient`: in training it
    passes through all iterations of routing, or through the last only.
    """

    classes: Size
    dimension: Size
    shared_w: SharedW
    bias: Flag
    logits: Logits
    coupling: Coupling
    iterations: Iterations
    none_of_the_above: Flag
    gradient: Gradient


class Decoder(Settings, frozen=True):
    """The reconstruction network: fully connected layers from the class capsules to the pixels.

    `input`: all class capsules, those of other classes set to zero (`masked`), or the one capsule alone (`selected`).
    """

    hidden: Widths
    input: DecoderInput


class CapsNet(Settings, frozen=True):
    """A capsule network as in Sabour et al. 2017, figures 1 and 2."""

    image: Image
    conv1: Convolution
    primary_caps: PrimaryCaps
    digit_caps: DigitCaps
    decoder: Decoder | None


class BaselineLayer(Settings, frozen=True):
    """A convolution of the baseline, with a bias and a ReLU, and a `pool`×`pool` maximum behind it (1: no pooling)."""

    channels: Size
    kernel: Size
    stride: Size
    pool: Size


class FullyConnected(Settings, frozen=True):
    """The layers behind the convolutions: hidden widths, then one output a class; dropout stands before the last."""

    hidden: Widths
    classes: Size
    dropout: Share


class Baseline(Settings, frozen=True):
    """The plain convolutional network that the paper compares with."""

    image: Image
    padding: Padding
    layers: tuple[BaselineLayer, ...]
    fully_connected: FullyConnected

    @property
    def convolutions(self) -> tuple[Convolution, ...]:
        """The layers as plain convolutions."""
        return tuple(
            Convolution(
                channels=layer.channels, kernel=layer.kernel, stride=layer.stride, padding=self.padding, bias=True
            )
            for layer in self.layers
        )


Spec = CapsNet | Baseline

FAMILIES: dict[str, type[CapsNet] | type[Baseline]] = {"capsnet": CapsNet, "baseline": Baseline}


def family(spec: Spec) -> str:
    """The name of the spec's family, as variant files give it."""
    return next(name for name, kind in FAMILIES.items() if isinstance(spec, kind))
