"""The networks once more, deliberately plain: numpy in float64, loops over every index, nothing shared with capsaudit's models.

Only the layout of the parameters is theirs, so that weights can be carried over.
"""

import numpy as np
from numpy.typing import NDArray

from capsaudit.families.capsnet import CapsNet, DigitCaps
from capsaudit.spec import Convolution

Array = NDArray[np.float64]
Weights = dict[str, Array]


def convolve(image: Array, weight: Array, bias: Array | None, conv: Convolution) -> Array:
    """[channels, height, width] in and out: the sum under the kernel at each place, one place after another."""
    _, height, width = image.shape
    kernel, stride = conv.kernel, conv.stride
    if conv.padding == "same":
        rows, columns = -(-height // stride), -(-width // stride)
        down = max((rows - 1) * stride + kernel - height, 0)
        right = max((columns - 1) * stride + kernel - width, 0)
        margins = ((0, 0), (down // 2, down - down // 2), (right // 2, right - right // 2))
    else:
        pixels = 0 if conv.padding == "valid" else int(conv.padding)
        margins = ((0, 0), (pixels, pixels), (pixels, pixels))
    padded = np.pad(image, margins)
    rows = (padded.shape[1] - kernel) // stride + 1
    columns = (padded.shape[2] - kernel) // stride + 1
    output = np.zeros((len(weight), rows, columns))
    for channel in range(len(weight)):
        for row in range(rows):
            for column in range(columns):
                window = padded[:, row * stride : row * stride + kernel, column * stride : column * stride + kernel]
                output[channel, row, column] = (window * weight[channel]).sum()
        if bias is not None:
            output[channel] += bias[channel]
    return output


def squash(vector: Array) -> Array:
    """Equation 1, as printed."""
    length = float(np.sqrt((vector**2).sum()))
    return np.zeros_like(vector) if length == 0 else (length**2 / (1 + length**2)) * (vector / length)


def softmax(logits: Array) -> Array:
    exponentials = np.exp(logits - logits.max())
    total: Array = exponentials / exponentials.sum()
    return total


def primary_capsules(features: Array, types: int, dimension: int) -> tuple[list[Array], list[int]]:
    """Capsules place by place, type by type; and the type of each."""
    capsules, kinds = [], []
    _, rows, columns = features.shape
    for row in range(rows):
        for column in range(columns):
            for kind in range(types):
                channels = [features[kind * dimension + d, row, column] for d in range(dimension)]
                capsules.append(squash(np.array(channels)))
                kinds.append(kind)
    return capsules, kinds


def digit_capsules(capsules: list[Array], kinds: list[int], digit: DigitCaps, weights: Weights) -> Array:
    """Predictions (equation 2) and procedure 1, for one image."""
    matrix = weights["digit_caps.weight"]
    votes = {}
    for i, capsule in enumerate(capsules):
        for j in range(digit.classes):
            match digit.shared_w:
                case "none":
                    w = matrix[i, j]
                case "grid":
                    w = matrix[kinds[i], j]
                case "all":
                    w = matrix[j]
            votes[i, j] = capsule @ w
    return route(votes, len(capsules), digit, weights)


def route(votes: dict[tuple[int, int], Array], count: int, digit: DigitCaps, weights: Weights) -> Array:
    logits = weights.get("digit_caps.logits", np.zeros((count, digit.classes))).copy()
    outputs = np.zeros((digit.classes, digit.dimension))
    for iteration in range(digit.iterations):
        coupling = np.zeros((count, digit.classes))
        for i in range(count):
            row = np.append(logits[i], 0.0) if digit.none_of_the_above else logits[i]
            coupling[i] = softmax(row)[: digit.classes]
        if iteration == 0 and "digit_caps.coupling" in weights:
            coupling = weights["digit_caps.coupling"]
        for j in range(digit.classes):
            total = weights["digit_caps.bias"][j].copy() if digit.bias else np.zeros(digit.dimension)
            for i in range(count):
                total += coupling[i, j] * votes[i, j]
            outputs[j] = squash(total)
        for i in range(count):
            for j in range(digit.classes):
                logits[i, j] += outputs[j] @ votes[i, j]
    return outputs


def capsnet(net: CapsNet, weights: Weights, image: Array, target: int) -> tuple[Array, Array | None]:
    """Lengths of the class capsules and the reconstruction of the target's, for one image."""
    features = np.maximum(convolve(image, weights["conv1.weight"], weights.get("conv1.bias"), net.conv1), 0)
    primary = net.primary_caps
    channels = convolve(features, weights["primary_caps.weight"], weights.get("primary_caps.bias"), primary.convolution)
    capsules, kinds = primary_capsules(channels, primary.types, primary.dimension)
    outputs = digit_capsules(capsules, kinds, net.digit_caps, weights)
    lengths = np.sqrt((outputs**2).sum(axis=1))
    if net.decoder is None:
        return lengths, None
    masked = [outputs[j] if j == target else np.zeros_like(outputs[j]) for j in range(net.digit_caps.classes)]
    values = outputs[target] if net.decoder.input == "selected" else np.concatenate(masked)
    depth = len(net.decoder.hidden) + 1
    for n in range(1, depth + 1):
        values = weights[f"decoder.fc{n}.weight"] @ values + weights[f"decoder.fc{n}.bias"]
        values = np.maximum(values, 0) if n < depth else 1 / (1 + np.exp(-values))
    return lengths, values.reshape(image.shape)
