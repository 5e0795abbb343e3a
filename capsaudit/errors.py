"""What goes wrong in ways a person can mend: one class a kind, its text ready for the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from capsaudit.text import escaped


class CapsauditError(Exception):
    r"""Something that could not be audited, with every fault that was found. The command line shows the text and exits with 2.

    `choices`: what would have worked, a line each below the faults.

    A fault may contain names from files: each is shown on one line, whatever it contains.

    >>> print(CapsauditError("a.toml: image is missing", "a.toml: x\ny is unknown"))
    a.toml: image is missing
    a.toml: x\ny is unknown
    """

    def __init__(self, *faults: str, choices: Iterable[str] = ()) -> None:
        self.faults = tuple(map(escaped, faults))
        self.choices = tuple(map(escaped, choices))
        super().__init__(*self.faults)

    def __str__(self) -> str:
        return "\n".join((*self.faults, *self.choices))


class FigureError(CapsauditError):
    """A printed figure that cannot be read as a number of parameters."""


class DataError(CapsauditError):
    """Images or labels that cannot be had or read."""


class UnknownVariantError(CapsauditError):
    """A name that is neither a shipped variant nor a file."""


class FileError(CapsauditError):
    """A file that cannot be used: a variant, a space, claims, a model."""
