"""What a run was started with, as the file `settings.toml` in its folder has it. Needs no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec
import tomli_w
from msgspec import Struct

from capsaudit.catalogue.toml_files import read_table
from capsaudit.errors import CapsauditError, FileError
from capsaudit.families import family_of, spec_of
from capsaudit.knobs import flatten, to_data
from capsaudit.spec import Data, Spec, Value
from capsaudit.text import toml_escaped
from capsaudit.train.protocol import Protocol
from capsaudit.validation import faults_of


class Fork(Struct, frozen=True, forbid_unknown_fields=True):
    """Settings that were changed after so many steps, with the values that they had before."""

    step: int
    before: dict[str, Value]


class RunSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the numbers of a run depend on.

    `images`: single digits, or two overlaid. `data_sha256`: of all images and labels. `threads`: of each process; the sums of another
    number of threads are rounded otherwise, and so are those of another number of `processes`. `versions` is no setting, but a record.
    """

    variant: str
    images: Literal["digits", "multimnist"]
    data: str
    data_sha256: str
    device: str
    threads: int
    processes: int
    protocol: Protocol
    network: Data
    versions: dict[str, str] = {}
    forks: tuple[Fork, ...] = ()

    @property
    def spec(self) -> Spec:
        """The network."""
        return spec_of(self.network)

    def by_name(self) -> dict[str, Value]:
        """Each setting by the name that messages call it."""
        data: Data = msgspec.to_builtins(self)
        return flatten({**data.pop("protocol"), **{name: data[name] for name in _COMPARED}})


_COMPARED = ("variant", "images", "data", "data_sha256", "device", "threads", "processes", "network")

FIXED = ("variant", "images", "data", "network", "batch_size", "validation")
"""What a fork cannot change: the weights are of this network, and the place in the data of these images and batches."""


def network_of(spec: Spec) -> Data:
    """A network as a table that `spec_of` reads, with lists where specs have tuples, as files do."""
    table: Data = msgspec.json.decode(msgspec.json.encode(to_data(spec)))
    return {"family": family_of(spec).name} | table


def differences(before: RunSettings, after: RunSettings) -> Iterator[tuple[str, Value, Value]]:
    """The settings that differ: name, value before and value after."""
    old, new = before.by_name(), after.by_name()
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def is_fixed(name: str) -> bool:
    """Whether not even a fork can change this setting."""
    return name.startswith(FIXED)


def as_toml(settings: RunSettings) -> bytes:
    """The content of `settings.toml`."""
    data = msgspec.to_builtins(settings)
    return toml_escaped(tomli_w.dumps(_without_absent(data))).encode()


def read_settings(path: Path) -> RunSettings:
    """The settings in a file.

    Raises:
        FileError: it cannot be read, or is no file of settings.
    """
    table = read_table(str(path), path)
    try:
        settings, faults = faults_of(table, RunSettings)
        if settings is None:
            raise FileError(*(f"{fault.path} {fault.message}" for fault in faults))
        spec_of(settings.network)
    except CapsauditError as error:
        raise FileError(*(f"{path}: {fault}" for fault in error.faults)) from error
    return settings


def _without_absent(data: Mapping[str, Value]) -> Data:
    """TOML has no word for what is absent."""
    return {
        name: _without_absent(value) if isinstance(value, dict) else value
        for name, value in data.items()
        if value is not None
    }
