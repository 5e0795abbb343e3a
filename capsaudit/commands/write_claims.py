"""Today's counts of a model as a file of claims, which guards them from then on."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tomli_w

from capsaudit.atomic_write import write_atomically
from capsaudit.errors import CapsauditError
from capsaudit.inspection.targets import find_target
from capsaudit.inventory import STORED, Inventory, InventoryTensor
from capsaudit.selection import select
from capsaudit.spec import Data
from capsaudit.text import toml_escaped, valid

_SUFFIX = ".claims.toml"


def expect_new_file(path: Path) -> None:
    """Check that a file of claims can be written there without replacing what somebody has stated.

    Raises:
        CapsauditError: it exists, or has a name by which it would not be recognised.
    """
    if not path.name.endswith(_SUFFIX):
        raise CapsauditError(f"{path}: expected a name that ends with {_SUFFIX}, such as net{_SUFFIX}")
    if os.path.lexists(path):
        raise CapsauditError(f"{path}: exists; remove it first, or name another file")


def write_claims(
    inventory: Inventory,
    path: Path,
    *,
    kwargs: Mapping[str, object],
    inputs: Sequence[str],
    policy: str,
    folder: Path | None,
    part: str | None = None,
) -> None:
    """Write the file. `folder`: the directory that the target was loaded from, the current one by default.

    Raises:
        CapsauditError: as `expect_new_file`, the target would mean something else in the file's directory, or it cannot be written.
    """
    expect_new_file(path)
    file: Data = {"source": "measured", "target": _target_beside(path, inventory.target, folder or Path.cwd())}
    named = dict(text.split("=", 1) for text in inputs if "=" in text)
    file |= {"input": unnamed} if (unnamed := [text for text in inputs if "=" not in text]) else {}
    file |= {"part": part} if part else {}
    file |= {"policy": policy} if policy != STORED else {}
    file |= {"inputs": named} if named else {}
    file |= {"kwargs": dict(kwargs)} if kwargs else {}
    claims = [f"[[claims]]\n{tomli_w.dumps(claim)}" for claim in _claims(inventory.tensors, policy)]
    write_atomically(path, toml_escaped("\n".join([tomli_w.dumps(file), *claims])).encode())


def _target_beside(path: Path, target: str, folder: Path) -> str:
    """The target as the file has to name it: paths in it are relative to its own directory, and imports too."""
    parsed = find_target(target, folder)
    moved = path.parent.resolve() != folder.resolve()
    if parsed.kind == "python module":
        top = parsed.source.partition(".")[0]
        if moved and ((folder / top).is_dir() or (folder / f"{top}.py").is_file()):
            raise CapsauditError(f"{path}: {target} is imported from {folder}; write its claims there")
        return target
    if moved and not Path(parsed.source).is_absolute():
        source = Path(os.path.relpath(folder.resolve() / parsed.source, path.parent.resolve())).as_posix()
        return f"{source}:{parsed.name}" if parsed.name else source
    return target


def _claims(tensors: Sequence[InventoryTensor], policy: str) -> Iterator[Data]:
    """The whole model, then its layers in groups; of each, what it has of trainable, frozen and buffers."""
    yield {"stated": f"{sum(t.by(policy) for t in tensors if t.side == 'trainable'):,}"}
    yield from _counts({}, tensors, policy, kinds=("frozen", "buffers"))
    for name, found in _groups(tensors).items():
        if name == valid(name) and select(tensors, name, {}) == found:  # not where a name is also a pattern of others
            yield from _counts({"layer": name}, found, policy, kinds=("trainable", "frozen", "buffers"))


def _counts(layer: Data, tensors: Sequence[InventoryTensor], policy: str, *, kinds: Sequence[str]) -> Iterator[Data]:
    """A claim for each kind of values that there are; `trainable` is what a claim is about by default."""
    for kind in kinds:
        if count := sum(t.by(policy) for t in tensors if t.side == kind):
            yield layer | {"stated": f"{count:,}"} | ({} if kind == "trainable" else {"count": kind})


def _groups(tensors: Sequence[InventoryTensor]) -> dict[str, list[InventoryTensor]]:
    """Tensors by the beginning of their names, as short as it divides them: `features`, or `model.features` where all are in `model`."""
    paths = [tensor.name.split(".") for tensor in tensors]
    differing = (depth for depth, parts in enumerate(zip(*paths, strict=False)) if len(set(parts)) > 1)
    shared = next(differing, min(map(len, paths), default=0))
    groups: dict[str, list[InventoryTensor]] = {}
    for path, tensor in zip(paths, tensors, strict=True):
        groups.setdefault(".".join(path[: shared + 1]), []).append(tensor)
    return groups
