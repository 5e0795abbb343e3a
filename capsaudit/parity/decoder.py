"""What a decoder computes of the class capsules: which of them it is given, and its activations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from capsaudit.parity.prepare import Run
from capsaudit.parity.record import Recording, fitting

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "ReLU": F.relu,
    "no activation": lambda features: features,
    "leaky ReLU": F.leaky_relu,
    "ELU": F.elu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}
"""What is applied to the output of conv1, and between the layers of a decoder."""

LAST: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "no activation": lambda pixels: pixels,
    "ReLU": F.relu,
    "tanh": torch.tanh,
}
"""What is applied to the pixels at the end of the decoder (section 4.1)."""

_BARE = "no activation at its end"


def inputs_of(run: Run, capsules: Tensor) -> dict[str, Tensor]:
    """What the decoder may be given of the class capsules [batch, class, dimension]: the capsules of one class, or all."""
    if run.spec.decoder is None:
        return {}
    how = run.spec.decoder.input
    choose: Callable[[Tensor, Tensor], Tensor] = masked if how == "masked" else selected
    given = {f"{how} by the prediction": choose(capsules, capsules.norm(dim=-1).argmax(-1))}
    if run.labels is not None:
        given[f"{how} by the target"] = choose(capsules, run.labels)
    return given | ({"not masked": capsules.flatten(1)} if how == "masked" else {})


def given_to(run: Run, recording: Recording, capsules: Tensor) -> list[str]:
    """What the decoder was given, by what its first layer gave."""
    return fitting({name: recording.error(_hidden(run, each)) for name, each in inputs_of(run, capsules).items()})


def decoded_in(run: Run, capsules: Tensor) -> list[str]:
    """What the decoder may compute: what it was given, and its activations where they are not the paper's."""
    given = given_to(run, run.recording, capsules)
    fit = fitting({name: error for one in given for name, error in _errors(run, one, capsules)})
    return [name for name in fit if not name.endswith(_BARE)] or fit


def decoder_errors(run: Run, capsules: Tensor) -> Iterator[tuple[str, float]]:
    """The relative error of the pixels for each thing that a decoder may compute."""
    for given in inputs_of(run, capsules):
        yield from _errors(run, given, capsules)


def _errors(run: Run, given: str, capsules: Tensor) -> Iterator[tuple[str, float]]:
    """Of what is returned, if pixels are. Values before the last activation are recorded even if they are not the result."""
    pixels = math.prod(run.images.shape[1:])
    error = run.recording.output_error if run.recording.returns(pixels) else run.recording.error
    return ((name, error(values)) for name, values in _reconstructions(run, given, capsules))


def _reconstructions(run: Run, given: str, capsules: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The pixels for each pair of activations."""
    first = _hidden(run, inputs_of(run, capsules)[given])
    for hidden, activation in ACTIVATIONS.items():
        values = first
        for layer in _later(run):
            values = F.linear(activation(values), *layer)
        for last, final in LAST.items():
            yield _named(given, hidden, last), final(values)


def _named(given: str, hidden: str, last: str) -> str:
    inner = "" if hidden == next(iter(ACTIVATIONS)) else f", {hidden} between its layers"
    return f"{given}{inner}" + ("" if last == next(iter(LAST)) else f", {last} at its end")


def _hidden(run: Run, inputs: Tensor) -> Tensor:
    """What the first fully connected layer gives."""
    return F.linear(inputs, *run.weights["fc1"])


def _later(run: Run) -> list[list[Tensor]]:
    layers: Mapping[str, list[Tensor]] = run.weights
    return [layers[name] for name in sorted(layers) if name.startswith("fc") and name != "fc1"]


def masked(capsules: Float[Tensor, "batch j e"], classes: Int[Tensor, " batch"]) -> Float[Tensor, "batch je"]:
    """All but the capsule of one class set to zero (section 4.1), flat.

    >>> masked(torch.ones(1, 2, 2), torch.tensor([1]))
    tensor([[0., 0., 1., 1.]])
    """
    return (capsules * F.one_hot(classes, capsules.shape[1]).unsqueeze(-1).to(capsules)).flatten(1)


def selected(capsules: Float[Tensor, "batch j e"], classes: Int[Tensor, " batch"]) -> Float[Tensor, "batch e"]:
    """The capsule of one class alone.

    >>> selected(torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), torch.tensor([1]))
    tensor([[3., 4.]])
    """
    return capsules[torch.arange(len(capsules)), classes]
