"""The settings of a run as a file, and what differs between two of them."""

from pathlib import Path

import msgspec
import pytest

from capsaudit.catalogue import load_variant, shipped
from capsaudit.errors import FileError
from capsaudit.families import spec_of
from capsaudit.train.protocol import Protocol
from capsaudit.train.settings import (
    Fork,
    RunSettings,
    as_toml,
    differences,
    is_fixed,
    network_of,
    read_settings,
)


def settings(variant: str = "paper", **changed: object) -> RunSettings:
    found = RunSettings(
        variant=variant,
        images="digits",
        data="60,000 + 10,000 IDX images of 28×28",
        data_sha256="0" * 64,
        device="cpu",
        threads=2,
        processes=1,
        protocol=Protocol(epochs=3, shift=2, validation=5000),
        network=network_of(load_variant(variant).spec),
        versions={"torch": "2.13.0"},
        forks=(Fork(4, {"learning_rate": 0.01, "seed": 1}),),
    )
    return msgspec.structs.replace(found, **changed)


@pytest.mark.parametrize("variant", sorted(shipped()))
def test_what_is_written_is_read_again(variant: str, tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_bytes(as_toml(settings(variant)))
    found = read_settings(path)
    assert found == settings(variant)
    assert found.spec == load_variant(variant).spec


def test_names_from_files_are_text(tmp_path: Path) -> None:
    path, hostile = tmp_path / "settings.toml", msgspec.structs.replace(settings(), variant="a\n\u202e")
    path.write_bytes(as_toml(hostile))
    assert read_settings(path).variant == "a\n\u202e"
    assert "\u202e" not in path.read_text(encoding="utf-8")


def test_what_differs_is_named_as_on_the_command_line_or_by_its_knob() -> None:
    other = settings(protocol=Protocol(epochs=4, shift=2, validation=5000), threads=1)
    assert list(differences(settings(), other)) == [("epochs", 3, 4), ("threads", 2, 1)]
    changed = settings(network=network_of(load_variant("paper", settings=["conv1.kernel=7"]).spec))
    assert list(differences(settings(), changed)) == [("network.conv1.kernel", 9, 7)]
    without = settings(network=network_of(load_variant("paper-no-decoder").spec))
    assert {name for name, _, _ in differences(settings(), without)} == {
        "network.decoder",
        "network.decoder.hidden",
        "network.decoder.input",
    }


def test_versions_and_forks_are_records() -> None:
    assert list(differences(settings(), settings(versions={}, forks=()))) == []


@pytest.mark.parametrize(
    "name", ["variant", "images", "data", "data_sha256", "network.conv1.kernel", "batch_size", "validation"]
)
def test_what_a_fork_cannot_change(name: str) -> None:
    assert is_fixed(name)


@pytest.mark.parametrize(
    "name", ["epochs", "seed", "learning_rate", "shift", "device", "threads", "processes", "decay"]
)
def test_what_a_fork_can_change(name: str) -> None:
    assert not is_fixed(name)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({}, "network.family is null; expected one of"),
        ({"family": "capsnets"}, "network.family is \"capsnets\"; did you mean 'capsnet'"),
        ({"family": "capsnet"}, "network.image is missing"),
        (
            network_of(load_variant("paper").spec) | {"image": {"channels": 1, "height": 3, "width": 3}},
            "network: .*conv1",
        ),
    ],
)
def test_networks_that_cannot_be(network: dict[str, object], message: str) -> None:
    with pytest.raises(FileError, match=message):
        spec_of(network)
