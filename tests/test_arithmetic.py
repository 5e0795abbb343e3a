"""Shapes and parameters of single layers, against integers worked out by hand."""

import pytest

from capsaudit.arithmetic import (
    batch_norm,
    conv_fault,
    conv_formula,
    conv_output,
    convolution,
    fully_connected,
    image_shape,
    parameter,
    reconstruction,
)
from capsaudit.formula import Number
from capsaudit.spec import Convolution, Decoder, Image, Padding


def conv(
    *, channels: int = 256, kernel: int = 9, stride: int = 1, padding: Padding = "valid", bias: bool = True
) -> Convolution:
    return Convolution(channels=channels, kernel=kernel, stride=stride, padding=padding, bias=bias)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "output"),
    [
        pytest.param(28, 9, 1, "valid", 20, id="28 − 9 + 1"),
        pytest.param(20, 9, 2, "valid", 6, id="⌊(20 − 9)/2⌋ + 1"),
        pytest.param(28, 9, 2, "valid", 10, id="⌊(28 − 9)/2⌋ + 1"),
        pytest.param(24, 9, 1, "same", 24, id="same at stride 1"),
        pytest.param(24, 9, 2, "same", 12, id="⌈24/2⌉"),
        pytest.param(25, 9, 2, "same", 13, id="⌈25/2⌉"),
        pytest.param(20, 9, 2, 4, 10, id="⌊(20 + 8 − 9)/2⌋ + 1"),
        pytest.param(9, 9, 2, "valid", 1, id="as large as its input"),
        pytest.param(8, 9, 1, "valid", 0, id="one larger than its input"),
    ],
)
def test_output_of_a_convolution(size: int, kernel: int, stride: int, padding: Padding, output: int) -> None:
    assert conv_output(size, conv(kernel=kernel, stride=stride, padding=padding)) == output


def test_parameters_of_a_convolution_with_and_without_a_bias() -> None:
    assert conv_formula(conv(), channels_in=1, channels_out=Number(256)).value == 20_992  # (9·9·1 + 1)·256
    assert conv_formula(conv(bias=False), channels_in=1, channels_out=Number(256)).value == 20_736  # 9·9·256
    assert str(conv_formula(conv(bias=False), channels_in=3, channels_out=Number(64))) == "9·9·3·64"


def test_a_convolution_as_a_layer() -> None:
    """28×28 → 20×20, pooled by 2: 10×10."""
    row = convolution("conv1", conv(channels=4), (3, 28, 26), pool=2)
    assert (row.name, row.input_shape, row.output_shape) == ("conv1", (3, 28, 26), (4, 10, 9))
    assert [(p.name, p.shape, p.count) for p in row.parameters] == [("weight", (4, 3, 9, 9), 972), ("bias", (4,), 4)]
    assert row.formula.value == 972 + 4
    assert not row.bare
    assert [p.name for p in convolution("conv1", conv(bias=False), (1, 28, 28)).parameters] == ["weight"]


@pytest.mark.parametrize(
    ("kernel", "padding", "sizes", "message"),
    [
        (29, "valid", (28, 28), "conv1.kernel (=29) is larger than its input (=28×28)"),
        (9, "valid", (8, 16), "conv1.kernel (=9) is larger than its input (=8×16)"),
        (9, "valid", (16, 8), "conv1.kernel (=9) is larger than its input (=16×8)"),
        (31, 1, (28, 28), "conv1.kernel (=31) is larger than its input (=28×28 padded by 1)"),
        (28, "valid", (28, 28), None),
        (31, 2, (28, 28), None),  # 28 + 2·2 = 32
        (99, "same", (28, 28), None),
    ],
)
def test_a_kernel_larger_than_its_input_is_a_fault(
    kernel: int, padding: Padding, sizes: tuple[int, int], message: str | None
) -> None:
    assert conv_fault("conv1", conv(kernel=kernel, padding=padding), sizes) == message


def test_fully_connected_layers_between_widths() -> None:
    rows = list(fully_connected((784, 300, 10)))
    assert [(row.name, row.input_shape, row.output_shape) for row in rows] == [
        ("fc1", (784,), (300,)),
        ("fc2", (300,), (10,)),
    ]
    assert [row.formula.value for row in rows] == [235_500, 3_010]  # 785·300, 301·10
    assert [p.shape for p in rows[0].parameters] == [(300, 784), (300,)]
    assert not any(row.decoder for row in rows)
    assert list(fully_connected((784,))) == []


def test_a_decoder_from_capsules_to_pixels() -> None:
    image = Image(channels=1, height=28, width=28)
    masked = list(reconstruction(Decoder(hidden=(512, 1024), input="masked"), image, classes=10, dimension=16))
    assert [row.formula.value for row in masked] == [82_432, 525_312, 803_600]  # 161·512, 513·1024, 1025·784
    assert all(row.decoder for row in masked)
    selected = next(reconstruction(Decoder(hidden=(512,), input="selected"), image, classes=10, dimension=16))
    assert selected.formula.value == 17 * 512
    (alone,) = reconstruction(Decoder(hidden=(), input="masked"), image, classes=10, dimension=16)
    assert alone.formula.value == 161 * 784
    assert list(reconstruction(None, image, classes=10, dimension=16)) == []


def test_batch_normalisation_has_a_scale_and_a_shift_and_keeps_statistics() -> None:
    row = batch_norm("bn1", (32, 24, 24))
    assert row.input_shape == row.output_shape == (32, 24, 24)
    assert row.formula.value == 64 == sum(p.count for p in row.parameters if p.trainable)
    assert not any(b.trainable for b in row.buffers)
    assert {b.name: b.count for b in row.buffers} == {"running_mean": 32, "running_var": 32, "num_batches_tracked": 1}


def test_shapes_are_channels_first() -> None:
    assert image_shape(Image(channels=3, height=24, width=20)) == (3, 24, 20)


def test_a_tensor_counts_what_its_shape_gives() -> None:
    assert parameter("weight", (1152, 10, 8, 16)).count == 1_474_560
    assert parameter("number", ()).count == 1
    assert parameter("weight", (2, 3)).trainable
    assert not parameter("logits", (1152, 10), trainable=False).trainable
