"""The datasets of an HDF5 file, as Keras writes it: their shapes and types. No values are read, and nothing outside the file is opened.

A link may lead to another path or another file, and a virtual dataset has its values in other files: these are left out, with a note.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from capsaudit.errors import CapsauditError
from capsaudit.inspection.files.parts import Contents, Parts, refuse
from capsaudit.inspection.files.rows import TRAINABLE_ASSUMED, file_row
from capsaudit.inspection.foreign_errors import one_line
from capsaudit.inspection.paths import expect_file
from capsaudit.inventory import InventoryTensor
from capsaudit.text import valid
from capsaudit.validation import shown

LARGEST_LINKS = 1_000_000
"""How many links of all groups are looked at."""

DEEPEST_GROUP = 32

_OPTIMISERS = frozenset({"optimizer_weights", "optimizer"})
"""Groups at the top in which Keras 2 and Keras 3 keep the moments of an optimiser."""

_NUMBERS = "fiubc"
"""The kinds of NumPy's dtypes that are numbers: floating-point, signed, unsigned, bool, complex."""

_NUMBERED = "vars"
"""The group in which Keras 3 keeps the variables of a layer, by their numbers."""

_TRAINABLE_UNKNOWN = (
    "Keras 3 stores variables by number, so that batch-norm statistics cannot be told apart; all are assumed trainable"
)

_MAX_SHOWN = 10


def read(path: Path) -> Parts:
    """Read the datasets of all groups as one network: `CapsNet/conv/kernel:0` has the name `CapsNet.conv.kernel:0`.

    Raises:
        CapsauditError: h5py is not installed, or the file cannot be read.
    """
    expect_file(path)
    library = _library(path)
    try:
        with library.File(path, "r", driver="sec2", locking=False) as file:
            found = _File(library, path)
            found.objects[library.h5o.get_info(file.id).addr] = "/"
            found.read(file.id, (), 0)
    except CapsauditError:
        raise
    except Exception as error:  # h5py's own are of many classes
        raise CapsauditError(f"{path}: is no HDF5 file, or is damaged ({one_line(error)})") from error
    refuse(
        [
            f"{path}: {shown(name)} is there twice"
            for name, count in Counter(row.name for row in found.rows).items()
            if count > 1
        ]
    )
    return {"": Contents(tuple(found.rows), tuple(found.notes()))}


def _library(path: Path) -> ModuleType:
    try:
        import h5py
    except ImportError as error:
        raise CapsauditError(
            f"{path}: is an HDF5 file, which is read with h5py; install it: pip install 'capsaudit[h5]'"
        ) from error
    return h5py  # type: ignore[no-any-return]


class _File:
    """What was found so far. `objects`: the first name of each object by its address, because several links may lead to one."""

    def __init__(self, library: ModuleType, path: Path) -> None:
        self.library, self.path = library, path
        self.rows: list[InventoryTensor] = []
        self.left_out: list[str] = []
        self.objects: dict[int, str] = {}
        self.links = 0

    def read(self, group: Any, keys: tuple[str, ...], depth: int) -> None:
        """Every object that a hard link of the group leads to. The link has the object's address, so no path is followed."""
        h5l, h5o = self.library.h5l, self.library.h5o
        if depth > DEEPEST_GROUP:
            raise CapsauditError(f"{self.path}: has groups more than {DEEPEST_GROUP} deep")
        for link in self._names(group):
            place = (*keys, valid(link.decode(errors="surrogateescape")))
            if not keys and place[0] in _OPTIMISERS:
                self._leave_out(place, "the state of an optimiser")
            elif group.links.get_info(link).type != h5l.TYPE_HARD or b"/" in link or link in (b".", b".."):
                self._leave_out(place, "a link to another place")
            else:
                self._object(h5o.open(group, link), place, depth)

    def notes(self) -> Iterator[str]:
        if self.left_out:
            more = ", …" if len(self.left_out) > _MAX_SHOWN else ""
            yield f"not counted: {', '.join(self.left_out[:_MAX_SHOWN])}{more}"
        numbered = any(row.layer.rpartition(".")[2] == _NUMBERED for row in self.rows)
        yield _TRAINABLE_UNKNOWN if numbered else TRAINABLE_ASSUMED

    def _names(self, group: Any) -> list[bytes]:
        names: list[bytes] = []
        group.links.iterate(names.append)
        self.links += len(names)
        if self.links > LARGEST_LINKS:
            raise CapsauditError(f"{self.path}: has more than {LARGEST_LINKS:,} links")
        return names

    def _object(self, found: Any, place: tuple[str, ...], depth: int) -> None:
        address, name = self.library.h5o.get_info(found).addr, ".".join(place)
        first = self.objects.setdefault(address, name)
        if isinstance(found, self.library.h5d.DatasetID):
            self._dataset(found, place, None if first == name else first)
        elif not isinstance(found, self.library.h5g.GroupID):
            self._leave_out(place, "a type")
        elif first != name:
            self._leave_out(place, f"the same group as {shown(first)}")
        else:
            self.read(found, place, depth + 1)

    def _dataset(self, found: Any, place: tuple[str, ...], same_as: str | None) -> None:
        """A virtual dataset is recognised before its shape is asked for, because that opens its source files."""
        h5d, layout = self.library.h5d, found.get_create_plist().get_layout()
        if layout == h5d.VIRTUAL:
            self._leave_out(place, "a virtual dataset, whose values are in other files")
        elif (
            dtype := _number_type(found)
        ) is None or found.get_space().get_simple_extent_type() == self.library.h5s.NULL:
            self._leave_out(place, "no array of numbers")
        else:
            self._row(found, ".".join(place), dtype, same_as, contiguous=layout == h5d.CONTIGUOUS)

    def _row(self, found: Any, name: str, dtype: Any, same_as: str | None, *, contiguous: bool) -> None:
        shape = tuple(map(int, found.shape))
        count, stored = math.prod(shape), found.get_storage_size() if contiguous else 0
        size = count * dtype.itemsize
        if stored and stored != size:  # 0 where nothing was written
            raise CapsauditError(
                f"{self.path}: {shown(name)} has {size:,} bytes by its shape, and {stored:,} in the file"
            )
        counts = {"per name": count} if same_as else {"reals": 2 * count} if dtype.kind == "c" else None
        self.rows.append(file_row(name, shape, str(dtype.newbyteorder("=")), 0 if same_as else size, counts, same_as))

    def _leave_out(self, place: tuple[str, ...], why: str) -> None:
        self.left_out.append(f"{shown('/'.join(place))} ({why})")


def _number_type(found: Any) -> Any:
    """The dtype of a dataset; None if it is one of something else, or of a type that NumPy does not have."""
    try:
        dtype = found.dtype
    except (TypeError, ValueError):
        return None
    return dtype if dtype.kind in _NUMBERS else None
