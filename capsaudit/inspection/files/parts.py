"""What a file of weights contains: its networks by name, one of which is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from capsaudit.errors import CapsauditError, FileError
from capsaudit.inventory import Finding, InventoryTensor
from capsaudit.validation import nearest, shown

_MAX_FAULTS = 20


class Contents(Struct, frozen=True):
    """The tensors of a network in a file, notes on how it was read, and warnings of counts that may not be what is meant."""

    tensors: tuple[InventoryTensor, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()


Parts = Mapping[str, Contents]
"""The networks of a file by their names: the keys at which a checkpoint has them, or the files and folders in a folder."""


def choose(parts: Parts, part: str | None, path: Path) -> Contents:
    """The network to count: `part`; without it the only one, or the first if all have the same tensors, as an average of weights has.

    Raises:
        CapsauditError: there is no such part, or there are several that differ and none is chosen.
    """
    if part is None:
        if len(parts) > 1 and not _are_copies(list(parts.values())):
            raise CapsauditError(
                f"{path}: contains {len(parts):,} networks; choose one with --part", choices=_choices(parts)
            )
        return _beside_others(next(iter(parts)), parts)
    if part in parts:
        return _beside_others(part, parts)
    return _within(part, parts, path)


def joined(path: Path, found: Iterable[tuple[str, Contents]]) -> Contents:
    """One network whose tensors are in several files, each with its name.

    Raises:
        CapsauditError: two files have a tensor of the same name.
    """
    tensors: dict[str, InventoryTensor] = {}
    notes: dict[str, None] = {}
    twice: list[str] = []
    for file, contents in found:
        twice += [f"{path}: {shown(each.name)} is in {file} too" for each in contents.tensors if each.name in tensors]
        tensors |= {tensor.name: tensor for tensor in contents.tensors}
        notes |= dict.fromkeys(contents.notes)
    refuse(twice)
    return Contents(tuple(tensors.values()), tuple(notes))


def refuse(faults: Sequence[str]) -> None:
    """Raise an error if there are faults, of which the first are shown.

    Raises:
        FileError: there are faults.
    """
    if faults:
        raise FileError(*faults[:_MAX_FAULTS], *(["and more"] if len(faults) > _MAX_FAULTS else []))


def with_notes(found: Contents, *notes: str) -> Contents:
    """The same with notes before its own."""
    return msgspec.structs.replace(found, notes=(*notes, *found.notes))


def _are_copies(found: Sequence[Contents]) -> bool:
    first, *others = ([(tensor.name, tensor.shape) for tensor in each.tensors] for each in found)
    return all(other == first for other in others)


def _choices(parts: Parts) -> list[str]:
    return [f"--part {name} ({_values(found.tensors):,} values)" for name, found in parts.items()]


def _values(tensors: Sequence[InventoryTensor]) -> int:
    return sum(tensor.count for tensor in tensors)


def _beside_others(name: str, parts: Parts) -> Contents:
    others = [f"{shown(other)} ({_values(found.tensors):,} values)" for other, found in parts.items() if other != name]
    if not others:
        return parts[name]
    note = f"counted is the network {shown(name)}; --part chooses another one: {', '.join(others)}"
    return with_notes(parts[name], note)


def _within(part: str, parts: Parts, path: Path) -> Contents:
    """The tensors whose names begin with `part`, in a file of one network."""
    found = next(iter(parts.values())) if len(parts) == 1 else Contents(())
    chosen = tuple(tensor for tensor in found.tensors if tensor.name.startswith(f"{part}."))
    if not chosen:
        names = parts.keys() - {""} or {tensor.name.partition(".")[0] for tensor in found.tensors}
        raise CapsauditError(f"{path}: has no part {part!r}; {nearest(part, names)}")
    left_out = _values(found.tensors) - _values(chosen)
    note = f"counted are the tensors in {shown(part)}; {left_out:,} values outside it are not counted"
    return with_notes(msgspec.structs.replace(found, tensors=chosen), note)
