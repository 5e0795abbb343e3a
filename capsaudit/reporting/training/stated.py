"""What training runs are compared with, and which runs are planned: the data of `stated.toml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from capsaudit.catalogue import Variant, load_variant
from capsaudit.catalogue.toml_files import read_table
from capsaudit.spec import Spec

_FILE = Path(__file__).with_name("stated.toml")


class KnownImages(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images that a run's checksum identifies, with their numbers. `sha256`: that of `train.splits.checksum`."""

    name: str
    sha256: str
    training_images: int
    test_images: int
    classes: int


class Network(Struct, frozen=True, kw_only=True):
    """A shipped variant. `settings`: knobs that are changed, as for `--set`."""

    variant: str
    settings: tuple[str, ...] = ()

    def load(self) -> Variant:
        """The variant with these knobs."""
        return load_variant(self.variant, settings=self.settings)

    @property
    def words(self) -> str:
        """The network as tables name it.

        >>> Network(variant="paper", settings=("digit_caps.iterations=1",)).words
        'paper with digit_caps.iterations = 1'
        """
        changed = ", ".join(each.replace("=", " = ", 1) for each in self.settings)
        return f"{self.variant} with {changed}" if changed else self.variant


class PlannedRun(Network, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run on MNIST that the page lists also where it is missing."""

    epochs: int

    @property
    def spec(self) -> Spec:
        """Its network."""
        return self.load().spec


class StatedError(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test error on MNIST as its source prints it, in percent. `rule`: what it is the error of. `variant`, `settings`: the network
    that it is stated for, where that is shipped.
    """

    source: str
    network: str
    error: str
    rule: str
    variant: str | None = None
    settings: tuple[str, ...] = ()

    @property
    def words(self) -> str | None:
        """The shipped network."""
        return None if self.variant is None else Network(variant=self.variant, settings=self.settings).words


class StatedData(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file. `data`: MNIST is the first."""

    data: tuple[KnownImages, ...]
    planned: tuple[PlannedRun, ...]
    stated: tuple[StatedError, ...]

    @property
    def mnist(self) -> KnownImages:
        """The images that all stated errors are of."""
        return self.data[0]

    def images(self, sha256: str) -> KnownImages | None:
        """The images with this checksum."""
        return next((each for each in self.data if each.sha256 == sha256), None)


@cache
def stated_data() -> StatedData:
    """What `stated.toml` has."""
    return msgspec.convert(read_table(_FILE.name, _FILE), StatedData)
