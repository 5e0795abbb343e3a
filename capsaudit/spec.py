"""Settings that families of networks share, as frozen, typed structs. A single setting is called a knob.

No knob has a default: its value is in a variant file, beside its source.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Value = Any
"""A knob's value: anything that TOML can express. Its type is checked where a spec is made of it."""

Data = dict[str, Value]
"""A table of TOML."""

LARGEST_SIZE = 2**63 - 1
"""Sizes of a tensor are 64-bit integers; no network can have a larger one."""

Size = Annotated[int, Meta(ge=1, le=LARGEST_SIZE, description="a positive integer below 2^63")]
Share = Annotated[float, Meta(ge=0, lt=1, description="a number from 0 up to, not including, 1")]
Flag = Annotated[bool, Meta(description="true or false")]
Padding = Annotated[
    Literal["valid", "same"] | Annotated[int, Meta(ge=0, le=LARGEST_SIZE)],
    Meta(description='"valid", "same" or a number of pixels'),
]
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

    `padding` is `valid` (none), `same` (⌈size / stride⌉ out, the odd pixel at the far side, as in TensorFlow) or a
    number of pixels on each side.
    """

    channels: Size
    kernel: Size
    stride: Size
    padding: Padding
    bias: Flag


class Decoder(Settings, frozen=True):
    """The reconstruction network: fully connected layers from the class capsules to the pixels.

    `input`: all class capsules, those of other classes set to zero (`masked`), or the one capsule alone (`selected`).
    """

    hidden: Widths
    input: DecoderInput

    def inputs(self, *, classes: int, dimension: int) -> int:
        """How many values the decoder takes: 10·16 = 160 where the other capsules are masked, 16 where one is selected."""
        return dimension * (classes if self.input == "masked" else 1)


class Spec(Settings, frozen=True):
    """A network of some family, described completely by its knobs."""

    image: Image
