"""Weights and states as safetensors, and back. A file of weights says in its metadata which network they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from capsaudit.errors import FileError
from capsaudit.families import spec_of
from capsaudit.models import Network, build
from capsaudit.spec import Data
from capsaudit.train.optimiser import Adam

_MOMENTS, _CPU, _CUDA = "optimiser", "random.cpu", "random.cuda"


def weights(model: Network, network: Data) -> bytes:
    """A file with the model's tensors alone. It has one key of metadata: safetensors writes several in any order."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    return save(tensors, {"network": json.dumps(network)})


def put_weights(model: Network, content: bytes, name: str) -> None:
    """Give a model the weights of a file; `name` is what messages call it.

    Raises:
        FileError: it has other tensors than the model.
    """
    found = _loaded(content, name)
    wanted = model.state_dict()
    for each in sorted({*found, *wanted}):
        shapes = [tuple(side[each].shape) if each in side else None for side in (found, wanted)]
        if shapes[0] != shapes[1]:
            raise FileError(f"{name}: {each} has shape {shapes[0]}; expected {shapes[1]}")
    with torch.no_grad():
        for each, tensor in wanted.items():  # in place: the strides of the model stay
            tensor.copy_(found[each])


def state(optimiser: Adam, names: Mapping[Tensor, str], device: str) -> bytes:
    """A file with what else a run goes on from: the optimiser, the random state, and the number of steps."""
    tensors = {"steps": torch.tensor(optimiser.steps), _CPU: torch.get_rng_state()}
    if device.startswith("cuda"):
        tensors[_CUDA] = torch.cuda.get_rng_state(device)
    for parameter, kept in zip(optimiser.parameters, optimiser.state(), strict=True):
        for moment, tensor in kept.items():
            tensors[f"{_MOMENTS}.{moment}.{names[parameter]}"] = tensor.detach().cpu().contiguous()
    return save(tensors)


def restore(optimiser: Adam, names: Mapping[Tensor, str], device: str, content: bytes, name: str) -> None:
    """Put a state back.

    Raises:
        FileError: it is not the state of such a run.
    """
    found = _loaded(content, name)
    try:
        moments = [
            {moment: found[f"{_MOMENTS}.{moment}.{names[parameter]}"] for moment in kept}
            for parameter, kept in zip(optimiser.parameters, optimiser.state(), strict=True)
        ]
        optimiser.restore(moments, steps=int(found["steps"]))
        torch.set_rng_state(found[_CPU])
        if _CUDA in found and device.startswith("cuda"):
            torch.cuda.set_rng_state(found[_CUDA], device)
    except (KeyError, RuntimeError) as error:
        raise FileError(f"{name}: is not the state of this run: {error}") from error


def network_in(path: Path) -> Data:
    """The network that the weights in a file belong to, as a table for `spec_of`.

    Raises:
        FileError: it is no file of weights, or does not say what they belong to.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        network = json.loads(metadata["network"])
    except (OSError, SafetensorError) as error:
        raise FileError(f"{path}: is no safetensors file that can be read: {error}") from error
    except (KeyError, ValueError, RecursionError) as error:
        raise FileError(
            f"{path}: its metadata names no network; expected a checkpoint that capsaudit train has written"
        ) from error
    if not isinstance(network, dict):
        raise FileError(f"{path}: network in its metadata is no table")
    return network


def load_weights(path: Path, *, device: str = "cpu") -> Network:
    """The module of a file of weights that says what they belong to.

    Raises:
        FileError: it cannot be read or does not say it.
    """
    spec = spec_of(network_in(path))
    content = path.read_bytes()
    put_weights(
        build(spec, device="meta"), content, str(path)
    )  # copying to meta does nothing: shapes alone are compared
    model = build(spec, device=device)
    put_weights(model, content, str(path))
    return model


def _loaded(content: bytes, name: str) -> dict[str, Tensor]:
    try:
        return load(content)
    except SafetensorError as error:
        raise FileError(f"{name}: is no safetensors file: {error}") from error
