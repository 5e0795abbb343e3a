"""What goes wrong in ways a person can mend: one class a kind, its text ready for the terminal."""

from __future__ import annotations

from collections.abc import Iterable


class CapsauditError(Exception):
    """Something that could not be audited. The command line shows the text and exits with 2."""


class FigureError(CapsauditError):
    """A printed figure that cannot be read as a number of parameters."""


class DataError(CapsauditError):
    """Images or labels that cannot be had or read."""


class UnknownVariantError(CapsauditError):
    """A name that is neither a shipped variant nor a file."""


class FileError(CapsauditError):
    """A file that cannot be used (a variant, a space, claims), with every fault that was found in it.

    >>> print(FileError(["a.toml: image is missing", "a.toml: conv1.kernel is 0"]))
    a.toml: image is missing
    a.toml: conv1.kernel is 0
    """

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))
