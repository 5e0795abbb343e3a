"""Weights and states as files: the same tensors again, or a message."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from capsaudit.api import audit_target
from capsaudit.catalogue import load_variant, shipped
from capsaudit.errors import FileError
from capsaudit.models import Network, build
from capsaudit.train.optimiser import Adam
from capsaudit.train.settings import network_of
from capsaudit.train.weights import load_weights, put_weights, restore, state, weights
from tests.expected import BUFFERS, FROZEN, TOTALS
from tests.train.runs import write_small


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return write_small(tmp_path)


def network(path: Path, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return build(load_variant(path).spec)


def file_of(path: Path, model: Network) -> Path:
    target = path.with_suffix(".safetensors")
    target.write_bytes(weights(model, network_of(load_variant(path).spec)))
    return target


def test_a_file_of_weights_has_the_models_tensors_alone(small: Path) -> None:
    model = network(small)
    found = load(file_of(small, model).read_bytes())
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in model.state_dict().items())


def test_the_same_weights_are_the_same_bytes(small: Path) -> None:
    assert file_of(small, network(small)).read_bytes() == file_of(small, network(small)).read_bytes()


def test_a_file_of_weights_says_which_network_they_belong_to(small: Path) -> None:
    model = network(small)
    loaded = load_weights(file_of(small, model))
    images = torch.rand(2, 1, 10, 10)
    assert torch.equal(loaded(images).scores, model(images).scores)
    strides = [{name: tensor.stride() for name, tensor in each.state_dict().items()} for each in (loaded, model)]
    assert strides[0] == strides[1], "channels last, as the kernels need it"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no safetensors file"),
        (b"x" * 100, "is no safetensors file"),
        (save({"w": torch.ones(1)}), "its metadata names no network; expected a checkpoint"),
        (save({"w": torch.ones(1)}, {"network": "["}), "its metadata names no network"),
        (save({"w": torch.ones(1)}, {"network": "[]"}), "network in its metadata is no table"),
        (save({"w": torch.ones(1)}, {"network": "{}"}), "network.family is null"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(FileError, match=message):
        load_weights(path)
    with pytest.raises(FileError, match="is no safetensors file"):
        load_weights(tmp_path / "missing")


def test_weights_of_another_network_are_refused_before_it_is_built(small: Path) -> None:
    """A file may name any network: nothing of its size is allocated."""
    large = load_variant(small, settings=["conv1.channels=1000000000"]).spec
    path = small.with_suffix(".safetensors")
    path.write_bytes(weights(network(small), network_of(large)))
    with pytest.raises(FileError, match=r"conv1\.bias has shape \(4,\); expected \(1000000000,\)"):
        load_weights(path)
    with pytest.raises(FileError, match=r"conv1\.bias has shape None"):
        put_weights(network(small), save({}), "x")


def test_a_state_is_that_of_the_optimiser_and_of_the_random_numbers(small: Path) -> None:
    model, other = network(small), network(small)
    ours, theirs = Adam(model.parameters()), Adam(other.parameters())
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    model(torch.rand(2, 1, 10, 10)).scores.sum().backward()
    ours.step()
    content = state(ours, names, "cpu")
    expected = torch.rand(3)
    other_names: dict[Tensor, str] = {parameter: name for name, parameter in other.named_parameters()}
    restore(theirs, other_names, "cpu", content, "x")
    assert torch.equal(torch.rand(3), expected)
    assert theirs.steps == 1
    for one, two in zip(ours.state(), theirs.state(), strict=True):
        assert all(torch.equal(one[name], two[name]) for name in one)
    with pytest.raises(FileError, match="x: is not the state of this run"):
        restore(theirs, other_names, "cpu", save({"steps": torch.tensor(1)}), "x")


@pytest.mark.parametrize("variant", sorted(shipped()))
def test_audit_names_the_variant_of_every_file_of_weights(variant: str, tmp_path: Path) -> None:
    """A file has no word on training but capsaudit's own has its network: frozen logits are no trained ones."""
    model = build(load_variant(variant).spec, device="meta").to_empty(device="cpu")
    (tmp_path / "last.safetensors").write_bytes(weights(model, network_of(load_variant(variant).spec)))
    found = audit_target(str(tmp_path / "last.safetensors"), against=None)
    (tmp_path / "last.safetensors").unlink()  # 142 MB of the largest one
    assert (found.closest, found.has_its_tensors, found.difference) == (variant, True, 0)
    assert (found.trainable, found.frozen) == (TOTALS[variant], FROZEN.get(variant, 0))
    assert found.buffers == BUFFERS.get(variant, 0)
