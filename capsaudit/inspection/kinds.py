"""The kinds of files with weights: how each is recognised, and the module that reads it.

A new kind is a module in `files/` with a function `read(path)`, which returns a `Contents` for each network in the file by its name
(`""` if there is one without a name), and a line in this table.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

HEAD_BYTES = 64
"""How many bytes of a file its kind is recognised from."""


class FileKind(Struct, frozen=True):
    """A kind of files. `module`: its name in `capsaudit.inspection.files`. `begins`: whether a file of this kind may begin with these bytes."""

    name: str
    module: str
    suffixes: tuple[str, ...]
    begins: Callable[[bytes], bool]


KINDS = (
    FileKind("checkpoint", "checkpoint", (".pt", ".pth", ".bin", ".ckpt"), lambda head: _is_checkpoint(head)),
    FileKind("safetensors", "safetensors", (".safetensors",), lambda head: head[8:9] == b"{"),
    FileKind("HDF5", "hdf5", (".h5", ".hdf5"), lambda head: head.startswith(b"\x89HDF\r\n\x1a\n")),
    FileKind("GGUF", "gguf", (".gguf",), lambda head: head.startswith(b"GGUF")),
    FileKind("index", "index", (".index.json",), lambda head: head.lstrip().startswith(b"{")),
)
"""In the order in which a file's first bytes are compared."""

SUFFIXES = tuple(suffix for kind in KINDS for suffix in kind.suffixes)


def _is_checkpoint(head: bytes) -> bool:
    """An archive, or a pickle of protocol 2 as `torch.save` writes both."""
    return head.startswith((b"PK\3\4", b"\x80\x02"))


def kind_by_name(name: str) -> FileKind | None:
    """The kind that a file's name ends like, in capitals or not.

    >>> [kind.name for kind in map(kind_by_name, ("net.PTH", "model.safetensors.index.json")) if kind], kind_by_name("config.json")
    (['checkpoint', 'index'], None)
    """
    return next((kind for kind in KINDS if name.lower().endswith(kind.suffixes)), None)


def kind_by_content(head: bytes) -> FileKind | None:
    r"""The kind whose files begin like this.

    >>> [kind.name for kind in map(kind_by_content, (b"PK\3\4", b"\2\0\0\0\0\0\0\0{}")) if kind], kind_by_content(b"net")
    (['checkpoint', 'safetensors'], None)
    """
    return next((kind for kind in KINDS if kind.begins(head)), None)
